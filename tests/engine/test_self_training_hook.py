"""The switch of phases in whole runs: at its iteration, after a resume, and its errors."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.engine import SelfTrainingHook

CLASSES = ['sky', 'road', 'tree', 'car']  # of the fixture photo_folder
TEXT = dict(arch='ViT-XS-8')
STATISTICS = dict(type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size=(32, 32))


def config(folder, work_dir, max_iters=4, switch=0.5, **model):
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(folder),
        img_suffix='.png',
        seg_map_suffix='.png',
        metainfo=dict(classes=CLASSES),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes=CLASSES),
            dict(type='mmseg_zsclip.HideUnseen', classes=CLASSES, unseen=['tree', 'car']),
            dict(type='RandomCrop', crop_size=(32, 32)),
            dict(type='PackSegInputs'),
        ],
    )
    return Config(
        dict(
            default_scope='mmseg',
            custom_imports=dict(imports=['mmseg_zsclip']),
            work_dir=str(work_dir),
            model=dict(
                type='mmseg_zsclip.SelfTrainedSegmentor',
                data_preprocessor=STATISTICS,
                backbone=dict(
                    type='ResNetV1c',
                    depth=18,
                    base_channels=8,
                    stem_channels=8,
                    norm_cfg=dict(type='BN'),
                ),
                decode_head=dict(
                    type='mmseg_zsclip.TextHead',
                    classes=CLASSES,
                    unseen=['tree', 'car'],
                    text=TEXT,
                    head=dict(
                        type='mmseg_zsclip.DeepLabV2Head',
                        in_channels=64,
                        in_index=3,
                        channels=8,
                        dilations=(1, 2),
                        dropout_ratio=0.0,
                        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
                    ),
                ),
                teacher=dict(
                    type='mmseg_zsclip.OneStageSegmentor',
                    data_preprocessor=STATISTICS,
                    backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
                    decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', classes=CLASSES, text=TEXT),
                    test_cfg=dict(mode='whole'),
                ),
                test_cfg=dict(mode='whole'),
            )
            | model,
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='InfiniteSampler', shuffle=True),
                dataset=dict(
                    type='mmseg_zsclip.hide_labels',
                    mode='transductive',
                    keep_truth=True,
                    dataset=dataset,
                ),
            ),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
            custom_hooks=[
                dict(type='mmseg_zsclip.StrictLoadHook'),
                dict(type='mmseg_zsclip.SelfTrainingHook', switch=switch),
            ],
            log_processor=dict(by_epoch=False),
            log_level='WARNING',
            randomness=dict(seed=0),
        )
    )


def train(cfg):
    """Phases of the steps of a run, and the runner."""
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    phases, loss = [], runner.model.loss
    runner.model.loss = lambda *args: (phases.append(runner.model.phase), loss(*args))[1]
    runner.train()
    return phases, runner


def saved(folder, step):
    return torch.load(folder / f'iter_{step}.pth', weights_only=False)['self_training']


def test_phases_switch_at_the_fraction_and_the_checkpoint_says_so(photo_folder, tmp_path):
    phases, runner = train(config(photo_folder, tmp_path))
    assert phases == ['guided', 'guided', 'self', 'self']
    assert saved(tmp_path, 2) == dict(switch=2, phase='guided')
    assert saved(tmp_path, 3) == dict(switch=2, phase='self')
    history = runner.message_hub.log_scalars
    assert history['train/labelled_by_teacher'].data[0].tolist()[0] > 0
    assert history['train/labelled_by_teacher'].data[0].tolist()[-1] == 0
    assert 0 <= history['train/agreement'].data[0][-1] <= 1


@pytest.mark.parametrize('stop', [2, 3])
def test_a_run_resumed_in_the_middle_is_in_the_right_phase(photo_folder, tmp_path, stop):
    cfg = config(photo_folder, tmp_path, max_iters=stop, switch=2)
    assert train(cfg)[0] == ['guided', 'guided', 'self'][:stop]
    cfg.train_cfg.max_iters, cfg.resume = 4, True
    assert train(cfg)[0] == ['self', 'self'][stop - 2 :]


def test_a_longer_resumed_run_keeps_the_switch_of_the_first(photo_folder, tmp_path):
    cfg = config(photo_folder, tmp_path, max_iters=2, switch=0.5)
    assert train(cfg)[0] == ['guided', 'self']
    cfg.train_cfg.max_iters, cfg.resume = 6, True
    phases, _ = train(cfg)
    assert phases == ['self'] * 4
    assert saved(tmp_path, 6)['switch'] == 1


def test_a_model_without_a_teacher_begins_supervised(photo_folder, tmp_path):
    cfg = config(photo_folder, tmp_path, max_iters=2, teacher=None)
    cfg.custom_hooks[1].before = 'supervised'
    assert train(cfg)[0] == ['supervised', 'self']


@pytest.mark.parametrize('switch', [-1, 1.5])
def test_a_switch_out_of_range_is_refused(switch):
    with pytest.raises(ValueError, match=f'switch is {switch}; legal values'):
        SelfTrainingHook(switch)


def test_a_switch_behind_the_end_is_refused(photo_folder, tmp_path):
    with pytest.raises(ValueError, match='switch is 9, but training ends at 4'):
        train(config(photo_folder, tmp_path, switch=9))


def test_a_model_without_phases_is_refused(photo_folder, tmp_path):
    cfg = config(photo_folder, tmp_path)
    cfg.model.type = 'mmseg_zsclip.OneStageSegmentor'
    cfg.model.pop('teacher')
    with pytest.raises(TypeError, match='OneStageSegmentor has no phases; use'):
        train(cfg)
