# NACLIP (Hajimiri et al., WACV 2025): keys with keys in a Gaussian neighbourhood, std 5 patches.
_base_ = './toy_maskclip.py'
model = dict(backbone=dict(attention='kk', residual=False, ffn=False))
