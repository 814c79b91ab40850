default_scope = 'mmseg'
runner_type = 'mmseg_zsclip.ResumableRunner'
custom_imports = dict(imports=['mmseg_zsclip'], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmseg_zsclip.WholeCheckpointHook',
        by_epoch=False,
        interval=0.1,  # of the training
        max_keep_ckpts=2,
        save_last=True,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    class_names=dict(type='mmseg_zsclip.ClassNamesHook'),
    preflight=dict(type='mmseg_zsclip.PreflightHook'),
)
custom_hooks = [dict(type='mmseg_zsclip.StrictLoadHook')]

visualizer = dict(
    type='SegLocalVisualizer',
    name='visualizer',
    alpha=0.6,
    vis_backends=[dict(type='LocalVisBackend')],
)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False
