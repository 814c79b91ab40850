# SC-CLIP's single pass (Bai et al., 2024); blocks 9 and 4 of 12 become 4 and 2 of 6.
_base_ = './toy_maskclip.py'
model = dict(backbone=dict(attention='sc', residual=False, ffn=False))
