# SCLIP (Wang et al., ECCV 2024): queries with queries plus keys with keys, nothing else changed.
_base_ = './toy_maskclip.py'
model = dict(backbone=dict(attention='qq+kk', residual=True, ffn=True))
