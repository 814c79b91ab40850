_base_ = [
    '../_base_/models/maskclip_r50.py',
    '../_base_/datasets/context59.py',
    '../_base_/protocols/whole.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(
    test_cfg={{_base_.inference}},
    decode_head=dict(
        classes={{_base_.classes}},
        unseen={{_base_.unseen}},
        text=dict(templates={{_base_.templates}}),
        ks_thresh=1.0,
        pd_thresh=0.5,
    ),
)
train_dataloader = None
val_dataloader = test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(_base_.resize, scale=(520, 520)) if step.type == 'Resize' else step
            for step in _base_.test_pipeline
        ]
    )
)
tta = dict(scales=[(224, 224), (336, 336), (520, 520)])
