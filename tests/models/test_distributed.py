"""Several processes give the losses, pseudo-labels and weights of one at equal global batch.

In float64: sums in another order differ by 1e-7 of float32, which 20 steps at a rate of 0.1 made
5e-5 of a weight, as much as a small mistake would. In float64 what is left is a mistake. mmdet's
decoders have positions of float32, so MTA-CLIP takes two steps in float32.
"""

import copy
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.labels import UNLABELLED

STEPS = dict(zegclip=10, maskclip_plus=3, mta_clip=2)
WORLDS = dict(zegclip=(2, 4), maskclip_plus=(2,), mta_clip=(2,))
NAMES = dict(classes=['sky', 'road', 'tree', 'car'], text=dict(arch='ViT-XS-8'))
STATISTICS = dict(type='SegDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3, size=(48, 48))
CONFIGS = dict(
    zegclip=dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=STATISTICS,
        backbone=dict(
            type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2, dropout=0.0
        ),
        decode_head=dict(type='mmseg_zsclip.ZegCLIPHead', unseen=['tree'], dropout=0.0, **NAMES),
    ),
    maskclip_plus=dict(
        type='mmseg_zsclip.SelfTrainedSegmentor',
        data_preprocessor=STATISTICS,
        receive='all',
        backbone=dict(  # no batch norm: its statistics are a process's own
            type='mmseg_zsclip.CLIPVisionTransformer', arch='ViT-XS-8', out_indices=(5,)
        ),
        decode_head=dict(
            type='mmseg_zsclip.TextHead',
            head=dict(
                type='mmseg_zsclip.DeepLabV2Head',
                in_channels=192,
                in_index=0,
                channels=16,
                dilations=(1, 2),
                dropout_ratio=0.0,
                loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
            ),
            **NAMES,
        ),
        teacher=dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=STATISTICS,
            backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
            decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', **NAMES),
            test_cfg=dict(mode='whole'),
        ),
        test_cfg=dict(mode='whole'),
    ),
)


ATTENTION = dict(embed_dims=16, num_heads=2, dropout=0.0, batch_first=True)
FFN = dict(embed_dims=16, feedforward_channels=16, num_fcs=2, ffn_drop=0.0)
LAYER = dict(self_attn_cfg=ATTENTION, cross_attn_cfg=ATTENTION, ffn_cfg=FFN)
POSITIONS = dict(num_feats=8, normalize=True)
CONFIGS['mta_clip'] = dict(
    type='mmseg_zsclip.OneStageSegmentor',
    data_preprocessor=STATISTICS,
    backbone=dict(  # no batch norm here either
        type='mmseg_zsclip.CLIPVisionTransformer', arch='ViT-XS-8', out_indices=(1, 2, 4, 5)
    ),
    neck=dict(
        type='mmseg_zsclip.NormedPyramid', embed_dim=192, norm_cfg=dict(type='GN', num_groups=1)
    ),
    decode_head=dict(
        type='mmseg_zsclip.MTACLIPHead',
        classes=NAMES['classes'],
        text=dict(NAMES['text'], contexts=2, length=4),
        loss_sim=dict(type='mmseg_zsclip.MaskTextLoss', normaliser='matched'),
        in_channels=[192] * 4,
        strides=[2, 4, 8, 16],
        feat_channels=16,
        out_channels=16,
        num_queries=6,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='mmdet.MSDeformAttnPixelDecoder',
            num_outs=3,
            norm_cfg=dict(type='GN', num_groups=4),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(
                    self_attn_cfg=dict(ATTENTION, num_levels=3, num_points=4), ffn_cfg=FFN
                ),
            ),
            positional_encoding=POSITIONS,
        ),
        positional_encoding=POSITIONS,
        transformer_decoder=dict(return_intermediate=True, num_layers=2, layer_cfg=LAYER),
        # mmdet divides it by the masks of one process: several differ from one, by its design
        loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=0.0),
        loss_mask=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(type='mmdet.DiceLoss', use_sigmoid=True, naive_dice=True, eps=1.0),
        train_cfg=dict(
            num_points=64,
            oversample_ratio=3.0,
            importance_sample_ratio=0.75,
            sampler=dict(type='mmdet.MaskPseudoSampler'),
            assigner=dict(
                type='mmdet.HungarianAssigner',
                match_costs=[
                    dict(type='mmdet.CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
                    dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1.0),
                ],
            ),
        ),
    ),
    test_cfg=dict(mode='whole'),
)


def same_rows(count, *size, **_):
    """In the place of torch.rand: masks have the same points in one process and in several."""
    generator = torch.Generator().manual_seed(2)
    return torch.empty(size).uniform_(generator=generator).expand(count, *size).clone()


def build(kind):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(copy.deepcopy(CONFIGS[kind])))
    model.init_weights()
    return model


def record_labels(model):
    """What the pseudo-labels of every step are, in a list that grows."""
    labels, made = [], model.made_labels
    model.made_labels = lambda *args: (labels.append(made(*args)), labels[-1])[1]
    return labels


def batches(kind):
    """Four photos a step; photo i has i + 1 class bands, so that processes count unequal masks.
    Without labels for MaskCLIP+."""
    generator = torch.Generator().manual_seed(1)
    bands = torch.tensor([UNLABELLED] * 3 if kind == 'maskclip_plus' else [0, 1, 3])
    for _ in range(STEPS[kind]):
        yield [
            (
                torch.randn(3, 48, 48, generator=generator),
                bands[torch.arange(48) * (i % 3 + 1) // 48].expand(1, 48, 48),
            )
            for i in range(4)
        ]


def run(kind, rank, world, folder):
    torch.set_num_threads(1)
    inner = model = build(kind)
    labels = record_labels(model) if kind == 'maskclip_plus' else []
    model.backbone.with_cp = world == 4
    if world > 1:
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
        dist.init_process_group(
            'gloo', init_method=f'file://{folder}/store{world}', rank=rank, world_size=world
        )
        model = MMDistributedDataParallel(model)  # find_unused_parameters is False
    optim = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=0.1),
            constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
        ),
    )
    if kind == 'mta_clip':
        torch.rand = same_rows
    losses = []
    for step, batch in enumerate(batches(kind)):
        if kind == 'maskclip_plus' and step == STEPS[kind] - 1:
            inner.phase = 'self'
        share = batch[rank * 4 // world : (rank + 1) * 4 // world]
        data = dict(
            inputs=[x for x, _ in share],
            data_samples=[
                SegDataSample(gt_sem_seg=PixelData(data=y), metainfo=dict(img_shape=(48, 48)))
                for _, y in share
            ],
        )
        log = model.train_step(data, optim)
        value = torch.stack([v for k, v in log.items() if 'loss_' in k]).detach()
        if world > 1:
            dist.all_reduce(value)
            value /= world
        losses.append(value)
    torch.save((torch.stack(losses), labels, inner.state_dict()), f'{folder}/{world}_{rank}.pt')
    if world > 1:
        dist.barrier()  # torch 2.1 may hang in the next line where another process has ended
        dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason='torch was built without gloo')
@pytest.mark.parametrize('kind', CONFIGS)
def test_several_processes_equal_one_and_no_parameter_is_unused(tmp_path, kind):
    """Four of them check activation checkpointing as well."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    ranks = [
        subprocess.Popen([sys.executable, __file__, kind, str(rank), str(tmp_path)], env=env)
        for rank in range(max(WORLDS[kind]))
    ]
    assert [rank.wait(timeout=300) for rank in ranks] == [0] * len(ranks)
    losses, labels, weights = torch.load(tmp_path / '1_0.pt')
    noise = 1e-4 if kind == 'mta_clip' else 1e-10
    assert losses.dtype == (torch.float32 if kind == 'mta_clip' else torch.float64)
    assert losses[-1].sum() < losses[0].sum() or kind == 'maskclip_plus'
    for world in WORLDS[kind]:
        shares = [torch.load(tmp_path / f'{world}_{rank}.pt') for rank in range(world)]
        torch.testing.assert_close(shares[0][0], losses, rtol=noise, atol=0)
        for whole, *parts in zip(labels, *(share[1] for share in shares), strict=True):
            assert torch.equal(whole, torch.cat(parts))
        for key, value in weights.items():
            torch.testing.assert_close(shares[0][2][key], value, rtol=0, atol=noise, msg=key)


if __name__ == '__main__':
    kind, rank, folder = sys.argv[1:]
    if kind != 'mta_clip':
        torch.set_default_dtype(torch.float64)
        torch.Tensor.float = torch.Tensor.double  # where the models ask for at least float32
    for world in (1, *WORLDS[kind]):
        if int(rank) < world:
            run(kind, int(rank), world, folder)
