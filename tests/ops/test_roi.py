import math

import pytest
import torch
from mmcv import ops as mmcv_ops

from mmseg_zsclip.ops import MissingOpError

ROIS = torch.tensor(
    [
        [0, 1.3, 2.1, 9.7, 8.2],
        [1, -3.0, 0.4, 6.5, 5.5],
        [0, 4.2, 4.1, 20.0, 15.0],
        [1, 2.0, 2.0, 2.6, 2.4],
    ]
)


def feature_map(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 8, 9, generator=generator, dtype=dtype, requires_grad=True)


def sample(plane, y, x):
    """Bilinear value at (y, x) as RoIAlign defines it: clamped within one pixel of the map."""
    h, w = plane.shape[-2:]
    if not (-1 <= y <= h and -1 <= x <= w):
        return plane.new_zeros(plane.shape[0])
    y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
    fy, fx = y - y0, x - x0
    top = plane[:, y0, x0] * (1 - fx) + plane[:, y0, x1] * fx
    bottom = plane[:, y1, x0] * (1 - fx) + plane[:, y1, x1] * fx
    return top * (1 - fy) + bottom * fy


def align_by_hand(data, size, scale, ratio, aligned):
    out = []
    for image, *box in ROIS.tolist():
        x1, y1, x2, y2 = (edge * scale - (0.5 if aligned else 0) for edge in box)
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1), max(h, 1)
        rows, columns = (ratio or math.ceil(edge / size) for edge in (h, w))
        bins = []
        for i in range(size):
            for j in range(size):
                ys = [y1 + h / size * (i + (a + 0.5) / rows) for a in range(rows)]
                xs = [x1 + w / size * (j + (a + 0.5) / columns) for a in range(columns)]
                bins.append(
                    sum(sample(data[int(image)], y, x) for y in ys for x in xs) / (rows * columns)
                )
        out.append(torch.stack(bins, 1).view(-1, size, size))
    return torch.stack(out)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_and_its_gradient_equal_the_formula(ratio, aligned):
    data = feature_map()
    got = mmcv_ops.roi_align(data, ROIS.double(), (2, 2), 0.7, ratio, 'avg', aligned)
    want = align_by_hand(data, 2, 0.7, ratio, aligned)
    assert torch.allclose(got, want, atol=1e-5)
    grad = torch.randn_like(got)
    mine, theirs = (torch.autograd.grad(out, data, grad)[0] for out in (got, want))
    assert torch.allclose(mine, theirs, atol=1e-5)


def test_roi_align_works_in_bfloat16():
    data = feature_map().detach()
    exact = mmcv_ops.roi_align(data.bfloat16().double(), ROIS.double(), (2, 2))
    got = mmcv_ops.roi_align(data.bfloat16(), ROIS, (2, 2))
    assert got.dtype == torch.bfloat16
    assert torch.allclose(got.double(), exact, rtol=2**-8, atol=1e-4)


def test_roi_align_of_no_boxes_has_zero_gradient():
    data = feature_map()
    out = mmcv_ops.roi_align(data, ROIS[:0].double(), (2, 2))
    assert out.shape == (0, 3, 2, 2)
    assert torch.autograd.grad(out.sum(), data)[0].abs().sum() == 0


def test_roi_align_max_says_what_to_do():
    with pytest.raises(MissingOpError, match="pool_mode='avg' or install the full mmcv: pip"):
        mmcv_ops.roi_align(feature_map(), ROIS.double(), (2, 2), 1.0, 0, 'max')


def pool_by_hand(data, size, scale):
    out = []
    for image, *box in ROIS.tolist():
        x1, y1, x2, y2 = box[0] * scale, box[1] * scale, (box[2] + 1) * scale, (box[3] + 1) * scale
        cells = []
        for i in range(size):
            for j in range(size):
                pixels = [
                    data[int(image), :, y, x]
                    for y in range(data.shape[2])
                    for x in range(data.shape[3])
                    if math.floor(y1 + (y2 - y1) / size * i)
                    <= y
                    < math.ceil(y1 + (y2 - y1) / size * (i + 1))
                    and math.floor(x1 + (x2 - x1) / size * j)
                    <= x
                    < math.ceil(x1 + (x2 - x1) / size * (j + 1))
                ]
                empty = data.new_zeros(data.shape[1])
                cells.append(torch.stack(pixels).amax(0) if pixels else empty)
        out.append(torch.stack(cells, 1).view(-1, size, size))
    return torch.stack(out)


def test_roi_pool_and_its_gradient_equal_the_formula():
    data = feature_map()
    got, want = mmcv_ops.roi_pool(data, ROIS.double(), 3, 0.7), pool_by_hand(data, 3, 0.7)
    assert torch.allclose(got, want, atol=1e-5)
    grad = torch.randn_like(got)
    mine, theirs = (torch.autograd.grad(out, data, grad)[0] for out in (got, want))
    assert torch.allclose(mine, theirs, atol=1e-5)
