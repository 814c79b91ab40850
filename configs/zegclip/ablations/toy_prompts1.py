# One prompt a block.
_base_ = ['../toy_inductive.py']
model = dict(backbone=dict(num_prompts=1))
