# As proposals_60k.py, for MaskFormer, whose queries are its only embeddings.
_base_ = './proposals_60k.py'
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'generator.backbone': dict(lr_mult=0.1),
            'head.query_': dict(decay_mult=0.0),
        }
    )
)
