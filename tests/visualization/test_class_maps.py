"""Pictures of every class's scores."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_zsclip.visualization.class_maps import SIDE, TITLE, ClassMapsHook, heat, shrink
from mmseg_zsclip.visualization.overlays import Shown

CLASSES, PALETTE = ['sky', 'dog', 'car'], [[0, 0, 9], [9, 0, 0], [0, 9, 0]]


def sample(folder, scores=True):
    path = folder / 'photo.png'
    Image.fromarray(np.full((12, 16, 3), 200, np.uint8)).save(path)
    logits = torch.zeros(3, 12, 16)
    logits[1, :, :8] = 0.9
    out = SegDataSample(metainfo=dict(img_path=str(path)))
    out.gt_sem_seg = PixelData(data=torch.full((1, 12, 16), 255).index_fill(2, torch.arange(8), 1))
    out.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
    if scores:
        out.seg_logits = PixelData(data=logits)
    return out


def test_image_truth_prediction_and_the_classes_in_either(tmp_path):
    picture = ClassMapsHook(tmp_path).picture(sample(tmp_path), Shown(CLASSES, PALETTE, {'dog'}))
    assert picture.size == (4 * SIDE, 2 * (SIDE * 12 // 16 + TITLE))  # 3 maps, then dog and sky
    dog = np.asarray(picture)[TITLE + 20, 3 * SIDE :]
    assert dog[20].sum() > dog[SIDE - 20].sum()  # bright where its scores are high


def test_the_limit_keeps_the_largest(tmp_path):
    picture = ClassMapsHook(tmp_path, limit=1).picture(
        sample(tmp_path), Shown(CLASSES, PALETTE, ())
    )
    assert picture.size == (4 * SIDE, SIDE * 12 // 16 + TITLE)


def test_labels_alone_have_no_scores(tmp_path):
    with pytest.raises(ValueError, match='test_cfg.keep_scores is False. Remove it'):
        ClassMapsHook(tmp_path).picture(sample(tmp_path, scores=False), Shown(CLASSES, PALETTE, ()))


def test_heat_has_one_scale():
    grey = np.full((1, 3, 3), 100, np.uint8)
    low, middle, high = heat(grey, np.array([[0.0, 0.5, 9.0]]), 0.0, 1.0)[0].sum(-1, dtype=int)
    assert low < middle < high
    assert (heat(grey, np.zeros((1, 3)), 0.0, 0.0) == heat(grey, np.zeros((1, 3)), 0.0, 1.0)).all()


def test_shrink_never_enlarges():
    assert shrink(np.zeros((40, 20, 3), np.uint8), 10).shape == (10, 5, 3)
    assert shrink(np.zeros((4, 2), np.int64), 10).shape == (4, 2)
