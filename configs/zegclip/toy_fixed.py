# Table 5, Baseline-Fix + NEL + RD: plain CLIP, frozen.
_base_ = ['toy_inductive.py']
model = dict(backbone=dict(num_prompts=0))
