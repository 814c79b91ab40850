"""tools/analysis_tools/benchmark.py: its opponent is the same model, and its cases run."""

import math

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.losses import MaskLoss

SIZES = (6, 4, 3)  # classes, seen ones, prompts


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark.py')


def test_the_opponent_has_our_outputs_losses_and_gradients(tool, setup):
    ours, eager = (tool.zegclip_model(setup, SIZES, eager=eager) for eager in (False, True))
    ours.decode_head.loss_decode = MaskLoss(squared=False, smooth=1, count_ignored_as_negative=True)
    missing, unexpected = eager.load_state_dict(
        {
            key.replace('mask_attn', 'layers.2.attn'): value
            for key, value in ours.state_dict().items()
        },
        strict=False,
    )
    assert not unexpected
    assert all(key.startswith('decode_head.layers.2.') for key in missing)  # what nobody reads
    img = setup.photos(2)
    torch.testing.assert_close(
        ours(img, mode='tensor'), eager(img, mode='tensor'), rtol=1e-4, atol=1e-5
    )
    labels = torch.tensor([0, 1, 3, 255]).repeat_interleave(12).expand(2, 1, 48, 48)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
    for model in (ours, eager):
        loss, _ = model.parse_losses(model(img, samples, mode='loss'))
        loss.backward()
        model.total = loss.detach()
    torch.testing.assert_close(ours.total, eager.total, rtol=1e-4, atol=0)
    for part in ('backbone.prompts', 'decode_head.query_proj.weight'):
        torch.testing.assert_close(
            ours.get_parameter(part).grad, eager.get_parameter(part).grad, rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize(
    ('suite', 'cases'), [('zegclip', 10), ('windows', 3), ('bfloat16', 2), ('maskclip', 3)]
)
def test_cases_run(tool, setup, suite, cases):
    rows = list(tool.SUITES[suite](setup))
    assert len({row['case'] for row in rows}) == cases
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows)


def test_peak_memory_of_a_step(tool, setup):
    assert tool.train_twice(setup, dict(sizes=SIZES, with_cp=True)) > 0
