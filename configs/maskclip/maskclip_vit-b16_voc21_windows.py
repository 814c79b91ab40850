_base_ = [
    '../_base_/models/maskclip_vit-b16.py',
    '../_base_/datasets/voc21.py',
    '../_base_/protocols/windows.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(
    test_cfg={{_base_.inference}},
    decode_head=dict(
        classes={{_base_.classes}},
        unseen={{_base_.unseen}},
        text=dict(templates={{_base_.templates}}),
        background='background26',
    ),
)
train_dataloader = None
val_dataloader = test_dataloader = dict(
    dataset=dict(
        pipeline=[_base_.resize if step.type == 'Resize' else step for step in _base_.test_pipeline]
    )
)
