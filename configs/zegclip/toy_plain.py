# Table 6, "plain": binary cross-entropy alone.
_base_ = ['toy_inductive.py']
model = dict(
    decode_head=dict(
        loss_decode=dict(type='mmseg_zsclip.MaskLoss', alpha=0.5, gamma=0.0, dice_weight=0.0)
    )
)
