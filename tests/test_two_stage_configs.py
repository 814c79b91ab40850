"""Every config of MAFT and MasQCLIP on real data, made small: it trains a step and predicts."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.apis.bench_sets import GROUPS, SETS, config_for, published
from mmseg_zsclip.apis.configs import config_root, find_config
from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.datasets.pipelines import config_pipelines
from mmseg_zsclip.datasets.transforms.load_instances import INSTANCES
from mmseg_zsclip.models.sam_proposals import SAMProposals
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.labels import OFFSET
from mmseg_zsclip.vocabulary.lists import load_classes

PATHS = [
    path
    for method in ('maft', 'masqclip')
    for path in sorted((config_root() / method).glob('*.py'))
    if 'toy' not in path.stem
]
NAMES = ['sky', 'road', 'tree', 'car', 'dog']
MANY = [*NAMES, *(f'thing {i}' for i in range(255))]  # so many that 255 is a class
SMALLER = dict(
    embed_dims=16,
    num_feats=8,
    feat_channels=16,
    out_channels=16,
    feedforward_channels=16,
    num_layers=1,
    num_heads=2,
    num_queries=6,
    num_groups=4,
    clip_size=48,
    start_block=2,
    fc_out_channels=16,
    conv_out_channels=16,
    num_points=64,
    points=64,
)
CLIPS = dict(RN50=dict(arch='RN-T', weights='toy'))
TOY = dict(arch='ViT-T-8', weights='toy')


def shrink(node):
    """In place, every dict of a model's config."""
    if isinstance(node, list | tuple):
        for child in node:
            shrink(child)
    if not isinstance(node, dict):
        return
    for child in node.values():
        shrink(child)
    node.update({key: value for key, value in SMALLER.items() if node.get(key) is not None})
    if 'depth' in node:
        node.update(depth=18, base_channels=8, init_cfg=None)
        if node['type'] == 'mmseg.ResNetV1c':
            node.update(stem_channels=8)
    if 'in_channels' in node:
        several = isinstance(node['in_channels'], list)
        node.update(in_channels=[8, 16, 32, 64] if several else 16)
    if 'arch' in node:
        node.update(CLIPS.get(node['arch'], TOY))


def small(path: Path) -> Config:
    """The config with a model of a few channels, few classes and no file to read."""
    config = Config.fromfile(path)
    model, unseen = config.model, config.model.unseen
    shrink(model)
    names = MANY if 'seg_pad_val' in model.data_preprocessor else NAMES
    model.update(classes=names, unseen='none' if unseen == 'none' else ['car', 'dog'])
    if 'things' in model:
        model.things = ['car', 'dog']
    if 'size' in model.data_preprocessor:
        model.data_preprocessor.size = (64, 96)
    generator = model.generator
    generator.pop('checkpoint', None)
    for part in ('text', 'interaction'):
        if part in generator:
            generator[part].update(dim=16, text_dim=get_arch(model.text.arch).embed_dim)
    if 'interaction' in generator:
        generator.interaction.update(inner=8, heads=2)
    return config


@pytest.fixture
def build():
    init_default_scope('mmseg')

    def make(config):
        torch.manual_seed(0)
        model = MODELS.build(config.model)
        model.init_weights()
        return model

    return make


def batch(config, unseen=False):
    """Two photos as the data loader hands them over; a quarter is of class 3, which is unseen."""
    labels = torch.zeros(1, 60, 80, dtype=torch.int64)
    labels[:, 30:], labels[:, :, 40:] = 1, 2
    labels[:, 30:, 40:] = 3 if unseen else config.model.data_preprocessor.get('seg_pad_val', 255)
    numbers = np.zeros((60, 80), np.int32)
    if INSTANCES in str(config.train_dataloader):
        numbers[30:, :40], numbers[40:, :20] = 1, 2
    samples = [
        SegDataSample(
            metainfo=dict(img_shape=(60, 80), ori_shape=(60, 80), **{INSTANCES: numbers}),
            gt_sem_seg=PixelData(data=labels.clone()),
        )
        for _ in range(2)
    ]
    photos = torch.randint(0, 256, (2, 3, 60, 80), generator=torch.Generator().manual_seed(0))
    return dict(inputs=list(photos.byte()), data_samples=samples)


def two_masks(photo, **options):
    """What SAM finds: the upper half and the lower one."""
    masks = np.zeros((2, photo.height, photo.width), bool)
    masks[0, : photo.height // 2], masks[1, photo.height // 2 :] = True, True
    return dict(masks=list(masks), scores=torch.tensor([0.9, 0.8]))


def test_configs_were_found():
    assert len(PATHS) > 35


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_it_trains_a_step_and_predicts(path, build, monkeypatch):
    monkeypatch.setattr(SAMProposals, 'loaded', lambda self, device: two_masks)
    config = small(path)
    model = build(config)
    if config.optim_wrapper is not None:
        before = {name: value.clone() for name, value in model.named_parameters()}
        trained = {name for name, value in model.named_parameters() if value.requires_grad}
        losses = model.train().train_step(
            batch(config), build_optim_wrapper(model, config.optim_wrapper)
        )
        assert all(value.isfinite() for name, value in losses.items() if 'loss' in name)
        moved = {
            name
            for name, value in model.named_parameters()
            if not torch.equal(value.detach(), before[name])
        }
        assert moved
        assert moved <= trained
    tasks = (config.model.get('test_cfg') or {}).get('tasks', ['semantic'])
    classes = len(config.model.classes)
    for sample in model.eval().test_step(batch(config, unseen=True)):
        if 'semantic' in tasks:
            assert sample.pred_sem_seg.data.shape == (1, 60, 80)
            assert sample.pred_sem_seg.data.max() < classes
        if 'panoptic' in tasks:
            ids = sample.pred_panoptic_seg.sem_seg
            assert ids.shape == (1, 60, 80)
            assert (ids % OFFSET).max() <= classes
        if 'instance' in tasks:
            assert sample.pred_instances.masks.shape[1:] == (60, 80)
            assert len(sample.pred_instances)


@pytest.mark.parametrize(
    ('name', 'pipeline', 'crop'),
    [('coco_stuff_maft', 'train_640', 640), ('voc_maft', 'train_512', 512)],
)
def test_photos_are_as_freesegs(name, pipeline, crop):
    """In training a short edge of 0.5 to 1.5 crops, in tests of 640; labels follow."""
    config = Config.fromfile(find_config(name))
    for one in config_pipelines(config.train_dataloader.dataset):
        assert one == config[pipeline]
    init_default_scope('mmseg')
    training, testing = (
        Compose([one for one in config[key] if not re.search('Load|Hide', one.type)])
        for key in (pipeline, 'test_640')
    )
    photo = dict(img=np.zeros((375, 500, 3), np.uint8), ori_shape=(375, 500), seg_fields=[])
    labels = dict(gt_seg_map=np.zeros((375, 500), np.int32), seg_fields=['gt_seg_map'])
    shapes = set()
    for _ in range(20):
        out = training({**photo, **labels})
        shapes.add(out['inputs'].shape[1:])
        assert out['data_samples'].gt_sem_seg.shape == out['inputs'].shape[1:]
    assert len(shapes) > 1
    assert max(map(max, shapes)) == crop
    assert min(map(min, shapes)) in [int(crop * tenths / 10) for tenths in range(5, 11)]
    assert testing(photo)['inputs'].shape[1:] == (640, 853)


@pytest.mark.parametrize(
    ('name', 'shapes'),
    [
        ('coco_base_masq', None),
        ('coco_panoptic_masq', {(1024, 1024)}),
        ('coco_panoptic_rcnn_masq', {(800, 1067)}),
    ],
)
def test_things_follow_photos_as_masqclip_has_them(name, shapes):
    """One thing, a quarter of a photo: it is as large and lies where its pixels do."""
    np.random.seed(0)
    config = Config.fromfile(find_config(name))
    init_default_scope('mmseg')
    pipeline = Compose(
        [
            one
            for one in config.train_dataloader.dataset.pipeline
            if not re.search('Load|Hide', one.type)
        ]
    )
    photo, numbers = np.zeros((375, 500, 3), np.uint8), np.zeros((375, 500), np.int32)
    photo[:187, :250], numbers[:187, :250] = 255, 1
    seen = set()
    for _ in range(12):
        out = pipeline(
            {
                'img': photo,
                'ori_shape': photo.shape[:2],
                'gt_seg_map': numbers.copy(),
                INSTANCES: numbers,
                'seg_fields': ['gt_seg_map', INSTANCES],
            }
        )
        there = out['data_samples'].metainfo[INSTANCES]
        assert there.shape == out['inputs'].shape[1:]
        assert ((out['inputs'][0].numpy() > 127) == (there == 1)).mean() > 0.98
        seen.add(there.shape)
    if shapes is None:  # 0.1 to 2 times the photo, at most a crop
        assert len(seen) > 6
        assert 75 < min(map(min, seen)) < max(map(max, seen)) <= 1024
    else:
        assert seen == shapes


def test_clip_that_maft_tuned_classifies_masks_of_sam(build):
    tuned, sam = (build(small(find_config(f'coco_stuff_{one}'))) for one in ('maft', 'sam'))
    wanted, there = sam.state_dict(), tuned.state_dict()
    assert wanted
    assert {name: value.shape for name, value in wanted.items()} == {
        name: there[name].shape for name in wanted if name in there
    }


@pytest.mark.parametrize('config', ['coco_stuff_all_proposals', 'coco_stuff_all_maft'])
@pytest.mark.parametrize('name', GROUPS['open-vocabulary'])
def test_zsclip_bench_tests_it_on_other_words(config, name):
    cfg = config_for(Config.fromfile(find_config(config)), name)
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    (hook,) = (one for one in cfg.custom_hooks if one.type.endswith('SetClassesHook'))
    assert len(load_classes(hook.classes)) == int(SETS[name][1].split('-')[1])
    assert published(config, name, None) > 5
