# Frozen IP-CLIP on the proposals of `zsclip train toy_proposals`: nothing here trains, so
# `zsclip test toy_two_stage` needs no checkpoint of its own.
_base_ = './toy_proposals.py'
stage_one = 'work_dirs/toy_proposals/iter_4800.pth'
made_by = dict(file='toy_proposals/iter_4800.pth', config='toy_proposals')
model = dict(generator=dict(checkpoint=stage_one, frozen=True))
optim_wrapper = param_scheduler = train_cfg = train_dataloader = None
