"""MAFT, tables 4 and 5 and appendix C.1, on the proposals of one stage 1.

The file of stage 1 is `zsclip train toy_proposals`'s, and the same for all seeds: what differs
between seeds is the order of photos in the tuning.
"""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

ABOUT = """The paper's numbers are of COCO-Stuff with FreeSeg's proposals, without the ensemble.
All runs but those of `text` share the proposals of one `zsclip train toy_proposals`, trained on
seen classes alone, those the proposals of one `toy_text_proposals`; and all have the contrastive
CLIP: the one with a term on patches has learnt in its pre-training what MAFT teaches. S / U / h of
table 4a: crops 22.3 / 29.3 / 25.3, IP-CLIP 29.4 / 36.2 / 32.4, with the mask-aware loss
39.9 / 47.1 / 43.1, with self-distillation too 40.1 / 49.7 / 44.4."""
CLASSIFIER = 'model.classifier.'
NO_TEACHER = {'model.distillation': dict(type='mmseg_zsclip.SelfDistillationLoss', loss_weight=0)}
TRUE = {'model.generator': dict(_delete_=True, type='mmseg_zsclip.TrueProposals')}
SAM_LIKE = {
    'model.generator': dict(_delete_=True, type='mmseg_zsclip.SplitMergedProposals', count=20)
}
NO_ENSEMBLE = {'model.fusion': dict(_delete_=True, type='mmseg_zsclip.Ensemble')}
FROZEN = {'model.type': 'mmseg_zsclip.TwoStageSegmentor', 'model.generator.frozen': True}
UNITS = ('conv', 'class_token', 'positions', 'mlp', 'proj')  # in the order of table 4d
TABLE_4A = {  # mIoU(S), mIoU(U), hIoU
    'crops': (22.3, 29.3, 25.3),
    'ip_clip': (29.4, 36.2, 32.4),
    'mask_aware': (39.9, 47.1, 43.1),
    'maft': (40.1, 49.7, 44.4),
}
COLUMNS = ('mIoU(S)', 'mIoU(U)', 'hIoU')


def frozen(name: str, says: str, options: dict | None = None) -> Run:
    return Run(name, 'toy_two_stage', options or {}, weights='toy', says=says)


def tuned(name: str, says: str, options: dict | None = None, steps: int | None = None) -> Run:
    return Run(name, 'toy_maft', options or {}, trains=True, steps=steps, weights='toy', says=says)


def text_scored(name: str, says: str, options: dict | None = None, trains: bool = False) -> Run:
    return Run(name, 'toy_text_maft', options or {}, trains=trains, says=says)


def mask_loss(distance: str) -> dict:
    loss = dict(type='mmseg_zsclip.MaskAwareLoss', distance=distance)
    return {'model.mask_loss': loss, **NO_TEACHER}


RUNS = [
    frozen(
        'crops',
        'frozen CLIP on masked crops of the proposals',
        {
            'model.classifier': dict(
                _delete_=True, type='mmseg_zsclip.SubImageCLIP', arch='ViT-T-8', weights='toy'
            )
        },
    ),
    frozen('ip_clip', 'frozen IP-CLIP'),
    tuned('mask_aware', 'IP-CLIP tuned by the mask-aware loss alone', NO_TEACHER),
    tuned('maft', 'MAFT: with self-distillation too'),
    *(
        tuned(name, f'the mask-aware loss alone, as {name}', mask_loss(name))
        for name in ('l1', 'l2', 'kl')
    ),
    *(tuned(f'maft_{steps}', f'MAFT for {steps} steps', steps=steps) for steps in (10, 100, 300)),
    *(
        tuned(
            f'frozen_{count}',
            f'MAFT, {", ".join(UNITS[:count]) or "nothing"} frozen',
            {'model.frozen': list(UNITS[:count])},
        )
        for count in range(len(UNITS) + 1)
    ),
    *(
        tuned(f'maft_s{block}', f'MAFT, S = {block}', {CLASSIFIER + 'start_block': block})
        for block in (0, 3, 5)
    ),
    frozen('true_masks', 'frozen IP-CLIP on the true masks of the classes', TRUE),
    frozen(
        'upper_bound',
        'the proposals with their true IoU as score',
        {'model.fusion': dict(type='mmseg_zsclip.UpperBound')},
    ),
    frozen(
        'pooling',
        "MaskCLIP's values, pooled by the proposals",
        {
            'model.classifier': dict(
                _delete_=True,
                type='mmseg_zsclip.MaskPooling',
                backbone=dict(
                    type='mmseg_zsclip.MaskCLIPViT',
                    arch='ViT-T-8',
                    weights='toy',
                    residual=False,
                    ffn=False,
                ),
            )
        },
    ),
    frozen('sam_like', 'frozen IP-CLIP on the true masks, split and merged at random', SAM_LIKE),
    tuned('sam_like_maft', 'MAFT, trained and tested on masks like these', SAM_LIKE),
    text_scored('text', 'frozen IP-CLIP on proposals that text scores, with the ensemble', FROZEN),
    text_scored('text_alone', 'the same, without the ensemble', {**FROZEN, **NO_ENSEMBLE}),
    text_scored('text_maft', 'MAFT on these proposals, with the ensemble', trains=True),
    text_scored('text_maft_alone', 'the same, without the ensemble', NO_ENSEMBLE, trains=True),
    Run('maskclip', 'toy_maskclip', weights='toy', says='MaskCLIP, without proposals'),
]


def table_4a(says: str, metric: str, better: str, than: str) -> Claim:
    paper = {name: TABLE_4A[name][COLUMNS.index(metric)] for name in (better, than)}
    return Claim(says, 'MAFT, table 4a', metric, better, (than,), paper=paper)


CLAIMS = [
    *(
        table_4a(f'IP-CLIP, frozen, is above crops ({metric})', metric, 'ip_clip', 'crops')
        for metric in COLUMNS
    ),
    *(
        table_4a(f'The mask-aware loss helps ({metric})', metric, 'mask_aware', 'ip_clip')
        for metric in COLUMNS
    ),
    table_4a('Self-distillation helps unseen classes', 'mIoU(U)', 'maft', 'mask_aware'),
    Claim(
        'Smooth L1 is the best distance for unseen classes',
        'MAFT, table 4b',
        'mIoU(U)',
        'mask_aware',
        ('l1', 'l2', 'kl'),
        paper=dict(mask_aware=47.1, l1=45.8, l2=45.8, kl=41.8),
    ),
    Claim(
        'KL is the best distance for seen classes',
        'MAFT, table 4b',
        'mIoU(S)',
        'kl',
        ('mask_aware', 'l1', 'l2'),
    ),
    Claim('A longer tuning helps seen classes', 'MAFT, table 4c', 'mIoU(S)', 'maft_300', ('maft',)),
    Claim(
        'A longer tuning costs unseen classes',
        'MAFT, table 4c',
        'mIoU(U)',
        'maft',
        ('maft_100', 'maft_300'),
        paper=dict(maft=49.7, maft_100=47.6, maft_300=45.7),
        note='1000, 2000 and 5000 steps in the paper.',
    ),
    Claim(
        'Too short a tuning is not enough for seen classes',
        'MAFT, table 4c',
        'mIoU(S)',
        'maft',
        ('maft_10',),
        paper=dict(maft=40.0, maft_10=37.7),
        note='1000 and 500 steps in the paper.',
    ),
    Claim(
        'Four frozen units are best for unseen classes',
        'MAFT, table 4d',
        'mIoU(U)',
        'frozen_4',
        tuple(f'frozen_{count}' for count in (0, 1, 2, 3, 5)),
        paper=dict(
            frozen_0=44.7, frozen_1=44.7, frozen_2=44.9, frozen_3=48.7, frozen_4=49.7, frozen_5=49.1
        ),
    ),
    Claim(
        'Tuning all of CLIP costs unseen classes',
        'MAFT, table 4d',
        'mIoU(U)',
        'frozen_4',
        ('frozen_0',),
        paper=dict(frozen_4=49.7, frozen_0=44.7),
        note='the paper: 5.0 points more than with all tuned.',
    ),
    Claim(
        'A start in the middle is better for unseen classes than one at the end',
        'MAFT, table 4e',
        'mIoU(U)',
        'maft_s3',
        ('maft_s5',),
        paper=dict(maft_s3=49.7, maft_s5=45.7),
        note="S = 8 and 10 of the paper's 12 blocks.",
    ),
    Claim(
        'A start in the middle is better for unseen classes than at the first block',
        'MAFT, table 4e',
        'mIoU(U)',
        'maft_s3',
        ('maft_s0',),
        paper=dict(maft_s3=49.7, maft_s0=46.4),
    ),
    Claim(
        'The proposals allow more than any classifier makes of them',
        'MAFT, appendix C.1',
        'mIoU',
        'upper_bound',
        ('maft', 'ip_clip', 'crops'),
    ),
    Claim(
        'True masks are better proposals',
        'MAFT, appendix C.1',
        'mIoU',
        'true_masks',
        ('ip_clip',),
    ),
    Claim(
        'MAFT helps unseen classes where no generator learnt the masks',
        'MAFT, table 5',
        'mIoU(U)',
        'sam_like_maft',
        ('sam_like',),
        paper=dict(sam_like_maft=51.5, sam_like=43.3),
        note="SAM's masks in the paper, with the classifier tuned on FreeSeg's.",
    ),
    Claim(
        'MAFT helps unseen classes of a second generator',
        'MAFT, table 2',
        'mIoU(U)',
        'text_maft',
        ('text',),
        paper=dict(text_maft=50.4, text=42.2),
    ),
    Claim(
        'MAFT helps unseen classes of a second generator without the ensemble',
        'MAFT, table 2',
        'mIoU(U)',
        'text_maft_alone',
        ('text_alone',),
        paper=dict(text_maft_alone=49.7, text_alone=29.3),
    ),
    *(
        Claim(
            f'The ensemble helps frozen CLIP ({metric})',
            'MAFT, table 2',
            metric,
            'text',
            ('text_alone',),
            paper=dict(text=paper[0], text_alone=paper[1]),
        )
        for metric, paper in {'mIoU(S)': (42.4, 22.3), 'mIoU(U)': (42.2, 29.3)}.items()
    ),
    Claim(
        'MAFT gains more without the ensemble than with it',
        'MAFT, table 2',
        'mIoU(U)',
        'text_maft_alone - text_alone',
        ('text_maft - text',),
    ),
    Claim(
        "Proposals sharpen MaskCLIP's values",
        'own; a training-free row',
        'mIoU',
        'pooling',
        ('maskclip',),
    ),
    Claim(
        'Proposals and MAFT are above training-free MaskCLIP of the same CLIP',
        'MAFT, section 1',
        'hIoU',
        'maft',
        ('maskclip',),
    ),
]
SUITE = Suite(
    'maft',
    'MAFT (NeurIPS 2023)',
    RUNS,
    CLAIMS,
    quick_steps=10,
    quick_options={'test_dataloader.dataset.length': 20},
    about=ABOUT,
)
