"""Every config of MTA-CLIP, made small: it trains a step, parts at their rates, and predicts."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.apis.configs import config_root, find_config
from mmseg_zsclip.apis.launch import train
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.engine import WholeCheckpointHook
from mmseg_zsclip.registry import MODELS

PATHS = sorted((config_root() / 'mta_clip').glob('*.py'))
NAMES = ['sky', 'road', 'tree', 'car', 'dog']
SMALLER = dict(
    embed_dims=16,
    num_feats=8,
    feat_channels=16,
    out_channels=16,
    feedforward_channels=16,
    num_heads=2,
    num_queries=6,
    num_groups=4,
    num_points=4,
)
# (type of the backbone) -> keys of a small one, and its channels
BACKBONES = dict(
    CLIPResNet=(dict(arch='RN-T', weights='toy'), [64, 128, 256, 512]),
    CLIPVisionTransformer=(
        dict(arch='ViT-T-8', weights='toy', out_indices=(0, 1, 3, 5)),
        [192] * 4,
    ),
    PixelTextResNet=(dict(arch='RN-T', weights='toy'), [64, 128, 256, 512]),
    PixelTextViT=(
        dict(arch='ViT-T-8', weights='toy', out_indices=(0, 1, 3, 5)),
        [192] * 4,
    ),
    VisionTransformer=(dict(embed_dims=16, num_heads=2, init_cfg=None), [16] * 4),
    MixVisionTransformer=(
        dict(embed_dims=8, num_layers=[1] * 4, init_cfg=None),
        [8, 16, 40, 64],
    ),
)


def shrink(node):
    """In place, every dict of a head's config."""
    for child in node.values():
        if isinstance(child, dict):
            shrink(child)
    node.update({key: value for key, value in SMALLER.items() if key in node})


def small(path):
    """The config with a model of a few channels, few classes and no file to read."""
    config = Config.fromfile(path)
    model, head = config.model, config.model.decode_head
    shrink(head)
    keys, channels = BACKBONES[model.backbone.type.split('.')[-1]]
    model.backbone.update(keys)
    if 'neck' in model:
        model.neck.embed_dim = channels[0]
    head.classes = NAMES
    if 'fpn' in head:
        head.fpn.in_channels = channels
        head.in_channels, head.context.width = [SMALLER['out_channels']] * 4, 16
        if head.get('pyramid'):
            head.pyramid.embed_dim = channels[0]
    else:
        head.in_channels = channels
    if head.text is not None:
        tower = model.backbone.arch if 'fpn' in head else 'ViT-T-8'
        head.text.update(arch=tower, weights='toy')
    model.data_preprocessor.size = (64, 96)
    return config


@pytest.fixture
def build():
    init_default_scope('mmseg')

    def make(config):
        torch.manual_seed(0)
        model = MODELS.build(config.model)
        model.init_weights()
        return model

    return make


def batch():
    """Two photos as the data loader hands them over; a quarter is ignored."""
    labels = torch.zeros(1, 60, 80, dtype=torch.int64)
    labels[:, 30:], labels[:, :, 40:], labels[:, 30:, 40:] = 1, 2, 255
    samples = [
        SegDataSample(
            metainfo=dict(img_shape=(60, 80), ori_shape=(60, 80)),
            gt_sem_seg=PixelData(data=labels.clone()),
        )
        for _ in range(2)
    ]
    photos = torch.randint(0, 256, (2, 3, 60, 80), generator=torch.Generator().manual_seed(0))
    return dict(inputs=list(photos.byte()), data_samples=samples)


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_it_trains_a_step_and_predicts(path, build):
    config = small(path)
    model = build(config)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    losses = model.train().train_step(batch(), optimizer)
    assert all(value.isfinite() for name, value in losses.items() if 'loss' in name)
    aligned = [name for name in losses if name.endswith(('loss_sim', 'loss_scores'))]
    if path.stem.endswith('mask2former'):
        assert aligned == []
    elif path.stem.endswith('pixel_text'):
        assert aligned == ['decode.loss_scores']
    else:
        assert len(aligned) == config.model.decode_head.transformer_decoder.num_layers
    for sample in model.eval().test_step(batch()):
        labels = sample.pred_sem_seg.data
        assert labels.shape == (1, 60, 80)
        assert labels.max() < len(NAMES)


@pytest.mark.parametrize(
    'name', ['ade20k_r50', 'ade20k_vit-b16', 'ade20k_r50_mask2former', 'ade20k_r50_pixel_text']
)
def test_the_backbone_trains_at_a_tenth_and_everything_trained_has_a_rate(name, build):
    config = small(find_config(name))
    model = build(config)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    found = {id(p): group for group in groups for p in group['params']}
    rate = config.optim_wrapper.optimizer.lr
    for key, value in model.named_parameters():
        if not value.requires_grad:
            assert id(value) not in found
            continue
        group = found.pop(id(value))
        backbone = key.startswith('backbone.')
        assert group['lr'] == pytest.approx(rate / 10 if backbone else rate), key
        if key.startswith(('decode_head.query_', 'decode_head.level_embed')):
            assert group['weight_decay'] == 0
    assert not found


def test_tables_1_and_2_have_a_config_each_row_and_both_sizes():
    data = {path.stem: Config.fromfile(path) for path in PATHS}
    for name, crop, steps, batch_size in (
        ('ade20k', 512, 160000, 4),
        ('cityscapes', 1024, 90000, 2),
    ):
        rows = [config for key, config in data.items() if key.startswith(name)]
        assert len(rows) >= 4
        for config in rows:
            (size,) = {
                tuple(step.crop_size)
                for step in config.train_dataloader.dataset.pipeline
                if step.type == 'RandomCrop'
            }
            assert size == tuple(config.model.data_preprocessor.size) == (crop, crop)
            assert config.train_cfg.max_iters == config.param_scheduler[-1].end == steps
            assert config.train_dataloader.batch_size == batch_size
            assert len(config.tta.scales) == 6


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, monkeypatch):
    """Contexts and all else: two steps, killed, two more; and four at once."""
    config = small(find_config('toy_mta_clip'))
    config.model.data_preprocessor.size = (128, 128)
    config.model.decode_head.classes = config.classes
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=5)
    config.default_hooks.checkpoint.interval = 1
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
    config.val_dataloader.dataset.length = 2
    config.update(log_level='ERROR', randomness=dict(seed=0), launcher='none')
    after = WholeCheckpointHook.after_train_iter

    def killed(hook, runner, *args, **kwargs):
        after(hook, runner, *args, **kwargs)
        if runner.iter == 1:
            raise KeyboardInterrupt

    for folder in ('cut', 'whole'):
        config.work_dir = str(tmp_path / folder)
        if folder == 'cut':
            with monkeypatch.context() as patch:
                patch.setattr(WholeCheckpointHook, 'after_train_iter', killed)
                with pytest.raises(KeyboardInterrupt):
                    train(config.copy())
        train(config.copy(), resume=folder == 'cut')
    cut, whole = (
        read_checkpoint(tmp_path / folder / 'iter_4.pth')['state_dict']
        for folder in ('cut', 'whole')
    )
    assert cut.keys() == whole.keys()
    assert [key for key in whole if not torch.equal(cut[key], whole[key])] == []
    first = read_checkpoint(tmp_path / 'cut' / 'iter_3.pth')['state_dict']
    contexts = 'decode_head.text_queries.prompts.contexts'
    assert not torch.equal(first[contexts], whole[contexts])
