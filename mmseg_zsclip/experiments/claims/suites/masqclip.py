"""MasQCLIP, tables 2 to 5, on the proposals of one stage 1 and of its distillation.

The files of `toy_proposals` and of `toy_masq_distill` are trained where they are missing, and the
same for all seeds: what differs between seeds is the order of photos in what a run trains itself.
"""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite
from mmseg_zsclip.toy import World
from mmseg_zsclip.vocabulary.lists import load_unseen

ABOUT = """The paper's AP50 are of COCO, 48 base and 17 novel classes; PQ and mIoU of table 5 are of
COCO, which that model was trained on, and of ADE20K: here seen classes stand for the first and the
second world for the second. Rounds of distillation are tested with frozen CLIP, so that no second
training is needed. All runs have the contrastive CLIP: the one with a term on patches has learnt in
its pre-training what MasQ-tuning teaches."""
WORLD = World('toy')
THINGS = [name for name, is_thing in zip(WORLD.classes, WORLD.is_thing, strict=True) if is_thing]
NOVEL = [name for name in THINGS if name in load_unseen('toy')]
BASE = [name for name in THINGS if name not in NOVEL]
TEACHER = {
    'model.generator.checkpoint': 'work_dirs/toy_proposals/iter_4800.pth',
    'made_by': dict(file='toy_proposals/iter_4800.pth', config='toy_proposals'),
}
NO_OBJECT = {'model.fusion': dict(type='mmseg_zsclip.Ensemble', object_score=False)}
STRICT = dict(type='mmseg_zsclip.StrictLoadHook')
INSTANCES = {
    '+model.things': THINGS,
    '+model.test_cfg.tasks': ['semantic', 'instance'],
    'test_evaluator': [
        dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
        dict(type='mmseg_zsclip.InstanceAPMetric'),
    ],
}
TARGET = {
    'custom_hooks': [STRICT, dict(type='mmseg_zsclip.SetClassesHook', classes='toy_target')],
    'test_dataloader.dataset.type': 'mmseg_zsclip.ToyTargetDataset',
    'test_dataloader.dataset.metainfo': dict(unseen='none'),
    'model.test_cfg.tasks': ['semantic'],
    'test_evaluator': [dict(type='mmseg_zsclip.ZeroShotIoUMetric')],
}
TUNED = dict(  # table 5: what is tuned, PQ on COCO, mIoU on ADE20K
    freeze=('nothing', 19.4, 15.7),
    q=('queries', 48.5, 30.4),
    k=('keys', 48.3, 29.8),
    v=('values', 50.0, 18.0),
    qk=('queries and keys', 49.0, 30.1),
    qkv=('queries, keys and values', 50.5, 18.6),
    clip=('a copy of CLIP', 49.0, 18.3),
)
FITS, TRANSFERS = 1, 2  # columns of `TUNED`


def constrained(classes: list[str], unseen: list[str]) -> dict:
    """Options that test on these things alone."""
    return {
        **INSTANCES,
        'model.classifier.tune': 'q',  # as `q` has it, whose training these share
        'test_evaluator': [
            dict(type='mmseg_zsclip.ZeroShotIoUMetric'),
            dict(type='mmseg_zsclip.InstanceAPMetric', unseen=unseen),
        ],
        'custom_hooks': [STRICT, dict(type='mmseg_zsclip.SetClassesHook', classes=classes)],
        'test_dataloader.dataset.metainfo': dict(classes=classes, unseen='none', things=classes),
    }


def masq(name: str, says: str, options: dict, trains: bool = True) -> Run:
    return Run(name, 'toy_masqclip', options, trains=trains, weights='toy', says=says)


def distilled(name: str, says: str, options: dict, steps: int = 1600) -> Run:
    return Run(
        name,
        'toy_masq_distill',
        {**options, **INSTANCES},
        trains=True,
        steps=steps,
        weights='toy',
        says=says,
    )


def rounds(count: int) -> dict:
    hook = dict(type='mmseg_zsclip.DistillationHook', rounds=count)
    return {'custom_hooks': [STRICT, hook]}


RUNS = [
    *(
        masq(tune, f'MasQ-tuning of {what}', {'model.classifier.tune': tune}, tune != 'freeze')
        for tune, (what, *_) in TUNED.items()
    ),
    *(
        masq(
            f'{tune}_target',
            f'the same, of {what}, tested on the second world',
            {'model.classifier.tune': tune, **TARGET},
            tune != 'freeze',
        )
        for tune, (what, *_) in TUNED.items()
    ),
    masq('base_alone', 'queries tuned, tested on base classes alone', constrained(BASE, [])),
    masq('novel_alone', 'queries tuned, tested on novel classes alone', constrained(NOVEL, NOVEL)),
    masq('teacher', 'queries tuned on proposals that were not distilled', TEACHER),
    masq('teacher_clip_score', "the same, CLIP's score alone", {**TEACHER, **NO_OBJECT}),
    Run(
        'round_0',
        'toy_two_stage',
        INSTANCES,
        weights='toy',
        says='proposals before distillation, with frozen CLIP',
    ),
    distilled('round_1', 'one round of distillation, with frozen CLIP', rounds(1), steps=800),
    distilled('round_2', 'two rounds', rounds(2)),
    distilled(
        'longer',
        'as many steps without distillation',
        {'model.type': 'mmseg_zsclip.TwoStageSegmentor', 'custom_hooks': [STRICT]},
    ),
]


def table_5(says: str, better: str, than: tuple[str, ...], column: int, margin: float = 0) -> Claim:
    target = '_target' if column == TRANSFERS else ''
    return Claim(
        says,
        'MasQCLIP, table 5',
        'mIoU' if target else 'mIoU(S)',
        better + target,
        tuple(name + target for name in than),
        paper={name + target: TUNED[name][column] for name in (better, *than)},
        margin=margin,
        note='' if target else 'PQ of COCO in the paper.',
    )


CLAIMS = [
    Claim(
        'Base classes alone are easier than among all',
        'MasQCLIP, table 2',
        'AP50(base)',
        'base_alone',
        ('q',),
        paper=dict(base_alone=51.2, q=51.0),
    ),
    Claim(
        'Novel classes alone are easier than among all',
        'MasQCLIP, table 2',
        'AP50(novel)',
        'novel_alone',
        ('q',),
        paper=dict(novel_alone=34.3, q=31.9),
    ),
    *(
        Claim(
            f'The object score helps {group} classes',
            'MasQCLIP, table 3',
            f'AP50({group})',
            'teacher',
            ('teacher_clip_score',),
            paper=dict(teacher=with_score, teacher_clip_score=without),
        )
        for group, with_score, without in (('base', 53.8, 16.9), ('novel', 22.6, 11.3))
    ),
    Claim(
        'A round of distillation helps novel classes',
        'MasQCLIP, table 4',
        'AP50(novel)',
        'round_1',
        ('round_0',),
        paper=dict(round_1=26.1, round_0=22.6),
    ),
    Claim(
        'A second round helps them more',
        'MasQCLIP, table 4',
        'AP50(novel)',
        'round_2',
        ('round_1',),
        paper=dict(round_2=31.9, round_1=26.1),
    ),
    Claim(
        'As long a training without distillation does not',
        'MasQCLIP, table 4',
        'AP50(novel)',
        'round_2',
        ('longer',),
        paper=dict(round_2=31.9, longer=18.2),
    ),
    Claim(
        'Distillation helps novel classes behind MasQ-tuning',
        'MasQCLIP, table 4',
        'AP50(novel)',
        'q',
        ('teacher',),
        paper=dict(q=31.9, teacher=22.6),
    ),
    table_5('Tuned queries fit the training world better than none', 'q', ('freeze',), FITS),
    *(
        table_5(f'With values too it is fitted better ({what})', what, than, FITS)
        for what, than in {
            'v': ('q', 'k', 'qk'),
            'qkv': ('q', 'k', 'qk'),
            'clip': ('q', 'k'),
        }.items()
    ),
    table_5('Tuned queries transfer better than none', 'q', ('freeze',), TRANSFERS),
    table_5('They transfer better than values', 'q', ('v', 'qkv', 'clip'), TRANSFERS),
    table_5('Keys in their place, or beside them, are no better', 'q', ('k', 'qk'), TRANSFERS, -1),
    *(
        Claim(
            f'One checkpoint is better than frozen CLIP in {task}',
            'MasQCLIP, table 5 and section 5',
            metric,
            'q',
            ('freeze',),
        )
        for task, metric in (('labels', 'mIoU'), ('instances', 'AP50'), ('segments', 'PQ'))
    ),
]
SUITE = Suite(
    'masqclip',
    'MasQCLIP (ICCV 2023)',
    RUNS,
    CLAIMS,
    quick_steps=10,
    # random proposals: no stage is trained before
    quick_options={'model.generator.checkpoint': None, 'test_dataloader.dataset.length': 20},
    about=ABOUT,
)
