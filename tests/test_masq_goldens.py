"""Reference tensors of MasQCLIP's release, see `test_goldens`."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.evaluation.panoptic_quality import panoptic_counts, panoptic_scores
from mmseg_zsclip.models.fusion import semantic_scores
from mmseg_zsclip.models.mask_ops import photo_masks
from mmseg_zsclip.models.segments import instances, panoptic_ids
from mmseg_zsclip.vocabulary.labels import OFFSET

from .test_goldens import HERE, check, goldens


def sizes(golden: dict) -> tuple[tuple[int, int], list[dict]]:
    """The padded size of the photos, and what a sample says of each."""
    photos, step = golden['img'], golden['cfg']['size_divisibility']
    height, width = (
        -(-max(sides) // step) * step
        for sides in zip(*(one.shape[1:] for one in photos), strict=True)
    )
    metas = [
        dict(ori_shape=size, padding_size=(0, width - one.shape[2], 0, height - one.shape[1]))
        for one, size in zip(photos, golden['out_size'], strict=True)
    ]
    return (height, width), metas


@pytest.mark.parametrize('path', goldens('masqpipe'))
def test_segments_of_three_tasks(path):
    golden = torch.load(path, weights_only=False)
    cfg, (size, metas) = golden['cfg'], sizes(golden)
    every = F.interpolate(golden['pred_masks'], size, mode='bilinear').sigmoid()
    for i, (masks, meta) in enumerate(zip(every, metas, strict=True)):
        objects = golden['pred_logits'][i].softmax(dim=1)[:, :1]
        scores = objects * golden['logits'][i].softmax(dim=1)[:, :-1]
        check(
            'after', semantic_scores(scores, photo_masks(masks, meta)), golden['sem_seg_after'][i]
        )
        masks = photo_masks(masks, meta, as_logits=True)
        check('before', semantic_scores(scores, masks), golden['sem_seg'][i])

        ids = panoptic_ids(
            scores, masks, cfg['things'], cfg['object_mask_threshold'], cfg['overlap_threshold']
        )
        theirs, number = torch.full_like(ids, cfg['C']), 0
        for segment in golden['segments'][i]:
            number += segment['isthing']
            theirs[golden['panoptic'][i] == segment['id']] = segment['category_id'] + (
                OFFSET * number * segment['isthing']
            )
        assert torch.equal(ids, theirs)

        found = instances(scores, masks, range(cfg['C']), cfg['topk'])
        expected = golden['instances'][i]
        check('instance scores', found.scores, expected['scores'])
        sure = found.scores > 0  # empty masks are in no order
        assert sure.sum() == cfg['topk'] - 1
        for key in ('labels', 'masks'):
            assert torch.equal(found[key][sure], expected[key][sure]), key


def panoptic_map(ids: torch.Tensor, segments: list[dict], void: int) -> torch.Tensor:
    """Theirs, numbered by a list, categories from 1 -> ids as ours; a crowd has no number."""
    out = torch.full_like(ids, void)
    for number, one in enumerate(segments, 1):
        crowd = one.get('iscrowd', 0)
        out[ids == one['id']] = one['category_id'] - 1 + (0 if crowd else OFFSET * number)
    return out


@pytest.mark.parametrize('path', goldens('pq'))
def test_panoptic_quality(path):
    golden = torch.load(path, weights_only=False)
    classes, things = golden['cfg']['C'], [c - 1 for c in golden['cfg']['things']]
    counts = sum(
        panoptic_counts(
            panoptic_map(*ours, classes), panoptic_map(*truth, classes), things, classes
        )
        for truth, ours in zip(golden['gt'], golden['pred'], strict=True)
    )
    for category, expected in golden['counts'].items():
        assert counts[:, category - 1].tolist() == pytest.approx(expected, rel=1e-12)
    ours = panoptic_scores(counts.numpy(), things)
    for group, suffix in dict(all='', things='(th)', stuff='(st)').items():
        for key in ('pq', 'sq', 'rq'):
            expected = 100 * golden['result'][group][key]
            assert ours[f'{key.upper()}{suffix}'] == pytest.approx(expected, rel=1e-12)


def test_the_repository_holds_the_reference_tensors_itself():
    for method in ('masqpipe', 'pq'):
        assert list((HERE / 'goldens').glob(f'{method}_*.pt')), method
