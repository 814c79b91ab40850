# As ZegCLIP's release: takes its weights, see tools/model_converters/official.py.
_base_ = ['coco_stuff_inductive.py', '../_base_/models/zegclip_released.py']
model = dict(
    data_preprocessor={{_base_.released.data_preprocessor}},
    backbone={{_base_.released.backbone}},
    decode_head=dict(
        text=dict(templates='zegclip15'), loss_decode={{_base_.released.loss}}))
optim_wrapper = dict(paramwise_cfg={{_base_.released.paramwise_cfg}})
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))  # the next run starts half way
