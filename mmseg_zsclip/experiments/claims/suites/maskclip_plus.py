"""MaskCLIP+, tables 1 and 3: what MaskCLIP's labels, and then the model's own, add."""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

ABOUT = """The paper's numbers are of PASCAL Context (table 1, ViT-B/16) and of PASCAL VOC (table
3). All are tested through the same sliding windows, as large as the crops that MaskCLIP labels and
MaskCLIP+ learns from."""
WINDOWS = {
    'model.test_cfg.mode': 'slide',
    'model.test_cfg.crop_size': [64, 64],
    'model.test_cfg.stride': [32, 32],
    'model.test_cfg.window_batch': 9,
}
STRICT = dict(type='mmseg_zsclip.StrictLoadHook')


def trained(name: str, says: str, config: str, options: dict | None = None) -> Run:
    return Run(name, config, options or {}, trains=True, says=says)


RUNS = [
    Run('maskclip', 'toy_maskclip', WINDOWS, weights='toy', says='MaskCLIP, the teacher'),
    trained(
        'annotation_free', 'no label at all: the teacher labels every pixel', 'toy_maskclip_plus'
    ),
    trained(
        'adapted',
        'labels of the seen classes alone, no pseudo-labels',
        'toy_maskclip_plus_zs',
        {'model.teacher': None, 'custom_hooks': [STRICT]},
    ),
    trained(
        'guided',
        'labels of the seen classes, the teacher labels the other pixels',
        'toy_maskclip_plus_zs',
        {'custom_hooks': [STRICT]},
    ),
    trained(
        'self_trained',
        'guided for the first half, then the model labels those pixels itself',
        'toy_maskclip_plus_zs',
    ),
]
TABLE_3 = {  # mIoU(S), mIoU(U), mIoU, hIoU
    'adapted': (83.4, 3.7, 63.5, 7.0),
    'guided': (89.5, 72.8, 85.3, 80.3),
    'self_trained': (88.8, 86.1, 88.1, 87.4),
}
COLUMNS = ('mIoU(S)', 'mIoU(U)', 'mIoU', 'hIoU')


def table_3(says: str, metric: str, better: str, than: str, **kwargs) -> Claim:
    paper = {name: TABLE_3[name][COLUMNS.index(metric)] for name in (better, than)}
    return Claim(says, 'MaskCLIP, table 3', metric, better, (than,), paper=paper, **kwargs)


CLAIMS = [
    Claim(
        'MaskCLIP+ is better than its teacher, with no label at all',
        'MaskCLIP, table 1a',
        'mIoU',
        'annotation_free',
        ('maskclip',),
        paper=dict(annotation_free=31.1, maskclip=21.7),
    ),
    table_3('Without pseudo-labels the unseen classes are lost', 'mIoU(U)', 'guided', 'adapted'),
    table_3("MaskCLIP's labels raise hIoU", 'hIoU', 'guided', 'adapted'),
    table_3('Self-training raises the unseen classes further', 'mIoU(U)', 'self_trained', 'guided'),
    table_3('Self-training raises hIoU further', 'hIoU', 'self_trained', 'guided'),
    table_3(
        'Self-training costs seen classes 0.7 points at most',
        'mIoU(S)',
        'self_trained',
        'guided',
        margin=-0.75,
        note="the paper's loss is 0.7; the margin is its rounding.",
    ),
    table_3('Pseudo-labels do not harm the seen classes', 'mIoU(S)', 'guided', 'adapted'),
    Claim(
        'With the seen classes labelled, unseen classes are above the teacher too',
        'MaskCLIP, tables 2 and 3',
        'mIoU(U)',
        'self_trained',
        ('maskclip',),
    ),
]
SUITE = Suite(
    'maskclip_plus',
    'MaskCLIP+ (ECCV 2022)',
    RUNS,
    CLAIMS,
    quick_steps=200,
    quick_options={'test_dataloader.dataset.length': 100},
    about=ABOUT,
)
