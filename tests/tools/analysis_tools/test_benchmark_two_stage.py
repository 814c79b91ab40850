"""The suite two_stage of benchmark.py: MAFT's multiply-accumulates, and its cases run."""

import math
from xml.etree import ElementTree

import pytest
import torch


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/benchmark_two_stage.py')


# ViT-B/16: channels, patches of 480 x 480, blocks from S on, and a block's products a token
WIDTH, PATCHES, LATE = 768, 900, 4
MLP = 8 * WIDTH**2
LINEAR = 12 * WIDTH**2


def attention(queries, keys):
    return 2 * queries * keys * WIDTH


def test_the_papers_multiply_accumulates_are_reproduced(tool):
    """MAFT's table 4a counts conv1 and MLPs: 1127.0 G for 100 crops, 53.4 G for IP-CLIP."""
    everything, counted = tool.tower_macs('ViT-B-16', 224, 100)
    assert everything / 1e9 == pytest.approx(1756.3, abs=0.05)
    assert counted / 1e9 == pytest.approx(1127.04, abs=0.005)
    everything, counted = tool.ip_clip_macs('ViT-B-16', 480, 100)
    # The release runs the last block over patches too, which nobody reads.
    patches_go_on = PATCHES * (LINEAR - 2 * WIDTH**2) + attention(PATCHES, PATCHES)
    assert (counted + PATCHES * MLP) / 1e9 == pytest.approx(53.417, abs=0.0005)
    # A copy attends to itself and the patches; here the products with 99 others are masked.
    others = LATE * attention(100, 99)
    assert (everything + patches_go_on - others) / 1e9 == pytest.approx(95.4, abs=0.05)


def test_a_hundred_proposals_cost_no_more_than_the_tower_and_a_twentieth_of_crops(tool):
    ours, _ = tool.ip_clip_macs('ViT-B-16', 480, 100)
    tower, _ = tool.tower_macs('ViT-B-16', 480)
    crops, _ = tool.tower_macs('ViT-B-16', 224, 100)
    assert ours < tower < crops / 19


@torch.no_grad()
def test_the_counted_model_is_the_timed_one(tool):
    """Counts come from the meta device, where nothing is computed."""
    model = tool.IPCLIPViT('ViT-XS-8', clip_size=None).eval()
    img, masks = torch.randn(1, 3, 48, 48), [tool.boxes(5, (48, 48))]
    assert tool.macs_of(lambda: model(img, masks), model.visual) == tool.ip_clip_macs(
        'ViT-XS-8', 48, 5
    )


def test_boxes_are_proposals_of_a_quarter_at_places_of_their_own(tool):
    masks = tool.boxes(20, (48, 64))
    assert (masks.flatten(1).mean(dim=1) == 0.25).all()
    assert len(masks.unique(dim=0)) == 20


def test_cases_run(tool):
    setup = tool.Setup(runs=1, device='cpu', arch='ViT-XS-8', size=48)
    rows = [*tool.multiplications(setup), *tool.seconds(setup)]
    assert len({row['case'] for row in rows}) == 8
    assert all(math.isfinite(row['ratio']) and row['ratio'] > 0 for row in rows)


def test_peak_memory_of_proposals_and_of_classes(tool):
    setup = tool.Setup(runs=1, device='cpu', arch='ViT-XS-8', size=48)
    assert tool.forward_once(setup, 3) > 0
    assert tool.predict_classes(setup, 5) > 0


def test_memory_by_proposals_is_drawn_from_the_suites_rows(tool):
    rows = [
        dict(case=f'peak GiB of IP-CLIP, {count} proposals, vs a line', ours=1 + count / 100)
        for count in tool.COUNTS
    ]
    chart = ElementTree.fromstring(tool.memory_chart([dict(case='other', ours=9.0), *rows]))
    name = '{http://www.w3.org/2000/svg}'
    assert len(chart.findall(f'.//{name}circle')) == len(tool.COUNTS)
    assert 'proposals' in [text.text for text in chart.iter(f'{name}text')]
    with pytest.raises(ValueError, match='none of 1 rows is of IP-CLIP memory. Give the --json'):
        tool.memory_chart([dict(case='other', ours=9.0)])
