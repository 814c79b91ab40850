"""Reference tensors of MasQCLIP's release, see `test_goldens`."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.models.fusion import semantic_scores
from mmseg_zsclip.models.mask_ops import photo_masks
from mmseg_zsclip.models.segments import OFFSET, instances, panoptic_ids

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


def test_the_repository_holds_the_reference_tensors_itself():
    for method in ('masqpipe',):
        assert list((HERE / 'goldens').glob(f'{method}_*.pt')), method
