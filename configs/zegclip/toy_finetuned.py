# Table 5, Baseline-FT + NEL + RD: plain CLIP, trained at a tenth of the decoder's rate.
_base_ = ['toy_inductive.py']
model = dict(backbone=dict(num_prompts=0, finetune=True))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}))
