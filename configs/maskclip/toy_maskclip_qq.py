# ClearCLIP (Lan et al., ECCV 2024): queries with queries, no residual, no feed-forward network.
_base_ = './toy_maskclip.py'
model = dict(backbone=dict(attention='qq', residual=False, ffn=False))
