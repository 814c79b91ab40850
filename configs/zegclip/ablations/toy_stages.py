# The patch tokens of three blocks, summed, in place of the last one's embeddings.
_base_ = ['../toy_inductive.py']
model = dict(backbone=dict(out_indices=(1, 3, 5)), decode_head=dict(use_stages=3, in_channels=192))
