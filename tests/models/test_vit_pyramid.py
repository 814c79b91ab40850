import pytest
import torch

from mmseg_zsclip.models.vit_pyramid import NormedPyramid


def test_four_maps_of_stride_16_become_strides_4_to_32():
    neck = NormedPyramid(8, norm_cfg=dict(type='BN'))
    maps = neck([torch.randn(2, 8, 4, 6) for _ in range(4)])
    assert [tuple(one.shape) for one in maps] == [
        (2, 8, 16, 24),
        (2, 8, 8, 12),
        (2, 8, 4, 6),
        (2, 8, 2, 3),
    ]


def test_maps_of_any_size_are_normed_first():
    neck = NormedPyramid(8, norm_cfg=dict(type='BN')).eval()
    inputs = [torch.randn(1, 8, 4, 4) for _ in range(4)]
    for one, other in zip(neck(inputs), neck([7 * x + 3 for x in inputs]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_another_number_of_maps():
    with pytest.raises(ValueError, match='gives 3 maps; a pyramid is made of 4'):
        NormedPyramid(8)([torch.randn(1, 8, 4, 4)] * 3)
