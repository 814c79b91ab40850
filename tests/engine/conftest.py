"""A training of stock parts, of random augmentation and dropout, on four photos of 48 x 48."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner


@pytest.fixture
def training(photo_folder, tmp_path, monkeypatch):
    """Config of a training; entries of its train loader are keywords."""

    def make(steps=6, folder=None, every=2, **loader) -> Config:
        dataset = dict(
            type='BaseSegDataset',
            data_root=str(photo_folder),
            img_suffix='.png',
            seg_map_suffix='.png',
            metainfo=dict(classes=['sky', 'road', 'tree', 'car']),
            data_prefix=dict(img_path='img', seg_map_path='ann'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='RandomCrop', crop_size=(32, 32)),
                dict(type='RandomFlip', prob=0.5),
                dict(type='PhotoMetricDistortion'),
                dict(type='PackSegInputs'),
            ],
        )
        seen = dict(dataset, pipeline=[dataset['pipeline'][0], *dataset['pipeline'][1::4]])
        evaluation = dict(
            batch_size=1,
            num_workers=0,
            dataset=seen,
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
        return Config(
            dict(
                default_scope='mmseg',
                custom_imports=dict(imports=['mmseg_zsclip']),
                launcher='none',
                work_dir=str(folder or tmp_path / 'run'),
                log_level='ERROR',
                randomness=dict(seed=0),
                model=dict(
                    type='EncoderDecoder',
                    test_cfg=dict(mode='whole'),
                    data_preprocessor=dict(
                        type='SegDataPreProcessor', size=(32, 32), mean=[0.0] * 3, std=[255.0] * 3
                    ),
                    backbone=dict(type='MobileNetV2', widen_factor=0.1, out_indices=(5, 6)),
                    decode_head=dict(
                        type='FCNHead',
                        in_channels=32,
                        channels=8,
                        num_convs=1,
                        num_classes=4,
                        dropout_ratio=0.5,
                    ),
                ),
                train_dataloader=dict(
                    dict(
                        batch_size=2,
                        num_workers=0,
                        dataset=dataset,
                        sampler=dict(type='InfiniteSampler', shuffle=True),
                    ),
                    **loader,
                ),
                val_dataloader=evaluation,
                val_evaluator=dict(type='IoUMetric'),
                val_cfg={},
                train_cfg=dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=3),
                optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01)),
                param_scheduler=[
                    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=2),
                    dict(
                        type='PolyLR', power=0.9, eta_min=1e-6, by_epoch=False, begin=2, end=steps
                    ),
                ],
                default_hooks=dict(
                    logger=dict(type='LoggerHook', interval=1),
                    checkpoint=dict(
                        type='mmseg_zsclip.WholeCheckpointHook',
                        by_epoch=False,
                        interval=every,
                        max_keep_ckpts=1,
                    ),
                ),
                log_processor=dict(by_epoch=False),
            )
        )

    # a look at every compiler of the machine, seconds for each runner
    monkeypatch.setattr(Runner, '_log_env', lambda self, env_cfg: None)
    # loader processes of a run that ended look 5 s apart whether it has
    for home in ('torch.utils.data._utils', 'torch.utils.data._utils.worker'):
        monkeypatch.setattr(f'{home}.MP_STATUS_CHECK_INTERVAL', 0.2)
    return make
