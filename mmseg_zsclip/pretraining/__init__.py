"""Contrastive pre-training of a CLIP from images and captions, also captions made from label maps.

Knows `mmseg_zsclip.clip` alone; `tools/pretrain_clip.py` is its command line.
"""
