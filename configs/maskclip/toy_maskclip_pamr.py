# PAMR (Araslanov and Roth, CVPR 2020) with NACLIP's settings, on MaskCLIP's values.
_base_ = './toy_maskclip.py'
model = dict(test_cfg=dict(pamr=dict(steps=10, dilations=(8, 16))))
