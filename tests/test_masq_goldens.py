"""Reference tensors of MasQCLIP's release, see `test_goldens`."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample

from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, to_255
from mmseg_zsclip.evaluation.panoptic_quality import panoptic_counts, panoptic_scores
from mmseg_zsclip.losses import MaskClassificationLoss
from mmseg_zsclip.losses.mask_labels import mask_dice
from mmseg_zsclip.models.distillation import new_masks
from mmseg_zsclip.models.given_proposals import TrueProposals
from mmseg_zsclip.models.mask_ops import photo_masks, touched_patches
from mmseg_zsclip.models.masqclip import MasQCLIPViT
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.models.segments import instances
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.labels import OFFSET

from .test_goldens import HERE, check, cosines, golden_vit, goldens


def encoder_of(golden: dict) -> MasQCLIPViT:
    """The release's, of the sizes and with the weights of a golden file."""
    state = {
        f'visual.{key.removeprefix("visual.")}': value
        for key, value in golden['state_dict'].items()
        if key != 'mask_embeddings'
    }
    own = [key for key in state if 'new_q_proj' in key]
    out = MasQCLIPViT(golden_vit(golden['cfg']), train_position=True, black_padding=True)
    state |= {f'own.q.{key.split(".")[3]}.{key.rsplit(".", 1)[1]}': state.pop(key) for key in own}
    position = golden['state_dict'].get('mask_embeddings', state['visual.positional_embedding'][0])
    out.load_state_dict(dict(state, position=position))
    return out


def normalised(photo: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(to_255(row))[:, None, None] for row in (CLIP_MEAN, CLIP_STD))
    return (photo - mean) / std


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


def padded_images(golden: dict) -> torch.Tensor:
    """(B, 3, H, W), normalised, then padded with the mean colour."""
    pads = [(0, one['padding_size'][1], 0, one['padding_size'][3]) for one in sizes(golden)[1]]
    return torch.stack(
        [F.pad(normalised(one), pad) for one, pad in zip(golden['img'], pads, strict=True)]
    )


@pytest.mark.parametrize('path', goldens('masqclip'))
@torch.no_grad()
def test_mask_class_tokens(path):
    golden = torch.load(path, weights_only=False)
    encoder, masks = encoder_of(golden), golden['masks'].sigmoid()
    embeddings = torch.stack(encoder(normalised(golden['img']), list(masks)))
    check('mask_emb', embeddings, golden['mask_emb'])
    check('logits', cosines(embeddings, golden['text']), golden['logits'])
    side = golden['cfg']['input_resolution'] // golden['cfg']['patch_size']
    visible = touched_patches(masks, (encoder.arch.image_size,) * 2, (side, side))
    assert torch.equal(~visible, golden['attn_mask'][..., 1:])


@pytest.mark.parametrize('path', goldens('masqpipe'))
def test_masq_tuning(path):
    """From photos of different sizes to labels, loss and gradients."""
    golden = torch.load(path, weights_only=False)
    cfg, (size, _) = golden['cfg'], sizes(golden)
    encoder = encoder_of(golden)
    images = padded_images(golden)
    kept = [(slice(one.shape[1]), slice(one.shape[2])) for one in golden['img']]
    masks = F.interpolate(golden['pred_masks'], size, mode='bilinear').sigmoid()
    embeddings = encoder(images, list(masks), kept)
    check('mask_emb', torch.stack(embeddings), golden['mask_emb'])
    logits = [cosines(one, golden['text']) for one in embeddings]
    check('logits', torch.stack(logits), golden['logits'])

    loss = MaskClassificationLoss(
        least=1 - cfg['dice_cost'],
        overlap='dice',
        size=(cfg['label_size'],) * 2,
        background_weight=cfg['background_weight'],
        loss_weight=cfg['class_weight'],
    )
    coarse = golden['pred_masks'].sigmoid()
    for i, truth in enumerate(zip(golden['gt_masks'], golden['gt_labels'], strict=True)):
        both = loss.resized(coarse[i], truth[0])
        check('dice_cost', 1 - mask_dice(*both).T, golden['dice_cost'][i])
        assert torch.equal(loss.labels(coarse[i], *truth, cfg['C']), golden['target'][i])
    value = loss(logits, list(coarse), golden['gt_masks'], golden['gt_labels'])
    check('loss_ce', value, golden['loss_ce'])
    value.backward()
    ours = {name: one.grad for name, one in encoder.named_parameters() if one.grad is not None}
    assert len(ours) == len(golden['grad_norms'])
    for name, expected in golden['grad_norms'].items():
        part = name.split('.')
        ours_name = 'position' if len(part) == 1 else f'own.q.{part[3]}.{part[-1]}'
        check(name, ours[ours_name].norm(), expected)


@pytest.mark.parametrize('path', goldens('masqpipe'))
def test_progressive_distillation(path):
    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    for one in golden['distillation']:
        place = new_masks(
            one['masks'],
            one['scores'],
            one['gt_masks'],
            cfg['score_threshold'],
            cfg['nms_threshold'],
            'dice',
            (one['points_gt'], one['points_nms']),
        )
        ours = torch.cat([one['gt_masks'], one['masks'][place]])
        assert torch.equal(ours, one['targets'])


class Given(TrueProposals):
    """The generator's masks and object logits of a golden file."""

    needs_labels = False

    def forward(self, img, metas, text, labels=None):
        masks = F.interpolate(self.golden['pred_masks'], img.shape[2:], mode='bilinear').sigmoid()
        objects = self.golden['pred_logits'].softmax(dim=2)[..., 0]
        return [Proposals(*one) for one in zip(masks, objects, strict=True)]


def model_of(golden: dict, **test_cfg) -> torch.nn.Module:
    cfg, arch = golden['cfg'], golden_vit(golden['cfg'])
    names = [f'class {i}' for i in range(cfg['C'])]
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.MasQCLIP',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            generator=dict(type=Given),
            classifier=dict(type=MasQCLIPViT, arch=arch, black_padding=True),
            classes=names,
            things=[names[i] for i in cfg['things']],
            text=dict(arch=arch),
            test_cfg=test_cfg,
        )
    )
    model.generator.golden = golden
    model.classifier.load_state_dict(encoder_of(golden).state_dict())
    model.set_embeddings(golden['text'][:-1])
    model.background.set_embeddings(golden['text'][-1:])
    return model.eval()


@pytest.mark.parametrize('path', goldens('masqpipe'))
@torch.no_grad()
def test_three_tasks_of_the_whole_model(path):
    init_default_scope('mmseg')
    golden = torch.load(path, weights_only=False)
    cfg, (_, metas) = golden['cfg'], sizes(golden)

    def results(**test_cfg):
        samples = [SegDataSample(metainfo=dict(meta, img_shape=(0, 0))) for meta in metas]
        return model_of(golden, **test_cfg).predict(padded_images(golden), samples)

    every = dict(tasks=['semantic', 'instance', 'panoptic'], resize_logits=True, top=cfg['topk'])
    thresholds = dict(
        score_threshold=cfg['object_mask_threshold'], overlap_threshold=cfg['overlap_threshold']
    )
    for i, (one, after) in enumerate(zip(results(**every, **thresholds), results(), strict=True)):
        check('after', after.seg_logits.data, golden['sem_seg_after'][i])
        check('before', one.seg_logits.data, golden['sem_seg'][i])
        ids = one.pred_panoptic_seg.sem_seg[0]
        theirs, number = torch.full_like(ids, cfg['C']), 0
        for segment in golden['segments'][i]:
            number += segment['isthing']
            theirs[golden['panoptic'][i] == segment['id']] = segment['category_id'] + (
                OFFSET * number * segment['isthing']
            )
        assert torch.equal(ids, theirs)


@pytest.mark.parametrize('path', goldens('masqpipe'))
def test_instances(path):
    golden = torch.load(path, weights_only=False)
    cfg, (size, metas) = golden['cfg'], sizes(golden)
    every = F.interpolate(golden['pred_masks'], size, mode='bilinear').sigmoid()
    for i, (masks, meta) in enumerate(zip(every, metas, strict=True)):
        objects = golden['pred_logits'][i].softmax(dim=1)[:, :1]
        scores = objects * golden['logits'][i].softmax(dim=1)[:, :-1]
        masks = photo_masks(masks, meta, as_logits=True)
        found = instances(scores, masks, range(cfg['C']), cfg['topk'])  # stuff too
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
    for method in ('masqclip', 'masqpipe', 'pq'):
        assert list((HERE / 'goldens').glob(f'{method}_*.pt')), method
