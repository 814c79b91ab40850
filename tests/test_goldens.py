"""Reference tensors of the published formulations (see the folder's own README)."""
import os
from pathlib import Path

import pytest
import torch

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.clip.archs import CLIPArch

FOLDER = Path(os.environ.get(
    'ZSCLIP_GOLDENS', Path(__file__).resolve().parents[2] / 'shared' / 'goldens'))
TOLERANCE = 1e-4  # relative to the largest absolute value of the expected tensor


def goldens(method: str) -> list:
    files = sorted(FOLDER.glob(f'{method}_*.pt'))
    return [pytest.param(f, id=f.stem) for f in files] or [pytest.param(None, marks=pytest.mark.skip(
        reason=f'no {method}_*.pt in {FOLDER}; set ZSCLIP_GOLDENS to the folder of goldens'))]


def check(name: str, ours: torch.Tensor, expected: torch.Tensor) -> None:
    assert ours.shape == expected.shape, name
    error = (ours - expected).abs().max() / expected.abs().max()
    assert error < TOLERANCE, f'{name}: relative error {error:.2e}'


@pytest.mark.parametrize('path', goldens('zegclip'))
@torch.no_grad()
def test_zegclip(path):
    from mmseg_zsclip.losses import MaskDiceLoss, MaskFocalLoss
    from mmseg_zsclip.models.released import zegclip
    from mmseg_zsclip.models.zegclip import DeepPromptedViT, ZegCLIPHead

    golden = torch.load(path, weights_only=False)
    cfg, text = golden['cfg'], golden['text']
    arch = CLIPArch(
        'golden', embed_dim=cfg['output_dim'], image_size=cfg['input_resolution'],
        vision_layers=cfg['layers'], vision_width=cfg['width'], patch_size=cfg['patch_size'],
        vision_heads=cfg['heads'], text_width=8, text_heads=1, text_layers=1,
        activation='quick_gelu')
    names = [f'class {i}' for i in range(cfg['C'])]
    unseen = [name for i, name in enumerate(names) if i not in cfg['seen']]
    backbone = DeepPromptedViT(
        arch, num_prompts=cfg['num_tokens'], position_mode='bilinear', cls_added_twice=True)
    head = ZegCLIPHead(names, dict(arch=arch), unseen=unseen, num_heads=cfg['num_heads'])
    state = zegclip(golden['state_dict'])
    missing, unexpected = torch.nn.ModuleDict(
        dict(backbone=backbone, decode_head=head)).eval().load_state_dict(state, strict=False)
    assert missing == ['decode_head.class_embeddings.embeddings']
    assert not unexpected
    head.class_embeddings.embeddings.copy_(text)
    head.class_embeddings.computed = True

    inputs = backbone(golden['img'])
    check('feat', inputs[0], golden['feat'])
    check('cls', inputs[1], golden['cls'])
    metas = [dict(img_shape=golden['img'].shape[2:])]
    check('pred', head.predict(inputs, metas, {}), golden['pred'])
    head.seen_offset = 0.0
    check('pred_st', head.predict(inputs, metas, {}), golden['pred_st'])

    released = dict(count_ignored_as_negative=True)
    focal, dice = MaskFocalLoss(**released), MaskDiceLoss(squared=False, smooth=1.0, **released)
    size = dict(size=golden['gt'].shape[2:], mode='bilinear')
    seen = torch.nn.functional.interpolate(head(inputs, rows=cfg['seen']), **size)
    check('loss_mask', focal(seen, golden['gt'][:, 0]), golden['loss_mask'])
    check('loss_dice', dice(seen, golden['gt'][:, 0]), golden['loss_dice'])
    every = torch.nn.functional.interpolate(head(inputs), **size)
    pseudo = golden['pseudo_gt'][:, 0]
    check('loss_mask_st', focal(every, pseudo), golden['loss_mask_st'])
    check('loss_dice_st', dice(every, pseudo), golden['loss_dice_st'])
