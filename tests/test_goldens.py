"""Reference tensors of the published formulations (see the folder's own README)."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.clip.archs import CLIPArch

HERE = Path(__file__).resolve().parent
BESIDE = HERE.parents[1] / 'shared' / 'goldens'  # beside the clone: may have more than ours
FOLDER = Path(os.environ.get('ZSCLIP_GOLDENS') or (BESIDE if BESIDE.is_dir() else HERE / 'goldens'))
TOLERANCE = 1e-4  # relative to the largest absolute value of the expected tensor


def goldens(method: str) -> list:
    files = sorted(FOLDER.glob(f'{method}_*.pt'))
    return [pytest.param(f, id=f.stem) for f in files] or [
        pytest.param(
            None,
            marks=pytest.mark.skip(
                reason=f'no {method}_*.pt in {FOLDER}; set ZSCLIP_GOLDENS to the folder of goldens'
            ),
        )
    ]


def check(name: str, ours: torch.Tensor, expected: torch.Tensor) -> None:
    assert ours.shape == expected.shape, name
    error = (ours - expected).abs().max() / expected.abs().max()
    assert error < TOLERANCE, f'{name}: relative error {error:.2e}'


def golden_vit(cfg: dict) -> CLIPArch:
    """The tower of a golden file, with the activation of OpenAI's weights, whatever the release."""
    return CLIPArch(
        'golden',
        embed_dim=cfg['output_dim'],
        image_size=cfg['input_resolution'],
        vision_layers=cfg['layers'],
        vision_width=cfg['width'],
        patch_size=cfg['patch_size'],
        vision_heads=cfg['heads'],
        text_width=8,
        text_heads=1,
        text_layers=1,
        activation='quick_gelu',
    )


@pytest.mark.parametrize('path', goldens('zegclip'))
@torch.no_grad()
def test_zegclip(path):
    from mmseg_zsclip.losses import MaskLoss
    from mmseg_zsclip.models.released import zegclip
    from mmseg_zsclip.models.self_training import best_of
    from mmseg_zsclip.models.zegclip import DeepPromptedViT, ZegCLIPHead
    from mmseg_zsclip.vocabulary.labels import UNLABELLED

    golden = torch.load(path, weights_only=False)
    cfg, text = golden['cfg'], golden['text']
    arch = golden_vit(cfg)
    names = [f'class {i}' for i in range(cfg['C'])]
    unseen = [name for i, name in enumerate(names) if i not in cfg['seen']]
    backbone = DeepPromptedViT(
        arch, num_prompts=cfg['num_tokens'], position_mode='bilinear', cls_added_twice=True
    )
    head = ZegCLIPHead(names, dict(arch=arch), unseen=unseen, num_heads=cfg['num_heads'])
    state = zegclip(golden['state_dict'])
    missing, unexpected = (
        torch.nn.ModuleDict(dict(backbone=backbone, decode_head=head))
        .eval()
        .load_state_dict(state, strict=False)
    )
    assert missing == ['decode_head.class_embeddings.embeddings']
    assert not unexpected
    head.set_embeddings(text)

    inputs = backbone(golden['img'])
    check('feat', inputs[0], golden['feat'])
    check('cls', inputs[1], golden['cls'])
    metas = [dict(img_shape=golden['img'].shape[2:])]
    check('pred', head.predict(inputs, metas, {}), golden['pred'])
    head.seen_offset = 0.0
    check('pred_st', head.predict(inputs, metas, {}), golden['pred_st'])

    loss = MaskLoss(squared=False, smooth=1.0, count_ignored_as_negative=True)
    size = dict(size=golden['gt'].shape[2:], mode='bilinear')
    seen = torch.nn.functional.interpolate(head(inputs, rows=cfg['seen']), **size)
    terms = loss.terms(seen, golden['gt'][:, 0])
    check('loss_mask', terms['loss_focal'], golden['loss_mask'])
    check('loss_dice', terms['loss_dice'], golden['loss_dice'])
    given = golden['gt_st'].reshape(golden['pseudo_gt'].shape)
    made = best_of(head(inputs), head.unseen, given.shape[2:])[:, None]
    assert torch.equal(made.where(given == UNLABELLED, given), golden['pseudo_gt'])
    every = torch.nn.functional.interpolate(head(inputs), **size)
    terms = loss.terms(every, golden['pseudo_gt'][:, 0])
    check('loss_mask_st', terms['loss_focal'], golden['loss_mask_st'])
    check('loss_dice_st', terms['loss_dice'], golden['loss_dice_st'])


def maskclip_heads(text: torch.Tensor, arch: CLIPArch) -> dict:
    """Heads by the name of the output that the golden file has for their settings."""
    from mmseg_zsclip.models.maskclip import MaskCLIPHead

    heads = {}
    for name, settings in dict(
        plain={},
        ks=dict(ks_thresh=1.0),
        pd=dict(pd_thresh=0.5),
        kspd=dict(ks_thresh=1.0, pd_thresh=0.5),
        ks_t=dict(ks_thresh=0.6),
    ).items():
        head = MaskCLIPHead(
            [f'class {i}' for i in range(len(text))],
            dict(arch=arch),
            released_refinement=True,
            **settings,
        )
        head.set_embeddings(text)
        heads[f'out_{name}'] = head
    return heads


def check_maskclip_outputs(inputs: tuple, golden: dict, arch: CLIPArch) -> None:
    for name, head in maskclip_heads(golden['text'], arch).items():
        unit = (
            1 if head.ks_thresh else head.scale
        )  # without key smoothing the release's are cosines
        check(name, head(inputs) / unit, golden[name])


@pytest.mark.parametrize('path', goldens('maskclip'))
@torch.no_grad()
def test_maskclip(path):
    from mmseg_zsclip.models.maskclip import MaskCLIPViT
    from mmseg_zsclip.models.released import maskclip

    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    arch = golden_vit(cfg)
    backbone = MaskCLIPViT(arch, released_keys=True, released_tower=True)
    backbone.load_state_dict(maskclip(golden['state_dict'], golden['proj']))
    inputs = backbone(golden['img'])
    check('v', inputs[0], F.conv2d(golden['v'], golden['proj'][:, :, None, None]))
    check('k', inputs[1].flatten(2).transpose(1, 2), golden['k'])
    check_maskclip_outputs(inputs, golden, arch)

    last = MaskCLIPViT(arch, attention='last', released_tower=True)
    last.load_state_dict(backbone.state_dict())
    check('x', last(golden['img'])[0], F.conv2d(golden['x'], golden['proj'][:, :, None, None]))


@pytest.mark.parametrize('path', goldens('maskclipres'))
@torch.no_grad()
def test_maskclip_resnet(path):
    from mmseg_zsclip.models.maskclip import MaskCLIPResNet

    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    arch = CLIPArch(
        'golden',
        embed_dim=cfg['output_dim'],
        image_size=64,
        vision_layers=(1, 1, 1, 1),
        vision_width=cfg['in_channels'] // 32,
        patch_size=None,
        vision_heads=cfg['num_heads'],
        text_width=8,
        text_heads=1,
        text_layers=1,
    )
    for attention in ('value', 'last'):
        backbone = MaskCLIPResNet(arch, attention=attention, pool_positions=False)
        backbone.init_weights()
        missing, unexpected = backbone.visual.attnpool.load_state_dict(
            golden['state_dict'], strict=False
        )
        assert missing == ['positional_embedding']
        assert not unexpected
        inputs = backbone.pool(golden['x'])
        if attention == 'value':
            check_maskclip_outputs(inputs, golden, arch)
        else:
            head = maskclip_heads(golden['text'], arch)['out_plain']
            check('out_baseline', head(inputs) / head.scale, golden['out_baseline'])


def ip_clip(cfg: dict, state: dict, clip_size: int | None) -> torch.nn.Module:
    """IP-CLIP as released, of the sizes and with the weights of a golden file."""
    from mmseg_zsclip.models.ip_clip import IPCLIPViT

    arch = golden_vit(cfg)
    encoder = IPCLIPViT(
        arch, start_block=cfg['start_layers'], clip_size=clip_size, released_positions=True
    )
    encoder.visual.load_state_dict(state)
    return encoder.eval()


def cosines(embeddings: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    return 100 * F.normalize(embeddings, dim=-1) @ F.normalize(text, dim=1).T


@pytest.mark.parametrize('path', goldens('maft'))
@torch.no_grad()
def test_maft(path):
    from mmseg_zsclip.losses import mask_aware_loss
    from mmseg_zsclip.losses.mask_aware import min_max
    from mmseg_zsclip.masks import mask_iou

    golden = torch.load(path, weights_only=False)
    encoder = ip_clip(golden['cfg'], golden['state_dict'], None)
    masks, maps, labels = golden['masks'], golden['gt_masks'], golden['gt_labels']
    embeddings, image = encoder(golden['img'], list(masks), with_image=True)
    check('mask_emb', torch.stack(embeddings), golden['mask_emb'])
    check('img_emb', image, golden['img_emb'])
    logits = cosines(torch.stack(embeddings), golden['text'])
    check('logits', logits, golden['logits'])
    iou = torch.cat([mask_iou(*pair) for pair in zip(masks, maps, strict=True)])
    check('iou', iou, golden['iou'])
    check('iou_norm', min_max(iou), golden['iou_norm'])
    check('ma_loss', mask_aware_loss(logits, masks, maps, labels), golden['ma_loss'])


@pytest.mark.parametrize('path', goldens('maftpipe'))
def test_maft_pipeline(path):
    """The release from photos of different sizes to maps, losses and gradients of every tensor."""
    from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, to_255
    from mmseg_zsclip.losses import mask_aware_loss, self_distillation_loss
    from mmseg_zsclip.models.fusion import (
        Ensemble,
        semantic_labels,
        semantic_scores,
    )
    from mmseg_zsclip.models.mask_ops import photo_masks
    from mmseg_zsclip.models.proposals import Proposals

    golden = torch.load(path, weights_only=False)
    cfg, photos = golden['cfg'], golden['img']
    student, teacher = (
        ip_clip(cfg, golden[key], cfg['clip_size']) for key in ('state_dict', 'teacher')
    )
    size = [
        -(-max(sides) // cfg['size_divisibility']) * cfg['size_divisibility']
        for sides in zip(*(photo.shape[1:] for photo in photos), strict=True)
    ]

    def pad(photo):  # right and bottom
        return F.pad(photo, (0, size[1] - photo.shape[2], 0, size[0] - photo.shape[1]))

    mean, std = (torch.tensor(to_255(row))[:, None, None] for row in (CLIP_MEAN, CLIP_STD))
    images = torch.stack([pad((photo - mean) / std) for photo in photos])
    masks = F.interpolate(golden['pred_masks'], size, mode='bilinear', align_corners=True).sigmoid()
    embeddings, whole = student(images, list(masks), with_image=True)
    check('logits', cosines(torch.stack(embeddings), golden['text']), golden['logits'])
    text = golden['text'][:-1]  # without the row of no object
    logits = cosines(torch.stack(embeddings), text)

    weight = cfg['ensemble_weight']
    eq9 = Ensemble(seen=1 - weight, unseen=weight)
    new = [c for c in range(cfg['C']) if c not in cfg['seen']]
    for name, fusion, unseen in (
        ('clip_only', Ensemble(), new),
        ('ensemble', eq9, new),
        ('ensemble_all_unseen', eq9, range(cfg['C'])),
    ):
        for i, (photo, expected) in enumerate(zip(photos, golden[f'sem_seg_{name}'], strict=True)):
            height, width = photo.shape[1:]
            kept = slice(height), slice(width)
            proposals = Proposals(
                masks[i].detach(),
                torch.ones(len(masks[i])),
                golden['pred_logits'][i].softmax(dim=1)[:, :-1],
            )
            scores = fusion(logits[i].softmax(dim=1).detach(), proposals, unseen, kept)
            resized = photo_masks(
                proposals.masks,
                dict(
                    ori_shape=golden['out_size'][i],
                    padding_size=(0, size[1] - width, 0, size[0] - height),
                ),
            )
            check(name, semantic_scores(scores, resized), expected)
            assert torch.equal(semantic_labels(scores, resized, 255), expected.argmax(dim=0))

    maps = [pad(one.float()) for one in golden['gt_masks']]
    ma_loss = mask_aware_loss(logits, masks, maps, golden['gt_labels'])
    with torch.no_grad():
        wanted = teacher.image_embeddings(images)
    dis_loss = self_distillation_loss(cosines(whole, text), cosines(wanted, text))
    check('ma_loss', ma_loss, golden['ma_loss'])
    check('dis_loss', dis_loss, golden['dis_loss'])
    (ma_loss + dis_loss).backward()
    for name, expected in golden['grad_norms'].items():
        check(name, student.visual.get_parameter(name).grad.norm(), expected)


@pytest.mark.parametrize('path', goldens('subimages'))
def test_sub_images(path):
    from mmseg_zsclip.clip.archs import CLIP_MEAN, CLIP_STD, to_255
    from mmseg_zsclip.models.mask_ops import sub_images

    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    mean, std = (torch.tensor(to_255(row))[:, None, None] for row in (CLIP_MEAN, CLIP_STD))
    fill = dict(mean=0.0, zero=-(mean / std).flatten())[cfg['fill']]
    pictures, valid = sub_images(
        (golden['img'] - mean) / std, golden['masks'], cfg['size'], 'mask+crop', fill
    )
    assert torch.equal(valid, golden['valid'])
    check('every_7th', pictures[..., ::7, ::7], golden['every_7th'])
    check('mean', pictures.mean(dim=(2, 3)), golden['mean'])
    check('std', pictures.std(dim=(2, 3)), golden['std'])


@pytest.mark.parametrize('path', goldens('freesegtext'))
@torch.no_grad()
def test_the_text_interaction_of_freeseg(path):
    from mmseg_zsclip.models.free_seg import TextInteraction

    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    module = TextInteraction(cfg['q_dim'], cfg['k_dim'], cfg['embed_dim'], cfg['num_heads']).eval()
    module.load_state_dict(golden['state_dict'])
    *maps, mask_features = module([*golden['multi_scale'], golden['mask_features']], golden['text'])
    for ours, expected in zip(maps, golden['out_multi_scale'], strict=True):
        check('out_multi_scale', ours, expected)
    check('out_mask_features', mask_features, golden['out_mask_features'])


def test_the_repository_holds_the_reference_tensors_itself():
    """A stranger has no folder beside the clone, and every test above would skip."""
    for method in (
        'zegclip',
        'maskclip',
        'maskclipres',
        'maft',
        'maftpipe',
        'subimages',
        'freesegtext',
    ):
        assert list((HERE / 'goldens').glob(f'{method}_*.pt')), method


@pytest.mark.parametrize('path', goldens('mtaloss'))
@pytest.mark.parametrize('similarity', ['dot', 'cosine'])
def test_mta_loss(path, similarity):
    from mmseg_zsclip.losses import MaskTextLoss, contrastive_terms, mask_text_similarity

    golden = torch.load(path, weights_only=False)
    expected, tau = golden[similarity], golden['cfg']['tau']
    masks, text = (golden[f'{name}_queries'].double()[None] for name in ('mask', 'text'))
    labels = golden['labels'][None]
    scores = mask_text_similarity(masks, text, tau, similarity)
    matched = labels >= 0

    def equal(ours: torch.Tensor, theirs: torch.Tensor) -> None:
        # the file's inputs are float32, roundings of what its double results were made from
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)

    for negatives in ('mix', 'separate'):
        equal(contrastive_terms(scores, labels, negatives)[matched], expected[negatives])
        for normaliser, name in (('queries', 'over_N'), ('matched', 'mean_matched')):
            loss = MaskTextLoss(tau, False, similarity, negatives, normaliser)
            equal(loss(masks, text, labels), expected[f'{negatives}_{name}'])
    equal(contrastive_terms(scores[..., :1], labels)[matched], expected['single_context'])
    own = scores[0, matched[0], labels[matched]]
    assert own.argmax(dim=1).tolist() == expected['best'].tolist()
