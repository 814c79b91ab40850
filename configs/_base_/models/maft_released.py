# What MAFT's code and weights have in the place of the paper's settings.
released = dict(
    classifier=dict(start_block=8, released_positions=True),
    distillation=dict(type='mmseg_zsclip.SelfDistillationLoss', loss_weight=0.1),
    fusion=dict(seen=1.0, unseen=1.0),  # no ensemble
    optimizer=dict(weight_decay=1e-4),
)
