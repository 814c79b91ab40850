# A cell of this tower is 32 pixels, so the scenes are enlarged four times.
_base_ = [
    '../_base_/models/maskclip_toy_r.py',
    '../_base_/datasets/toy.py',
    '../_base_/schedules/training_free.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(classes={{_base_.classes}}, unseen={{_base_.unseen}}))
train_dataloader = None
test_pipeline = [
    dict(step, scale=(512, 512)) if step.type == 'Resize' else step for step in _base_.test_pipeline
]
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
