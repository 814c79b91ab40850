"""IP-CLIP: one pass for an image and all of its proposals, and exact where it must be."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.archs import CLIPArch
from mmseg_zsclip.models import ip_clip
from mmseg_zsclip.models.ip_clip import IPCLIPResNet, IPCLIPViT, visible_to_copies

VIT = CLIPArch('tiny', 16, 32, 6, 32, 8, 2, 24, 2, 2)
RESNET = CLIPArch('tiny-resnet', 16, 64, (1, 2, 1, 1), 8, None, 4, 24, 2, 2)
SIZES = dict(vit=(24, 40), resnet=(96, 160))  # grids of 3 x 5


@pytest.fixture(params=['vit', 'resnet'])
def tower(request):
    """Makes an encoder; and the size of the images that it gets, whose grid is not square."""

    def make(**options):
        torch.manual_seed(0)
        cls, arch = dict(vit=(IPCLIPViT, VIT), resnet=(IPCLIPResNet, RESNET))[request.param]
        return cls(arch, **{'clip_size': None, **options}).eval()

    return make, SIZES[request.param]


def cells(size, *chosen):
    """A mask (1, H, W) of the chosen (row, column) of the grid of 3 x 5."""
    mask = torch.zeros(1, 3, 5)
    for row, column in chosen:
        mask[0, row, column] = 1
    return F.interpolate(mask[None], size, mode='nearest')[0]


@torch.no_grad()
def test_without_proposals_it_is_plain_clip_bit_for_bit(tower):
    make, size = tower
    img = torch.randn(2, 3, *size)
    encoder = make()
    assert torch.equal(encoder.image_embeddings(img), encoder.visual(img))
    embeddings, image = encoder(img, [torch.zeros(0, *size)] * 2, with_image=True)
    assert [one.shape for one in embeddings] == [(0, 16)] * 2
    assert torch.equal(image, encoder.visual(img))


@torch.no_grad()
def test_proposals_of_another_image_and_their_order_change_nothing(tower):
    make, size = tower
    encoder, img = make(), torch.randn(3, 3, *size)
    masks = [torch.rand(count, *size) for count in (7, 1, 0)]
    together = encoder(img, masks)
    assert [len(one) for one in together] == [7, 1, 0]
    for i in range(2):
        (alone,) = encoder(img[i : i + 1], masks[i : i + 1])
        torch.testing.assert_close(alone, together[i], atol=1e-5, rtol=1e-4)
    order = torch.randperm(7)
    shuffled = encoder(img, [masks[0][order], *masks[1:]])
    torch.testing.assert_close(shuffled[0], together[0][order], atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize('count', [1, 3, 100, 250])
def test_any_number_of_proposals_is_each_of_them_alone(tower, count):
    make, size = tower
    encoder, img = make(), torch.randn(1, 3, *size)
    masks = (
        torch.rand(count, 3, 5)
        .repeat_interleave(size[0] // 3, 1)
        .repeat_interleave(size[1] // 5, 2)
    )
    (together,) = encoder(img, [masks])
    for p in {0, count // 2, count - 1}:
        (alone,) = encoder(img, [masks[p : p + 1]])
        torch.testing.assert_close(alone[0], together[p], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_proposal_that_covers_no_patch_or_all_is_finite(tower):
    make, size = tower
    (out,) = make()(torch.randn(1, 3, *size), [torch.stack([torch.zeros(size), torch.ones(size)])])
    assert out.isfinite().all()
    assert not torch.allclose(out[0], out[1])


@torch.no_grad()
def test_a_proposal_sees_its_own_patches_alone():
    """With S = 0 nothing else reaches its token, and patches never see a CLS token."""
    torch.manual_seed(0)
    encoder = IPCLIPViT(CLIPArch('one block', 16, 32, 1, 32, 8, 2, 24, 2, 2), clip_size=None)
    size = SIZES['vit']
    img, masks = torch.randn(1, 3, *size), [cells(size, (0, 0), (1, 2))]
    (before,) = encoder(img, masks)
    elsewhere = img + torch.randn_like(img) * (1 - masks[0])
    inside = img + torch.randn_like(img) * masks[0]
    torch.testing.assert_close(encoder(elsewhere, masks)[0], before)
    assert not torch.allclose(encoder(inside, masks)[0], before)


@torch.no_grad()
@pytest.mark.parametrize('start', range(6))
def test_it_is_one_masked_sequence_as_the_paper_writes_it(start):
    """Eq. 2 to 4: copies and patches in one sequence, under one bias."""
    torch.manual_seed(0)
    encoder = IPCLIPViT(VIT, start_block=start, clip_size=None).eval()
    size, count = SIZES['vit'], 4
    img = torch.randn(1, 3, *size)
    visible = torch.rand(1, count, 15) > 0.5
    x, _ = encoder.visual.embed(img)
    for block in encoder.visual.blocks[:start]:
        x = block(x)
    x = torch.cat([x[:, :1].expand(-1, count, -1), x[:, 1:]], dim=1)
    bias = torch.full((count + 15, count + 15), -torch.inf)
    bias[:count, :count].fill_diagonal_(0)
    bias[:count, count:] = bias[:count, count:].masked_fill(visible[0], 0)
    bias[count:, count:] = 0
    for block in encoder.visual.blocks[start:]:
        x = block(x, bias)
    expected = encoder.visual.project(x[:, :count])
    masks = visible.view(count, 3, 5).float().repeat_interleave(8, 1).repeat_interleave(8, 2)
    torch.testing.assert_close(encoder(img, [masks])[0], expected[0], atol=1e-5, rtol=1e-4)


def test_a_copy_sees_itself_and_its_patches():
    visible = torch.tensor([[[True, False], [False, False]]])
    assert visible_to_copies(visible).tolist() == [
        [[[True, False, True, False], [False, True, False, False]]]
    ]


@torch.no_grad()
def test_memory_is_bounded_by_attending_in_parts(monkeypatch):
    encoder, img = IPCLIPViT(VIT, clip_size=None).eval(), torch.randn(2, 3, 24, 40)
    masks = [torch.rand(7, 24, 40), torch.rand(5, 24, 40)]
    whole = encoder(img, masks)
    monkeypatch.setattr(ip_clip, 'AT_ONCE', 3)
    for one, other in zip(encoder(img, masks), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_images_are_resized_and_masks_are_of_the_image_before(tower):
    make, size = tower
    encoder = make(clip_size=size)
    img = torch.randn(1, 3, size[0] * 2, size[1] * 3)
    assert encoder.resized(img).shape[2:] == size
    masks = cells(img.shape[2:], (0, 0), (2, 4))
    (expected,) = make()(encoder.resized(img), [cells(size, (0, 0), (2, 4))])
    torch.testing.assert_close(encoder(img, [masks])[0], expected)


def test_it_starts_after_two_thirds_of_the_depth():
    assert IPCLIPViT(VIT).start_block == 4
    assert IPCLIPViT('ViT-B-16').start_block == 8
    assert IPCLIPViT(VIT, clip_size=(32, 48)).clip_size == (32, 48)


@pytest.mark.parametrize('start', [-1, 6, True, '4', 2.5])
def test_a_start_outside_the_tower_is_named(start):
    with pytest.raises(ValueError, match=f'start_block is {start!r}; legal values: 0 to 5'):
        IPCLIPViT(VIT, start_block=start)


def test_the_wrong_tower_or_size_is_named():
    with pytest.raises(ValueError, match='is a ResNet; use IPCLIPResNet'):
        IPCLIPViT(RESNET)
    with pytest.raises(ValueError, match='is a ViT; use IPCLIPViT'):
        IPCLIPResNet(VIT)
    for size in (4, (32, 4), (32,), '48', 48.5):
        with pytest.raises(ValueError, match='clip_size is .* at least one cell of 8'):
            IPCLIPViT(VIT, clip_size=size)


def test_every_tensor_that_acts_on_proposals_gets_a_gradient(tower):
    make, size = tower
    encoder = make()
    out, image = encoder(torch.randn(1, 3, *size), [torch.rand(3, *size)], with_image=True)
    (out[0].sum() + image.sum()).backward()
    assert all(p.grad is not None for p in encoder.parameters())
