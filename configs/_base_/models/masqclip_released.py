# What MasQCLIP's code and weights have in the place of the paper's settings.
released = dict(
    distillation=dict(overlap='dice', points=12544),
    optimizer_of_a_round=dict(fresh_optimizer=True),
    classifier=dict(q_init='random', train_position=True, black_padding=True),
    mask_loss=dict(
        type='mmseg_zsclip.MaskClassificationLoss',
        overlap='dice',
        size=(336, 336),
        loss_weight=2.0,
    ),
    text=dict(synonyms='unnormalised'),
    test_cfg=dict(resize_logits=True),
)
