# ResCLIP's RCS (Yang et al., CVPR 2025) on NACLIP; blocks 6 to 9 of 12 become 3 and 4 of 6.
_base_ = './toy_maskclip.py'
model = dict(backbone=dict(attention='rcs', residual=False, ffn=False))
