"""Every data set on a folder of two photos, and on the real samples where they are at hand."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_zsclip import datasets
from mmseg_zsclip.datasets.base import SegDataset, distinct_colours
from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary.lists import canonical, load_classes

# class: (class list, the files' value of class 0, ending of photos, ending of label maps)
ALL = {
    'VOC20Dataset': ('voc20', 1, '.jpg', '.png'),
    'VOC21Dataset': ('voc21', 0, '.jpg', '.png'),
    'Context59Dataset': ('context59', 1, '.jpg', '.png'),
    'Context60Dataset': ('context60', 0, '.jpg', '.png'),
    'Context459Dataset': ('pc459', 0, '.jpg', '.png'),
    'COCOStuff164kDataset': ('coco_stuff171', 0, '.jpg', '_labelTrainIds.png'),
    'COCOObjectDataset': ('coco_object', 0, '.jpg', '_instanceTrainIds.png'),
    'ADE150Dataset': ('ade150', 1, '.jpg', '.png'),
    'ADEPanopticDataset': ('ade150_words', 0, '.jpg', '.png'),
    'COCO65Dataset': ('coco65', 0, '.jpg', '.png'),
    'COCOPanopticDataset': ('coco_panoptic133', 0, '.jpg', '.png'),
    'ADE847Dataset': ('ade847', 0, '.jpg', '.png'),
    'CityscapesDataset': ('cityscapes', 0, '_leftImg8bit.png', '_gtFine_labelTrainIds.png'),
    'CamVidDataset': ('camvid', 0, '.jpg', '.png'),
}
PREFIX = dict(img_path='img', seg_map_path='ann')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


@pytest.fixture
def folder(tmp_path):
    def make(stems, img_suffix='.jpg', seg_map_suffix='.png', labels=((0, 1), (2, 3))):
        for part in ('img', 'ann'):
            (tmp_path / part).mkdir()
        for stem in stems:
            Image.new('RGB', (2, 2)).save(tmp_path / 'img' / f'{stem}{img_suffix}')
            target = tmp_path / 'ann' / f'{stem}{seg_map_suffix}'
            write_label_file(np.array(labels, np.uint8), target)
        return str(tmp_path)

    return make


def test_every_data_set_is_in_the_table():
    joined = {'JoinedDataset'}  # of others: test_facts.py
    assert {n for n in datasets.__all__ if n.endswith('Dataset')} == set(ALL) | joined


@pytest.mark.parametrize('name', ALL)
def test_data_set(name, folder):
    source, zero, img_suffix, seg_map_suffix = ALL[name]
    root = folder(
        ['b', 'a'],
        img_suffix,
        seg_map_suffix,
        [[zero, zero + 1], [255, zero]] if len(load_classes(source)) < 255 else [[0, 1], [2, 0]],
    )
    dataset = DATASETS.build(
        dict(
            type=f'mmseg_zsclip.{name}',
            data_root=root,
            data_prefix=PREFIX,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg_zsclip.LoadLabels', classes=source),
                dict(type='PackSegInputs'),
            ],
        )
    )
    assert len(dataset) == 2
    names = dataset.metainfo['classes']
    assert list(names) == [canonical(c) for c in load_classes(source)]
    assert len(dataset.metainfo['palette']) == len(names)
    labels = dataset[0]['data_samples'].gt_sem_seg.data[0]
    assert labels[0].tolist() == [0, 1]
    assert dataset[0]['data_samples'].img_path.endswith(f'a{img_suffix}')


def test_generated_colours_are_vocs_and_differ():
    assert distinct_colours(20) == datasets.VOC20Dataset.METAINFO['palette']
    assert len({tuple(c) for c in distinct_colours(847)}) == 847


def test_a_missing_folder_says_how_to_set_it(tmp_path):
    with pytest.raises(FileNotFoundError, match='the image folder .*img.* does not exist'):
        datasets.CamVidDataset(data_root=str(tmp_path), data_prefix=PREFIX)


def test_an_empty_folder_does_not_train_on_nothing(folder):
    with pytest.raises(ValueError, match="CamVidDataset: no image ending in '.jpg'"):
        datasets.CamVidDataset(data_root=folder([]), data_prefix=PREFIX)


def test_a_missing_list_names_the_converter(folder):
    with pytest.raises(FileNotFoundError, match='list of image names .*aug.txt.* does not exist'):
        datasets.VOC20Dataset(data_root=folder(['a']), data_prefix=PREFIX, ann_file='aug.txt')


def test_own_classes_of_a_large_set_are_refused(folder):
    with pytest.raises(ValueError, match='cannot map its 847 classes to 2 others'):
        datasets.ADE847Dataset(
            data_root=folder(['a']), data_prefix=PREFIX, metainfo=dict(classes=('wall', 'sky'))
        )


def test_own_data_set_by_classes_alone(folder):
    """Users' 18: any folder, classes in the config."""
    dataset = DATASETS.build(
        dict(
            type='mmseg_zsclip.SegDataset',
            data_root=folder(['a']),
            data_prefix=PREFIX,
            metainfo=dict(classes=['w', 'x', 'y', 'z']),
            pipeline=[dict(type='mmseg_zsclip.LoadLabels', classes=['w', 'x', 'y', 'z'])],
        )
    )
    assert dataset[0]['gt_seg_map'].tolist() == [[0, 1], [2, 3]]
    assert isinstance(dataset, SegDataset)
    assert dataset.metainfo['palette'] == distinct_colours(4)  # as `zsclip segment` draws them


def test_drives(folder):
    root = folder(['0001TP_1', '0016E5_1', '0016E5_2'])
    dataset = datasets.CamVidDataset(data_root=root, data_prefix=PREFIX, drives=('0016E5',))
    assert len(dataset) == 2
    with pytest.raises(ValueError, match='no photo of drive 0006R0. Drives in .*: 0001TP, 0016E5'):
        datasets.CamVidDataset(data_root=root, data_prefix=PREFIX, drives=('0016E5', '0006R0'))


def load(dataset, source):
    dataset.pipeline.transforms = []
    loader = datasets.LoadLabels(source)
    return [np.unique(loader.transform(dataset[i])['gt_seg_map']) for i in range(len(dataset))]


def test_real_voc_sample(shared):
    prefix = dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
    root = str(shared / 'data' / 'voc_sample')
    with_background = load(datasets.VOC21Dataset(data_root=root, data_prefix=prefix), 'voc21')
    without = load(datasets.VOC20Dataset(data_root=root, data_prefix=prefix), 'voc20')
    for a, b in zip(with_background, without, strict=True):
        assert 0 in a
        assert (b == np.unique(np.where(np.isin(a, (0, 255)), 255, a - 1))).all()
        assert set(b) - {255}


def test_real_ade20k_sample(shared):
    dataset = datasets.ADE150Dataset(
        data_root=str(shared / 'data' / 'ade20k_sample'),
        data_prefix=dict(img_path='images', seg_map_path='annotations'),
    )
    values = load(dataset, 'ade150')
    assert len(values) == 3
    assert all(v[v != 255].max() < 150 and len(v) > 3 for v in values)


def test_real_camvid(shared):
    root = str(shared / 'data' / 'camvid')
    counts = {}
    for drives in (None, ('0001TP', '0016E5'), ('0006R0',)):
        counts[drives] = len(
            datasets.CamVidDataset(
                data_root=root,
                drives=drives,
                data_prefix=dict(img_path='images/train', seg_map_path='annotations/train'),
            )
        )
    assert list(counts.values()) == [367, 266, 101]
    val = datasets.CamVidDataset(
        data_root=root,
        indices=5,
        data_prefix=dict(img_path='images/val', seg_map_path='annotations/val'),
    )
    assert set(np.concatenate(load(val, 'camvid'))) >= set(range(9))
