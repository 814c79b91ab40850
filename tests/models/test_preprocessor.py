import torch
from mmseg.models import SegDataPreProcessor

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import MODELS

PUBLISHED = dict(
    mean=[122.7709383, 116.7460125, 104.09373615], std=[68.5005327, 66.6321579, 70.32316305]
)


def test_clips_statistics_are_those_that_configs_used_to_spell_out():
    built = MODELS.build(dict(type='mmseg_zsclip.CLIPDataPreProcessor', size=(4, 4)))
    spelt = SegDataPreProcessor(
        **PUBLISHED, bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size=(4, 4)
    )
    photo = torch.randint(0, 256, (3, 4, 4), dtype=torch.uint8)
    one, other = (p(dict(inputs=[photo]), False)['inputs'] for p in (built, spelt))
    assert torch.equal(one, other)
    assert built.seg_pad_val == 255


def test_other_statistics_can_be_given():
    built = MODELS.build(
        dict(
            type='mmseg_zsclip.CLIPDataPreProcessor',
            mean=[1.0] * 3,
            std=[2.0] * 3,
            bgr_to_rgb=False,
        )
    )
    assert (built(dict(inputs=[torch.full((3, 2, 2), 5)]), False)['inputs'] == 2).all()
