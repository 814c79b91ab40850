import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.model import build_visual
from mmseg_zsclip.clip.vit import build_activation, resize_positions

from .conftest import TINY_VIT, open_clip_twin


@pytest.fixture(scope='module', params=['gelu', 'quick_gelu'])
def towers(request):
    from dataclasses import replace

    arch = replace(TINY_VIT, activation=request.param, vision_mlp_ratio=3.0)
    theirs = open_clip_twin(arch).visual
    theirs.output_tokens = True
    ours = build_visual(arch).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


@pytest.mark.parametrize(
    'size',
    [(32, 32), (40, 64), (16, 24), (50, 70)],
    ids=['native', 'non-square', 'smaller', 'no multiple of the patch'],
)
@torch.no_grad()
def test_equals_open_clip_at_any_size(towers, size):
    ours, theirs = towers
    img = torch.randn(2, 3, *size)
    rows = theirs.positional_embedding
    grid = (size[0] // 8, size[1] // 8)
    patches = rows[1:].reshape(1, 4, 4, 32).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, grid, mode='bicubic', align_corners=False)
    resized = torch.cat([rows[:1], patches.permute(0, 2, 3, 1).reshape(-1, 32)])
    theirs.positional_embedding = torch.nn.Parameter(rows if grid == (4, 4) else resized)
    try:
        cls, tokens = theirs(img)
    finally:
        theirs.positional_embedding = rows
    torch.testing.assert_close(ours(img), cls, rtol=1e-5, atol=1e-5)
    x, found = ours.embed(img)
    assert found == grid
    torch.testing.assert_close(
        ours.project(ours.transformer(x))[:, 1:], tokens @ theirs.proj, rtol=1e-5, atol=1e-5
    )


def test_image_smaller_than_a_patch():
    with pytest.raises(ValueError, match='4 x 40 pixels, smaller than one patch of 8'):
        build_visual(TINY_VIT)(torch.randn(1, 3, 4, 40))


@torch.no_grad()
def test_logits_and_values_come_from_public_parts_without_computing_twice(towers):
    block = towers[0].blocks[0]
    x = torch.randn(2, 5, 32)
    q, k, v = block.attn.qkv(x)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    by_hand = block.attn.out_proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(block.attn(x), by_hand)
    torch.testing.assert_close(
        block.attn.values(x), block.attn.out_proj(v.transpose(1, 2).flatten(2))
    )
    itself = torch.eye(5, dtype=torch.bool)
    torch.testing.assert_close(block.attn.attend(q, k, v, itself), block.attn.values(x))


def test_positions_keep_gradients_and_the_class_row():
    rows = torch.randn(17, 32, requires_grad=True)
    out = resize_positions(rows, (3, 7), align_corners=True)
    assert out.shape == (22, 32)
    assert torch.equal(out[0], rows[0])
    out.sum().backward()
    assert rows.grad.abs().sum() > 0
    with pytest.raises(ValueError, match='18 rows; expected 1 \\+ s \\* s'):
        resize_positions(torch.randn(18, 32), (3, 7))


def test_unknown_activation():
    with pytest.raises(ValueError, match="'relu'; legal values: gelu, quick_gelu"):
        build_activation('relu')


@torch.no_grad()
def test_tokens_that_attend_to_all_are_those_of_the_block(towers):
    block, x = towers[0].blocks[1], torch.randn(2, 5, 32)
    torch.testing.assert_close(block.cross(x, [x]), block(x))
    torch.testing.assert_close(block.cross(x[:, :1], [x]), block(x)[:, :1])


@torch.no_grad()
def test_context_is_seen_and_not_changed(towers):
    block, x = towers[0].blocks[1], torch.randn(2, 5, 32)
    shared, own = torch.randn(3, 32), torch.randn(2, 4, 32)
    together = torch.cat([x, shared.expand(2, -1, -1), own], dim=1)
    torch.testing.assert_close(block.cross(x, [x, shared, own]), block(together)[:, :5])


@torch.no_grad()
def test_a_mask_of_the_context_hides_it(towers):
    block, x, context = towers[0].blocks[1], torch.randn(2, 5, 32), torch.randn(2, 4, 32)
    mask = torch.ones(2, 1, 5, 4, dtype=torch.bool)
    mask[..., 2:] = False
    for hidden in (mask, torch.zeros(mask.shape).masked_fill(~mask, float('-inf'))):
        torch.testing.assert_close(
            block.cross(x, [context], hidden), block.cross(x, [context[:, :2]])
        )
    assert not torch.allclose(block.cross(x, [context]), block.cross(x, [context[:, :2]]))


@torch.no_grad()
def test_inputs_are_the_rows_that_were_asked_for(towers):
    attn, x = towers[0].blocks[0].attn, torch.randn(2, 5, 32)
    q, k, v = attn.inputs(x)
    for names, wanted in dict(q=[q], k=[k], v=[v], qk=[q, k], kv=[k, v]).items():
        torch.testing.assert_close(list(attn.inputs(x, names)), wanted)
