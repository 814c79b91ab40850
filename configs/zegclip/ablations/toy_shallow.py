# VPT-shallow: the first block's prompts travel on to the last.
_base_ = ['../toy_inductive.py']
model = dict(backbone=dict(prompt_blocks='shallow'))
