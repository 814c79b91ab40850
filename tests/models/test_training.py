"""Whole runs through MMEngine's runner on four small photos."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import MODELS

CLASSES = ['sky', 'road', 'tree, bush', 'car']  # of the fixture photo_folder
TINY_VIT = dict(
    type='mmseg_zsclip.CLIPVisionTransformer', arch='ViT-XS-8', out_indices=(1, 2, 3, 5)
)


def config(photo_folder, work_dir, model, ours=True):
    """A stock mmseg config; with `ours`, labels, metric and optimizer are this package's."""
    load = [dict(type='LoadImageFromFile')]
    labels = [dict(type='LoadAnnotations')]
    metric = dict(type='IoUMetric')
    if ours:
        labels = [
            dict(type='mmseg_zsclip.LoadLabels', classes=CLASSES),
            dict(type='mmseg_zsclip.HideUnseen', classes=CLASSES, unseen=['tree']),
        ]
        metric = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=['tree'])
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(photo_folder),
        img_suffix='.png',
        seg_map_suffix='.png',
        metainfo=dict(
            classes=tuple(c.split(',')[0] for c in CLASSES),
            palette=[[9 * i, 0, 0] for i in range(4)],
        ),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
    )
    crop = dict(type='RandomCrop', crop_size=(48, 48))
    loader = dict(batch_size=2, num_workers=0)
    return Config(
        dict(
            default_scope='mmseg',
            custom_imports=dict(imports=['mmseg_zsclip']),
            work_dir=str(work_dir),
            model=model,
            train_dataloader=dict(
                **loader,
                sampler=dict(type='InfiniteSampler', shuffle=True),
                dataset=dict(dataset, pipeline=[*load, *labels, crop, dict(type='PackSegInputs')]),
            ),
            val_dataloader=dict(
                **dict(loader, batch_size=1),
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(dataset, pipeline=[*load, *labels[:1], dict(type='PackSegInputs')]),
            ),
            val_evaluator=metric,
            val_cfg=dict(type='ValLoop'),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
            custom_hooks=[dict(type='mmseg_zsclip.StrictLoadHook')],
            log_processor=dict(by_epoch=False),
            log_level='WARNING',
            randomness=dict(seed=0),
        )
    )


def preprocessor(size=(48, 48)):
    return dict(type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size=size)


def uper(backbone, channels):
    return dict(
        type='EncoderDecoder',
        data_preprocessor=preprocessor(),
        backbone=backbone,
        decode_head=dict(
            type='UPerHead',
            in_channels=channels,
            in_index=[0, 1, 2, 3],
            pool_scales=(1, 2),
            channels=16,
            dropout_ratio=0.0,
            num_classes=4,
            norm_cfg=dict(type='BN'),
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        test_cfg=dict(mode='whole'),
    )


def zegclip(type='mmseg_zsclip.OneStageSegmentor', unseen=('tree',)):
    return dict(
        type=type,
        data_preprocessor=preprocessor(),
        backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2),
        decode_head=dict(
            type='mmseg_zsclip.ZegCLIPHead',
            classes=CLASSES,
            unseen=list(unseen),
            text=dict(arch='ViT-XS-8'),
        ),
        test_cfg=dict(mode='slide', crop_size=(48, 48), stride=(24, 24)),
    )


def finished(runner):
    return runner.model.state_dict()


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (TINY_VIT, [192] * 4),
        (dict(type='mmseg_zsclip.CLIPResNet', arch='RN50'), [256, 512, 1024, 2048]),
    ],
)
def test_mmsegs_own_uperhead_trains_on_our_backbone(photo_folder, tmp_path, backbone, channels):
    cfg = config(photo_folder, tmp_path, uper(backbone, channels), ours=False)
    runner = Runner.from_cfg(cfg)
    before = copy.deepcopy(finished(runner))
    runner.train()
    after = finished(runner)
    moved = {k.split('.')[0] for k in after if not torch.equal(after[k], before[k])}
    assert moved == {'backbone', 'decode_head'}


def test_our_head_and_metric_drop_into_a_stock_config(photo_folder, tmp_path):
    model = zegclip('EncoderDecoder')
    model['backbone'] = dict(
        type='ResNetV1c',
        depth=18,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        style='pytorch',
        norm_cfg=dict(type='BN'),
    )
    model['decode_head'] |= dict(query='t', in_channels=512)
    runner = Runner.from_cfg(config(photo_folder, tmp_path, model))
    runner.train()
    metrics = runner.val()
    assert set(metrics) >= {'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU'}


def test_train_save_resume_test_under_weights_only(photo_folder, tmp_path):
    cfg = config(photo_folder, tmp_path, zegclip())
    Runner.from_cfg(copy.deepcopy(cfg)).train()
    cfg.resume = True
    cfg.train_cfg.max_iters = 4
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    runner.train()
    assert runner.iter == 4
    cfg.resume = False
    cfg.load_from = str(tmp_path / 'iter_4.pth')
    cfg.update(
        test_dataloader=cfg.val_dataloader,
        test_evaluator=cfg.val_evaluator,
        test_cfg=dict(type='TestLoop'),
    )
    assert 0 <= Runner.from_cfg(cfg).test()['mIoU'] <= 100


def test_poisoned_unseen_ground_truth_changes_nothing_in_inductive_training(
    photo_folder, tmp_path, same
):
    import numpy as np
    from PIL import Image

    poisoned = tmp_path / 'poisoned'
    (poisoned / 'ann').mkdir(parents=True)
    (poisoned / 'img').symlink_to(photo_folder / 'img')
    for path in (photo_folder / 'ann').iterdir():
        labels = np.array(Image.open(path))
        labels[labels == 2] = 255  # the unseen class vanishes from the ground truth
        Image.fromarray(labels).save(poisoned / 'ann' / path.name)
    states = []
    for root in (photo_folder, poisoned):
        cfg = config(root, tmp_path / root.name, zegclip())
        cfg.pop('val_dataloader'), cfg.pop('val_evaluator'), cfg.pop('val_cfg')
        runner = Runner.from_cfg(cfg)
        runner.train()
        states.append(finished(runner))
    assert all(same(states[0][k], states[1][k]) for k in states[0])


def test_forgotten_hide_unseen_is_a_leak(photo_folder, tmp_path):
    cfg = config(photo_folder, tmp_path, zegclip())
    pipeline = cfg.train_dataloader.dataset.pipeline
    cfg.train_dataloader.dataset.pipeline = [
        t for t in pipeline if not t.type.endswith('HideUnseen')
    ]
    with pytest.raises(ValueError, match='ground-truth leak'):
        Runner.from_cfg(cfg).train()


def test_five_autocast_steps_are_finite():
    """Weights that arrive as half give NaN after a step of Adam;
    ours are float32 (openai/CLIP#40)."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(zegclip())
    model.init_weights()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 48, 48).long()))]
    for _ in range(5):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model(torch.randn(1, 3, 48, 48), samples, mode='loss')
        loss, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_checkpoint_of_another_model_is_an_error_that_lists_the_keys(photo_folder, tmp_path):
    Runner.from_cfg(config(photo_folder, tmp_path, zegclip())).train()
    model = zegclip()
    model['backbone']['num_prompts'] = 3
    cfg = config(photo_folder, tmp_path / 'other', model)
    cfg.load_from = str(tmp_path / 'iter_2.pth')
    with pytest.raises(ValueError, match=r'backbone\.prompts: checkpoint \(6, 2, 192\)'):
        Runner.from_cfg(cfg).train()
