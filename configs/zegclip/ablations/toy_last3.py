# Prompts in the last three of six blocks.
_base_ = ['../toy_inductive.py']
model = dict(backbone=dict(prompt_blocks='last:3'))
