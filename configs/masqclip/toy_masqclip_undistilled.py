# MasQ-tuning on proposals that were not distilled: the first row of table 4.
_base_ = ['toy_masqclip.py']
stage_one = 'work_dirs/toy_proposals/iter_4800.pth'
made_by = dict(file='toy_proposals/iter_4800.pth', config='toy_proposals')
model = dict(generator=dict(checkpoint=stage_one))
