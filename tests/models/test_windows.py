"""Windows are added as they come; what is no window, and what is no number, is named."""

import weakref

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.windows import mean_over_windows, window_starts
from mmseg_zsclip.registry import MODELS


def all_at_once(img, crop, stride, score):
    height, width = img.shape[2:]
    high, wide = min(crop[0], height), min(crop[1], width)
    corners = [
        (y, x)
        for y in window_starts(height, high, stride[0])
        for x in window_starts(width, wide, stride[1])
    ]
    scores = score(torch.cat([img[:, :, y : y + high, x : x + wide] for y, x in corners]))
    total = scores.new_zeros(len(img), scores.shape[1], height, width)
    count = scores.new_zeros(height, width)
    for (y, x), part in zip(corners, scores.split(len(img)), strict=True):
        total[:, :, y : y + high, x : x + wide] += part
        count[y : y + high, x : x + wide] += 1
    return total / count


@pytest.mark.parametrize('batch', [None, 1, 3])
@pytest.mark.parametrize('size', [(40, 61), (16, 90), (9, 7)])
def test_windows_added_one_by_one_have_the_mean_of_all_at_once(size, batch):
    torch.manual_seed(0)
    img = torch.randn(2, 3, *size)
    args = (img, (16, 24), (11, 24), lambda x: torch.cat([x, x * x], dim=1))
    assert torch.equal(mean_over_windows(*args, batch), all_at_once(*args))


def test_scores_of_earlier_windows_are_let_go():
    alive = []

    def score(part):
        out = part * 2
        assert not any(ref() is not None for ref in alive)
        alive.append(weakref.ref(out))
        return out

    mean_over_windows(torch.zeros(1, 3, 40, 40), (16, 16), (8, 8), score, 2)
    assert len(alive) == 8


def segmentor(**test_cfg):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
            decode_head=dict(
                type='mmseg_zsclip.MaskCLIPHead',
                classes=['sky', 'road'],
                text=dict(arch='ViT-XS-8'),
            ),
            test_cfg=ConfigDict(test_cfg),
        )
    )
    model.init_weights()
    return model.eval()


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(crop_size=None), 'test_cfg.crop_size is missing'),
        (dict(stride=None), 'test_cfg.stride is missing'),
        (dict(stride=(0, 8)), r'test_cfg.stride is \(0, 8\)'),
        (dict(stride=(-4, 8)), r'test_cfg.stride is \(-4, 8\)'),
        (dict(crop_size=(16.5, 16)), r'test_cfg.crop_size is \(16.5, 16\)'),
        (dict(crop_size=16), 'test_cfg.crop_size is 16'),
        (dict(stride=(17, 8)), r'stride \(17, 8\) is larger than crop_size \(16, 16\)'),
        (dict(window_batch=0), 'test_cfg.window_batch is 0'),
        (dict(mode='slides'), "test_cfg.mode is 'slides'"),
    ],
)
def test_windows_that_are_not_legal_are_named_when_the_model_is_built(changed, message):
    cfg = {
        key: value
        for key, value in {
            **dict(mode='slide', crop_size=(16, 16), stride=(8, 8)),
            **changed,
        }.items()
        if value is not None
    }
    with pytest.raises(ValueError, match=message):
        segmentor(**cfg)


@pytest.mark.parametrize(
    'cfg',
    [
        dict(mode='whole'),
        dict(mode='slide', crop_size=(16, 16), stride=(8, 8), window_batch=3),
        dict(mode='whole', keep_scores=False),
    ],
)
@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_an_image_that_holds_nan_or_infinity_is_named(cfg, value):
    model = segmentor(**cfg)
    img = torch.randn(2, 3, 24, 24)
    shape = dict.fromkeys(('img_shape', 'ori_shape'), (24, 24))
    samples = [SegDataSample(metainfo=dict(shape, img_path=name)) for name in ('a.png', 'b.png')]
    with torch.no_grad():
        model(img, samples, mode='predict')
        img[1, 0, 3, 20] = value
        with pytest.raises(ValueError, match='^b.png: the image that the model gets holds NaN'):
            model(img, samples, mode='predict')
        model.backbone.visual.proj.fill_(torch.nan)
        with pytest.raises(ValueError, match='a.png: the image is finite, but the model makes NaN'):
            model(img[:1].clone(), samples[:1], mode='predict')
