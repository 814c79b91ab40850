"""Instance maps in a pipeline."""

import cv2
import numpy as np
import pytest
from mmseg.datasets.transforms import PackSegInputs, RandomFlip

from mmseg_zsclip.datasets.transforms.load_instances import LoadInstances
from mmseg_zsclip.toy.dataset import toy_path


def results(path, size=(128, 128)):
    return dict(instance_path=str(path), img_path='photo.png', ori_shape=size, seg_fields=[])


def test_the_toy_world_has_things_one_by_one():
    out = LoadInstances()(results(toy_path('toy', 128, 'instances', 'train', 3)))
    assert out['instance_map'].shape == (128, 128)
    assert out['instance_map'].dtype == np.int32
    assert len(np.unique(out['instance_map'])) > 1


def test_it_is_flipped_with_the_image_and_packed(tmp_path):
    numbers = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100
    cv2.imwrite(str(tmp_path / 'a.png'), numbers)
    out = LoadInstances()(results(tmp_path / 'a.png', (3, 4)))
    out['img'] = np.zeros((3, 4, 3), np.uint8)
    out = PackSegInputs(meta_keys=('instance_map',))(RandomFlip(prob=1.0)(out))
    assert np.array_equal(out['data_samples'].metainfo['instance_map'], numbers[:, ::-1])


def test_a_wrong_or_missing_instance_map_is_named(tmp_path):
    with pytest.raises(KeyError, match='needs `instance_path`'):
        LoadInstances()(dict(seg_map_path='a.png', seg_fields=[]))
    assert LoadInstances()(dict(seg_fields=[])) == dict(seg_fields=[])  # a photo without truth
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(ValueError, match=r'a\.png is no picture of one channel'):
        LoadInstances()(results(tmp_path / 'a.png'))
    cv2.imwrite(str(tmp_path / 'b.png'), np.zeros((3, 5), np.uint8))
    with pytest.raises(ValueError, match=r'b\.png'):
        LoadInstances()(results(tmp_path / 'b.png', (3, 4)))
