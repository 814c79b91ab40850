"""Frozen CLIP on sub-images, and the mean of dense features over a mask."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, CLIPArch
from mmseg_zsclip.models.mask_classifiers import MaskPooling, SubImageCLIP
from mmseg_zsclip.models.maskclip import MaskCLIPViT

ARCHS = dict(
    vit=CLIPArch('tiny', 16, 32, 2, 32, 8, 2, 24, 2, 2),
    resnet=CLIPArch('tiny-resnet', 16, 64, (1, 1, 1, 1), 8, None, 4, 24, 2, 2),
)
SIZE = 48, 64
KEPT = [(slice(0, 40), slice(0, 64))] * 2


@pytest.fixture
def masks():
    """7 and 0 proposals; the third is empty, the fourth lies in the padding."""
    some = torch.rand(7, 6, 8).repeat_interleave(8, 1).repeat_interleave(8, 2)
    some[2:4] = 0
    some[3, 42:] = 1
    return [some, some[:0]]


@pytest.mark.parametrize('mode', ['mask', 'crop', 'mask+crop'])
@pytest.mark.parametrize('arch', ARCHS)
def test_a_proposal_is_what_clip_says_of_its_picture(arch, mode, masks):
    torch.manual_seed(0)
    classifier = SubImageCLIP(ARCHS[arch], mode=mode, picture_batch=3)
    img = torch.randn(2, 3, *SIZE)
    out = classifier(img, masks, KEPT)
    assert [one.shape for one in out] == [(7, 16), (0, 16)]
    assert not out[0][2:4].any()
    inside = masks[0][4, :40] > 0.5
    picture = img[0, :, :40] * inside if 'mask' in mode else img[0, :, :40]
    if 'crop' in mode:
        rows, columns = (inside.any(dim=dim).nonzero()[:, 0] for dim in (1, 0))
        picture = picture[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = ARCHS[arch].image_size
    picture = F.interpolate(picture[None], (side, side), mode='bicubic', align_corners=True)
    with torch.no_grad():
        torch.testing.assert_close(out[0][4], classifier.visual(picture)[0], atol=1e-5, rtol=1e-4)


def test_black_is_0_in_the_picture_before_it_is_normalised():
    colour = SubImageCLIP(ARCHS['vit'], fill='zero').fill_colour
    torch.testing.assert_close(
        colour * torch.tensor(CLIP_STD) + torch.tensor(CLIP_MEAN), torch.zeros(3)
    )
    assert not SubImageCLIP(ARCHS['vit']).fill_colour.any()


def test_its_tower_is_frozen(masks):
    classifier = SubImageCLIP(ARCHS['vit']).train()
    assert not classifier.training
    assert not any(p.requires_grad for p in classifier.parameters())


def test_wrong_settings_of_sub_images_are_named():
    with pytest.raises(ValueError, match=r"mode .* is 'box'; legal values: mask, crop, mask\+crop"):
        SubImageCLIP(ARCHS['vit'], mode='box')
    with pytest.raises(ValueError, match="fill .* is 'white'; legal values: mean, zero"):
        SubImageCLIP(ARCHS['vit'], fill='white')
    with pytest.raises(ValueError, match='picture_batch is 0'):
        SubImageCLIP(ARCHS['vit'], picture_batch=0)


def test_a_proposal_is_the_mean_of_the_features_that_it_covers(masks):
    torch.manual_seed(0)
    classifier = MaskPooling(dict(type=MaskCLIPViT, arch=ARCHS['vit']))
    img = torch.randn(2, 3, *SIZE)
    out = classifier(img, masks, KEPT)
    assert [one.shape for one in out] == [(7, 16), (0, 16)]
    features = classifier.backbone(img)[0][0]
    covered = masks[0][5, ::8, ::8] > 0.5
    torch.testing.assert_close(out[0][5], features[:, covered].mean(dim=1))
    assert not out[0][2].any()
