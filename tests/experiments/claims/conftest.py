"""Made-up results, and a suite that trains a tiny model for two steps."""

import numpy as np
import pytest

from mmseg_zsclip.evaluation.areas import ImageAreas
from mmseg_zsclip.experiments.claims.jobs import Job
from mmseg_zsclip.experiments.claims.judge import Measured, judge
from mmseg_zsclip.experiments.claims.measure import SuiteResults
from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite, load_suite

CLASSES = ('sky', 'road', 'car')

SUITE = """
from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

CONFIG, FREE = {config!r}, {free!r}
SUITE = Suite(
    name='tiny', title='A tiny suite',
    runs=[
        Run('untrained', FREE),
        Run('trained', CONFIG, trains=True),
        Run('short', CONFIG, trains=True, steps=1, options={{'model.decode_head.query': 't'}}),
        Run('mixed', CONFIG, trains=True, amp=True),
        Run('no_offset', CONFIG, trains=True, options={{'model.decode_head.seen_offset': 0.0}}),
        Run('nowhere', 'no_such_config'),
    ],
    claims=[
        Claim('training helps', 'table 1', 'mIoU', 'trained', ['untrained'],
              paper=dict(trained=20, untrained=10)),
        Claim('so does a config that is not there', 'table 2', 'mIoU', 'nowhere', ['untrained']),
    ],
    quick_steps=1, quick_options={{
        'test_dataloader.dataset.indices': 2, 'train_dataloader.dataset.indices': 3}})
"""
CONFIG = """
default_scope = 'mmseg'
custom_imports = dict(imports=['mmseg_zsclip'])
classes = ['sky', 'road', 'tree', 'car']
load = [dict(type='LoadImageFromFile'), dict(type='mmseg_zsclip.LoadLabels', classes=classes)]
pack = [dict(type='PackSegInputs')]
hide = [dict(type='mmseg_zsclip.HideUnseen', classes=classes, unseen=['tree']),
        dict(type='RandomCrop', crop_size=(48, 48))]
dataset = dict(
    type='BaseSegDataset', data_root={photos!r}, img_suffix='.png', seg_map_suffix='.png',
    metainfo=dict(classes=classes, palette=[[9 * i, 0, 0] for i in range(4)]),
    data_prefix=dict(img_path='img', seg_map_path='ann'))
train_dataloader = dict(
    batch_size=2, num_workers=1, persistent_workers=True, prefetch_factor=2,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(dataset, pipeline=load + hide + pack))
val_dataloader = test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, pipeline=load + pack))
val_evaluator = test_evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=['tree'])
model = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size=(48, 48)),
    backbone=dict(
        type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2, weights=None),
    decode_head=dict(
        type='mmseg_zsclip.ZegCLIPHead', classes=classes, unseen=['tree'],
        text=dict(arch='ViT-XS-8')),
    test_cfg=dict(mode='whole'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, begin=0, end=2)]
default_hooks = dict()
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
"""
FREE = """
_base_ = ['tiny_config.py']
classes = {{_base_.classes}}
model = dict(
    backbone=dict(_delete_=True, type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
    decode_head=dict(
        _delete_=True, type='mmseg_zsclip.MaskCLIPHead', classes=classes,
        text=dict(arch='ViT-XS-8')))
train_dataloader = train_cfg = optim_wrapper = param_scheduler = None
"""


@pytest.fixture
def suite_file(tmp_path, photo_folder):
    """A suite as a file of one's own, and the configs that its runs name, beside it."""
    config = tmp_path / 'tiny_config.py'
    config.write_text(CONFIG.format(photos=str(photo_folder)))
    free = tmp_path / 'tiny_free.py'
    free.write_text(FREE)
    suite = tmp_path / 'tiny.py'
    suite.write_text(SUITE.format(config=str(config), free=str(free)))
    return suite


def areas(right_share, images=40, wobble=0.0, seed=0):
    """Three classes of 100 pixels in every image, this share of each right; the wrong ones go to
    the next class. `wobble` is the spread of the share from image to image."""
    rng = np.random.default_rng(seed)
    out = np.empty((images, 3, 3), dtype=np.int64)
    for image in out:
        share = np.clip(right_share + wobble * rng.standard_normal(), 0, 1)
        image[0] = round(100 * share)
        image[1:] = 100
    return ImageAreas(out, CLASSES, (2,))


@pytest.fixture
def run_of():
    """run_of([0.5, 0.6]) -> a trained run of two seeds; run_of(0.5) -> one without training."""

    def make(shares, **kwargs):
        if isinstance(shares, list):
            return Measured({i: [areas(share, **kwargs)] for i, share in enumerate(shares)}, True)
        return Measured({0: [areas(shares, **kwargs)]}, False)

    return make


def result(kept, seed, weights='toy'):
    return dict(
        kept=kept,
        metrics=kept[0].scores,
        seed=seed,
        steps=100,
        trained=True,
        checkpoints=[
            dict(
                weights=weights,
                arch='ViT-T-8',
                file='x.pt',
                sha256='ab' * 32,
                trained_by='the contrastive loss alone',
            )
        ],
    )


@pytest.fixture
def measured(run_of):
    runs = dict(good=run_of([0.8, 0.82]), poor=run_of([0.5, 0.5]))
    suite = Suite(
        's',
        'Method (2026)',
        [
            Run(
                'good',
                'toy_x',
                {'model.decode_head.query': ['|t-g|', 't']},
                trains=True,
                says='query |t-g|, a good one',
            ),
            Run('poor', 'toy_x', trains=True),
            Run('lost', 'toy_x'),
        ],
        [
            Claim(
                'good is better',
                'table 1',
                'mIoU',
                'good',
                ['poor'],
                factor=1.5,
                paper=dict(good=21.7, poor=9),
            ),
            Claim('poor is better', 'table 2', 'mIoU', 'poor', ['good'], note='It is not.'),
            Claim('lost is better', 'table 3', 'mIoU', 'lost', ['good'], note='It is not.'),
        ],
        about='What a *reader* should know.',
    )
    results = {
        name: {seed: result(kept, seed) for seed, kept in run.kept.items()}
        for name, run in runs.items()
    }
    measured = {
        name: Measured({s: r['kept'] for s, r in seeds.items()}, True)
        for name, seeds in results.items()
    }
    return SuiteResults(
        suite,
        results,
        [judge(claim, measured) for claim in suite.claims],
        dict(lost='ended with code 1; lost.log:\nValueError: no weights'),
        ['poor, seed 0', 'poor, seed 1', 'good, seed 0'],
    )


def job(suite_file, name, out, seed=0, quick=False):
    suite = load_suite(str(suite_file))
    return Job(suite, str(suite_file), suite.run(name), seed, quick, out)
