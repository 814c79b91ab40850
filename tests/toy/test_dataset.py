"""The toy world as a data set: what other data sets give, without a file."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine import fileio
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from torch import nn

from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.dataset import LENGTHS, ToyDataset, ToyTargetDataset, toy_path
from mmseg_zsclip.visualization.overlays import TITLE, OverlayHook
from mmseg_zsclip.vocabulary.labels import IGNORE
from mmseg_zsclip.vocabulary.lists import canonical, load_classes, load_unseen, split_indices

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def build(config, split, **kwargs):
    dataset = Config.fromfile(CONFIGS / config)[f'{split}_dataloader'].dataset
    return DATASETS.build(dataset | kwargs)


@pytest.mark.parametrize('data_set', [ToyDataset, ToyTargetDataset])
def test_sample_is_the_scene(data_set):
    dataset = data_set(
        'test',
        size=64,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes=data_set.WORLD),
        ],
    )
    assert len(dataset) == LENGTHS['test']
    assert list(dataset.metainfo['classes']) == World(data_set.WORLD).classes
    assert len({tuple(c) for c in dataset.metainfo['palette']}) == len(dataset.metainfo['classes'])
    sample, scene = dataset[5], World(data_set.WORLD, 64).scene('test', 5)
    assert (sample['img'] == scene.image[..., ::-1]).all()  # BGR, as of any photo
    assert (sample['gt_seg_map'] == scene.semantic).all()
    assert sample['gt_seg_map'].dtype == np.int32
    assert sample['ori_shape'] == (64, 64)
    assert sample['seg_fields'] == ['gt_seg_map']
    things = mmcv.imread(sample['instance_path'], flag='unchanged')
    assert (things == scene.instance).all()
    assert dataset.scene(5).things == scene.things


def test_splits_share_no_scene():
    pictures = [
        ToyDataset(split, size=32, length=3, pipeline=[dict(type='LoadImageFromFile')])
        for split in LENGTHS
    ]
    assert len({s['img'].tobytes() for dataset in pictures for s in dataset}) == 9


def test_training_pipeline_hides_unseen_classes():
    dataset = build('toy.py', 'train', length=24)
    unseen = split_indices(load_classes('toy'), load_unseen('toy'))[1]
    counts = np.zeros(256, int)
    for sample in dataset:
        assert sample['inputs'].shape == (3, 64, 64)
        labels = sample['data_samples'].gt_sem_seg.data
        counts += np.bincount(labels.flatten(), minlength=256)
    assert not counts[list(unseen)].any()
    assert counts[IGNORE]
    assert (counts[:20] > 0).sum() > 10


def test_workers_draw_the_same_scenes():
    dataset = build('toy.py', 'val', length=6)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=2, num_workers=2, collate_fn=pseudo_collate
    )
    samples = [image for batch in loader for image in batch['inputs']]
    for image, sample in zip(samples, dataset, strict=True):
        assert torch.equal(image, sample['inputs'])


@pytest.mark.parametrize('config', ['toy.py', 'toy_target.py'])
def test_truth_as_prediction_scores_100(config):
    dataset = build(config, 'test', length=12)
    metric = ZeroShotIoUMetric(unseen=Config.fromfile(CONFIGS / config).unseen)
    metric.dataset_meta = dataset.metainfo
    for sample in dataset:
        truth = sample['data_samples'].gt_sem_seg.data
        metric.process({}, [dict(pred_sem_seg=dict(data=truth), gt_sem_seg=dict(data=truth))])
    scores = metric.evaluate(len(dataset))
    assert scores['mIoU(S)'] == scores['mIoU(U)'] == scores['hIoU'] == 100


def test_test_pipeline_resizes_the_image_and_not_the_truth():
    resize = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(96, 96)),
        dict(type='mmseg_zsclip.LoadLabels', classes='toy'),
        dict(type='PackSegInputs'),
    ]
    sample = build('toy.py', 'test', length=1, pipeline=resize)[0]
    assert sample['inputs'].shape == (3, 96, 96)
    assert sample['data_samples'].gt_sem_seg.shape == (128, 128)
    assert sample['data_samples'].ori_shape == (128, 128)


def test_show_dir_works_although_there_is_no_file(tmp_path):
    """Users' 28: --show-dir."""
    dataset = build('toy.py', 'test', length=1)
    sample = dataset[0]['data_samples']
    sample.pred_sem_seg = PixelData(data=sample.gt_sem_seg.data)
    OverlayHook(tmp_path).after_test_iter(
        SimpleNamespace(model=nn.Identity(), test_dataloader=SimpleNamespace(dataset=dataset)),
        0,
        outputs=[sample],
    )
    overlay = mmcv.imread(tmp_path / 'test_000000.png', channel_order='rgb')
    scene = World('toy').scene('test', 0)
    colours = np.array(ToyDataset.METAINFO['palette'])[scene.semantic]
    expected = cv2.resize(
        0.4 * scene.image + 0.6 * colours, (320, 320), interpolation=cv2.INTER_NEAREST
    )
    for start in (328, 656):  # truth and prediction, right of the photo
        panel = overlay[TITLE : TITLE + 320, start : start + 320]
        assert np.median(np.abs(panel - expected)) < 3


def test_class_names_are_the_vocabularys():
    for data_set in (ToyDataset, ToyTargetDataset):
        names = [canonical(c) for c in load_classes(data_set.WORLD)]
        assert list(data_set.METAINFO['classes']) == names


def test_it_says_which_classes_are_things():
    data_set = ToyDataset('val', length=1)
    things = data_set.metainfo['things']
    assert {'car', 'boat', 'bird'} < set(things)
    assert not {'sky', 'grass', 'sea', 'road'} & set(things)
    assert ToyDataset('val', length=1, metainfo=dict(things=['car'])).metainfo['things'] == ['car']


def test_unknown_split_lists_the_legal_ones():
    with pytest.raises(ValueError, match="unknown split 'valid'; legal: train, val, test"):
        ToyDataset('valid')


def test_no_scene_is_an_error():
    with pytest.raises(ValueError, match='ToyTargetDataset: length 0 .* or None for 100'):
        ToyTargetDataset('val', length=0)


@pytest.mark.parametrize(
    'path',
    [
        'toy://toy/128/photos/val_000001.png',
        'toy://moon/128/images/val_000001.png',
        'toy://toy/9/images/val_000001.png',
        'toy://toy/128/images/holdout_000001.png',
    ],
)
def test_a_path_that_nothing_draws_says_which_are(path):
    with pytest.raises(FileNotFoundError, match=rf'{path}: .*toy://toy/128/images/val_000007.png'):
        fileio.get(path)


def test_no_path_is_text():
    with pytest.raises(ValueError, match='is a picture'):
        fileio.get_text(toy_path('toy', 32, 'images', 'val', 0))
