# Prompts in the first three of six blocks.
_base_ = ['../toy_inductive.py']
model = dict(backbone=dict(prompt_blocks='first:3'))
