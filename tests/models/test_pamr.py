"""PAMR against a loop over pixels, what it does to maps, and its switch in the segmentor."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.clip.archs import CLIPArch
from mmseg_zsclip.models import pamr
from mmseg_zsclip.models.pamr import refine
from mmseg_zsclip.registry import MODELS

ARCH = CLIPArch('tiny', 16, 32, 3, 24, 8, 4, 16, 2, 1)
NAMES = ['sky', 'road', 'tree', 'car']


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def one_step(scores, image, dilations):
    """(C, H, W), (3, H, W) -> (C, H, W), pixel by pixel."""
    height, width = image.shape[1:]
    out = torch.empty_like(scores)
    for i in range(height):
        for j in range(width):
            places, values = [], []
            for d in dilations:
                for y in (i - d, i, i + d):
                    for x in (j - d, j, j + d):
                        y0, x0 = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                        values.append(image[:, y0, x0])
                        if (y, x) != (i, j):
                            places.append((y0, x0))
            sigma = torch.stack(values).std(dim=0)
            logits = torch.stack(
                [
                    -((image[:, i, j] - image[:, y, x]).abs() / (0.1 * sigma + 1e-8)).mean()
                    for y, x in places
                ]
            )
            out[:, i, j] = sum(
                w * scores[:, y, x] for w, (y, x) in zip(logits.softmax(0), places, strict=True)
            )
    return out


@pytest.mark.parametrize('dilations', [(1,), (1, 3), (8, 2)])  # the last reaches past the image
def test_it_is_the_formula(dilations):
    scores, image = torch.randn(2, 3, 6, 7), torch.rand(2, 3, 6, 7) * 255
    out = refine(scores, image, steps=2, dilations=dilations)
    for b in range(2):
        expected = one_step(scores[b], image[b], dilations)
        expected = one_step(expected, image[b], dilations)
        torch.testing.assert_close(out[b], expected, rtol=1e-4, atol=1e-5)


def test_a_constant_map_stays_and_a_constant_image_averages():
    image = torch.rand(1, 3, 20, 24)
    constant = torch.tensor([3.0, -2.0])[None, :, None, None].expand(1, 2, 20, 24).contiguous()
    torch.testing.assert_close(refine(constant, image), constant)
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 1
    out = refine(point, torch.full((1, 3, 5, 5), 0.5), steps=1, dilations=(1,))
    expected = torch.zeros(5, 5)
    expected[1:4, 1:4] = 1 / 8
    expected[2, 2] = 0
    torch.testing.assert_close(out[0, 0], expected)


def test_a_blurred_edge_moves_to_the_images_edge_and_sharpens():
    image = torch.zeros(1, 3, 16, 32)
    image[..., 12:] = 1
    blurred = ((torch.arange(32.0) - 15.5) / 4).sigmoid().expand(1, 1, 16, 32)  # centre: 15.5
    out = refine(blurred, image, steps=10, dilations=(1, 2))[0, 0]
    jump = out[:, 12] - out[:, 11]
    assert (jump > 4 * (blurred[0, 0, :, 12] - blurred[0, 0, :, 11])).all()
    steps = (out[:, 1:] - out[:, :-1]).abs()
    assert (steps.argmax(dim=1) == 11).all()


def test_units_of_the_image_and_chunks_of_classes_change_nothing(monkeypatch):
    scores, image = torch.randn(1, 7, 18, 20), torch.rand(1, 3, 18, 20)
    once = refine(scores, image)
    torch.testing.assert_close(refine(scores, image * 255 - 100), once, rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(pamr, 'CHUNK', 2)
    torch.testing.assert_close(refine(scores, image), once)


def test_half_precision_is_computed_in_float32():
    scores, image = torch.randn(1, 2, 9, 9), torch.rand(1, 3, 9, 9)
    low = refine(scores.bfloat16(), image)
    assert low.dtype == torch.bfloat16
    assert torch.equal(low, refine(scores.bfloat16().float(), image).bfloat16())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(steps=0), r'steps is 0, dilations is \(8, 16\); legal values: at least 1 step'),
        (dict(dilations=()), r'steps is 10, dilations is \(\); legal values'),
        (dict(dilations=(8, 0)), r'dilations is \(8, 0\); .* at least 1 pixel'),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        refine(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4), **options)


def test_other_sizes_are_an_error():
    with pytest.raises(ValueError, match=r'scores are \(1, 2, 4, 4\), the image is \(1, 3, 8, 8\)'):
        refine(torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 8, 8))


HEADS = {
    'maskclip': (
        dict(type='mmseg_zsclip.MaskCLIPViT', arch=ARCH),
        dict(type='mmseg_zsclip.MaskCLIPHead', ks_thresh=1.0),
    ),
    'zegclip': (
        dict(type='mmseg_zsclip.DeepPromptedViT', arch=ARCH, num_prompts=2),
        dict(type='mmseg_zsclip.ZegCLIPHead', num_heads=4),
    ),
}


@pytest.mark.parametrize('mode', ['whole', 'slide'])
@pytest.mark.parametrize('name', HEADS)
@torch.no_grad()
def test_the_segmentor_refines_the_scores_of_any_head_after_windows_are_averaged(name, mode):
    init_default_scope('mmseg')
    backbone, head = HEADS[name]
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(backbone),
            decode_head=dict(head, classes=NAMES, text=dict(arch=ARCH)),
            test_cfg=ConfigDict(mode=mode, crop_size=(32, 32), stride=(16, 16)),
        )
    )
    model.init_weights()
    model.eval()
    img = torch.randn(2, 3, 40, 56)
    metas = [dict(img_shape=img.shape[2:], ori_shape=img.shape[2:])] * 2
    plain = model.inference(img, metas)
    model.test_cfg.pamr = dict(steps=3, dilations=[1, 4])
    refined = model.inference(img, metas)
    torch.testing.assert_close(refined, refine(plain, img, 3, (1, 4)))
    assert not torch.allclose(refined, plain)
    torch.testing.assert_close(model.predict(img)[0].seg_logits.data, refined[0])
    for wrong in (dict(iterations=3), True):
        model.test_cfg.pamr = wrong
        with pytest.raises(
            ValueError,
            match='test_cfg.pamr is .*; legal: None for no refinement, '
            'or a dict with any of steps, dilations',
        ):
            model.inference(img, metas)


@pytest.mark.parametrize('which', ['scores', 'image'])
def test_nan_is_named_before_it_spreads(which):
    given = dict(scores=torch.zeros(1, 2, 20, 20), image=torch.rand(1, 3, 20, 20))
    given[which][0, 1, 5, 5] = float('nan')
    with pytest.raises(ValueError, match='NaN'):
        refine(**given, dilations=(2,))


def test_a_forbidden_class_spreads_no_nan():
    torch.manual_seed(0)
    scores, image = torch.randn(1, 3, 20, 20), torch.rand(1, 3, 20, 20)
    plain = refine(scores, image, dilations=(2,))
    scores[:, 1] = float('-inf')
    out = refine(scores, image, dilations=(2,))
    assert out.isfinite().all()
    assert torch.equal(out[:, [0, 2]], plain[:, [0, 2]])
    assert 1 not in out.argmax(1)
