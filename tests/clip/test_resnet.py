import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.model import build_visual

from .conftest import TINY_RESNET, open_clip_twin


@pytest.fixture(scope='module')
def towers():
    theirs = open_clip_twin(TINY_RESNET).visual
    ours = build_visual(TINY_RESNET).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


@pytest.mark.parametrize(
    'size',
    [(64, 64), (96, 160), (32, 64), (75, 101)],
    ids=['native', 'non-square', 'smaller', 'no multiple of the stride'],
)
@torch.no_grad()
def test_equals_open_clip_at_any_size(towers, size):
    ours, theirs = towers
    img = torch.randn(2, 3, *size)
    maps = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(img)))))
    torch.testing.assert_close(ours.features(img), maps, rtol=1e-5, atol=1e-5)
    pool = theirs.attnpool
    rows = pool.positional_embedding
    grid = tuple(maps.shape[-2:])
    if grid != (2, 2):
        patches = F.interpolate(rows[1:].T.reshape(1, -1, 2, 2), grid, mode='bicubic')
        resized = torch.cat([rows[:1], patches[0].flatten(1).T])
        pool.positional_embedding = torch.nn.Parameter(resized)
    try:
        expected = theirs(img)
    finally:
        pool.positional_embedding = rows
    torch.testing.assert_close(ours(img), expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_pool_parts_agree_with_its_forward(towers):
    pool = towers[0].attnpool
    x = torch.randn(2, 256, 3, 5)
    tokens = pool.tokens(x)
    assert tokens.shape == (2, 16, 16)
    torch.testing.assert_close(tokens[:, 0], pool(x), rtol=1e-5, atol=1e-5)
    q, k, v = pool.qkv(pool.embed(x))
    torch.testing.assert_close(pool.attend(q, k, v), tokens)


@torch.no_grad()
def test_values_are_two_1x1_convolutions(towers):
    pool = towers[0].attnpool
    x = torch.randn(2, 256, 3, 5)
    v = F.conv2d(x, pool.v_proj.weight[..., None, None], pool.v_proj.bias)
    expected = F.conv2d(v, pool.c_proj.weight[..., None, None], pool.c_proj.bias)
    torch.testing.assert_close(pool.values(x), expected, rtol=1e-5, atol=1e-5)


def test_stages_have_their_widths_and_strides(towers):
    tower = towers[0]
    x = tower.stem(torch.randn(1, 3, 64, 96))
    for stage, width, stride in zip(tower.stages, tower.stage_widths, (4, 8, 16, 32), strict=True):
        x = stage(x)
        assert x.shape == (1, width, 64 // stride, 96 // stride)


def test_stem_parts_hold_all_parameters_outside_stages_and_pool(towers):
    tower = towers[0]
    parts = [*tower.stem_parts, *tower.stages, tower.attnpool]
    assert sum(p.numel() for part in parts for p in part.parameters()) == sum(
        p.numel() for p in tower.parameters()
    )


def test_image_smaller_than_a_cell():
    with pytest.raises(ValueError, match='31 x 64 pixels, smaller than one cell of 32 x 32'):
        build_visual(TINY_RESNET)(torch.randn(1, 3, 31, 64))


def test_trains_in_place_activations_included():
    tower = build_visual(TINY_RESNET).train()
    tower(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in tower.parameters())
