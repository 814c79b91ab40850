"""Contrastive pre-training of a CLIP from images and captions, also captions made from label maps.

`tools/pretrain_clip.py` is its command line; `toy_batches` and `toy_captions` are its toy world.
"""
