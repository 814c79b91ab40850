import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_zsclip.datasets import ADE847Dataset, LoadLabels
from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.vocabulary.labels import UNLABELLED

AUGMENTATIONS = [
    dict(type='RandomResize', scale=(64, 48), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(24, 24), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]


def results(path, **extra):
    return dict(
        seg_map_path=str(path), reduce_zero_label=False, label_map=None, seg_fields=[], **extra
    )


@pytest.fixture
def large(tmp_path):
    """ADE20K-847 layout with one photo; labels 255, 300, 846 and ignored."""
    init_default_scope('mmseg')
    for part in ('images', 'annotations'):
        (tmp_path / part).mkdir()
    labels = np.array([[255, 300], [846, 65535]], np.uint16).repeat(24, 0).repeat(32, 1)
    write_label_file(labels, tmp_path / 'annotations' / 'a.png')
    Image.new('RGB', (64, 48), (90, 120, 60)).save(tmp_path / 'images' / 'a.jpg')

    def build(pipeline):
        return ADE847Dataset(
            data_root=str(tmp_path),
            pipeline=pipeline,
            data_prefix=dict(img_path='images', seg_map_path='annotations'),
        )

    return build


def test_label_300_survives_load_metric_and_saved_prediction(large, tmp_path):
    load = dict(type='mmseg_zsclip.LoadLabels', classes='ade847')
    dataset = large([dict(type='LoadImageFromFile'), load, dict(type='PackSegInputs')])
    sample = dataset[0]['data_samples']
    label = sample.gt_sem_seg.data
    assert label.unique().tolist() == [255, 300, 846, 65535]
    metric = ZeroShotIoUMetric(unseen='ade847', output_dir=str(tmp_path / 'out'))
    metric.dataset_meta = dataset.metainfo
    sample.pred_sem_seg = sample.gt_sem_seg.clone()
    sample.pred_sem_seg.data = torch.where(label == 65535, 300, label)
    metric.process({}, [sample.to_dict()])
    out = metric.evaluate(1)
    assert out['mIoU'] == out['mIoU(S)'] == out['mIoU(U)'] == 100
    again = LoadLabels('ade847').transform(results(tmp_path / 'out' / 'a.png'))['gt_seg_map']
    assert np.unique(again).tolist() == [255, 300, 846]
    assert (again == sample.pred_sem_seg.data.numpy()[0]).all()


def test_mmsegs_augmentations_neither_blend_nor_wrap_large_labels(large):
    dataset = large(
        [
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes='ade847'),
            *AUGMENTATIONS,
        ]
    )
    seen = set()
    for _ in range(20):
        seen |= set(dataset[0]['data_samples'].gt_sem_seg.data.unique().tolist())
    assert seen == {255, 300, 846, 65535}


def test_unlabelled_survives_augmentation_and_padding_is_neither(large):
    """Users' 8: padding must give no loss and no pseudo-label."""
    from mmseg.models import SegDataPreProcessor

    dataset = large(
        [
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes='ade847'),
            dict(
                type='mmseg_zsclip.HideUnseen',
                classes='ade847',
                unseen=['adding machine'],
                mode='transductive',
            ),
            *AUGMENTATIONS,
        ]
    )
    data = [dataset[0] for _ in range(8)]
    before = [d['data_samples'].gt_sem_seg.data[0].clone() for d in data]
    assert any((labels == UNLABELLED).any() for labels in before)
    batch = SegDataPreProcessor(size=(40, 40), seg_pad_val=65535)(
        dict(inputs=[d['inputs'] for d in data], data_samples=[d['data_samples'] for d in data]),
        training=True,
    )
    for sample, labels in zip(batch['data_samples'], before, strict=True):
        padded = torch.full((40, 40), 65535)
        padded[: labels.shape[0], : labels.shape[1]] = labels
        assert (sample.gt_sem_seg.data[0] == padded).all()
        assert 846 not in padded


def test_zero_label_comes_from_the_data_set(tmp_path):
    write_label_file(np.array([[0, 20, 255]], np.uint8), tmp_path / 'a.png')
    given = results(tmp_path / 'a.png') | dict(reduce_zero_label=True)
    out = LoadLabels('voc20').transform(given)
    assert out['gt_seg_map'].tolist() == [[255, 19, 255]]
    assert out['seg_fields'] == ['gt_seg_map']
    forced = LoadLabels('voc21', reduce_zero_label=False).transform(dict(given))
    assert forced['gt_seg_map'].tolist() == [[0, 20, 255]]


def test_wrong_values_name_the_file(tmp_path):
    write_label_file(np.array([[11]], np.uint8), tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r'a\.png holds 11; legal: 0 to 10'):
        LoadLabels('camvid').transform(results(tmp_path / 'a.png'))


@pytest.mark.parametrize('shape', [(48, 128), (96, 128), (32, 64), (47, 64), (64, 48)])
def test_a_label_map_of_another_size_is_an_error(tmp_path, shape):
    """RandomResize and RandomCrop would train on, with most labels on the wrong pixels."""
    write_label_file(np.zeros(shape, np.uint8), tmp_path / 'a.png')
    given = results(tmp_path / 'a.png', img_path='a.jpg', ori_shape=(48, 64))
    sizes = rf'a\.png has {shape[1]} x {shape[0]} pixels, its photo a\.jpg 64 x 48'
    with pytest.raises(ValueError, match=sizes) as error:
        LoadLabels('camvid').transform(given)
    assert ('EXIF' in str(error.value)) == (shape == (64, 48))


def test_labels_loaded_behind_resize_are_compared_with_the_photo_as_it_was_read(tmp_path):
    write_label_file(np.zeros((48, 64), np.uint8), tmp_path / 'a.png')
    given = results(tmp_path / 'a.png', ori_shape=(48, 64), img_shape=(96, 128))
    assert LoadLabels('camvid').transform(given)['gt_seg_map'].shape == (48, 64)


def test_a_photo_without_a_label_path_passes_so_that_mmsegs_inference_works():
    given = dict(img_path='a.jpg', ori_shape=(48, 64))
    assert LoadLabels('camvid').transform(dict(given)) == given
