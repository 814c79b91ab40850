# What the code and weights of ZegCLIP's release need on top of the paper's model.
released = dict(
    data_preprocessor=dict(  # ImageNet's statistics, not CLIP's
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
    ),
    backbone=dict(image_size=512, position_mode='bilinear', cls_added_twice=True),
    loss=dict(
        type='mmseg_zsclip.MaskLoss', squared=False, smooth=1.0, count_ignored_as_negative=True
    ),
    paramwise_cfg=dict(norm_decay_mult=1.0),
)
