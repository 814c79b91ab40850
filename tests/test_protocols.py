"""Two ways to evaluate that must never be mixed: every config of MaskCLIP on photos says which is
its own, has its settings, and predicts."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_zsclip.apis.configs import find_config, shipped_configs
from mmseg_zsclip.apis.launch import set_weights
from mmseg_zsclip.clip.archs import CLIPArch
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.lists import load_classes

CONFIGS = [
    path
    for path in shipped_configs()
    if path.stem.startswith('maskclip_') and path.parent.name == 'maskclip'
]
SETS = (
    'voc20',
    'voc21',
    'context59',
    'context60',
    'coco-object',
    'coco-stuff',
    'ade20k',
    'cityscapes',
)
TINY = {
    'ViT-B-16': CLIPArch('tiny', 16, 64, 2, 24, 16, 4, 16, 2, 1),
    'RN50': CLIPArch('RN-tiny', 16, 64, (1, 1, 1, 1), 2, None, 4, 16, 2, 1),
}


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request):
    return Config.fromfile(request.param)


def predict(config, photo, tmp_path):
    """The size that the model sees (h, w), and the label map of `photo` from random weights."""
    init_default_scope('mmseg')
    set_weights(config, None)
    head = config.model.decode_head
    config.model.backbone.arch = head.text.arch = TINY[head.text.arch]
    model = MODELS.build(config.model).eval()
    model.set_embeddings(torch.randn_like(model.vocabulary.embeddings))
    steps = [
        step
        for step in config.test_dataloader.dataset.pipeline
        if step.type != 'mmseg_zsclip.LoadLabels'
    ]
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    sample = Compose(steps)(dict(img_path=str(tmp_path / 'photo.png')))
    with torch.no_grad():
        (out,) = model.test_step(pseudo_collate([sample]))
    return tuple(sample['inputs'].shape[1:]), out.pred_sem_seg.data[0]


@pytest.mark.parametrize('name', SETS)
def test_every_data_set_has_both_protocols(name):
    whole, windows = (
        Config.fromfile(find_config(f'maskclip_vit-b16_{name}{ending}'))
        for ending in ('', '_windows')
    )
    assert (whole.protocol, windows.protocol) == ('whole', 'windows')
    assert whole.test_dataloader.dataset.type == windows.test_dataloader.dataset.type
    assert whole.classes == windows.classes


def test_a_config_has_the_settings_of_its_protocol(config):
    test_cfg, templates = config.model.test_cfg, config.model.decode_head.text.templates
    if config.filename.endswith('_windows.py'):
        assert config.protocol == 'windows'
        assert (test_cfg.mode, test_cfg.crop_size, test_cfg.stride) == (
            'slide',
            (224, 224),
            (112, 112),
        )
        assert templates == 'imagenet'
    else:
        assert config.protocol == 'whole'
        assert test_cfg == dict(mode='whole')
        assert templates == 'vild'
    assert config.val_dataloader.dataset == config.test_dataloader.dataset


def test_a_config_predicts_at_the_photos_own_size(config, tmp_path):
    street = config.classes == 'cityscapes'
    shape = (64, 128) if street else (75, 100)
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    seen, labels = predict(config, photo, tmp_path)
    if config.protocol == 'windows':
        assert seen == ((560, 1120) if street else (336, 448))
    elif config.classes.startswith('context'):
        assert seen == (390, 520)
    else:
        assert seen == ((512, 1024) if street else (512, 683))
    assert labels.shape == shape
    assert labels.max() < len(load_classes(config.classes))


@pytest.mark.parametrize(
    ('name', 'words'),
    [('voc21', 5), ('coco-object', 5), ('voc21_windows', 26), ('coco-object_windows', 25)],
)
def test_background_is_words(name, words):
    config = Config.fromfile(find_config(f'maskclip_vit-b16_{name}'))
    set_weights(config, None)
    config.model.decode_head.text.arch = TINY['ViT-B-16']
    head = MODELS.build(config.model.decode_head)
    assert head.vocabulary.background_start == 0
    rows = head.vocabulary.rows
    assert len(rows) == head.num_classes - 1 + words
    logits = torch.randn(1, len(rows), 1, 1)
    folded = head.fold_background(logits)
    assert folded.shape[1] == head.num_classes
    assert folded[0, 0] == logits[0, :words].max()


def test_words_that_are_classes_are_no_background():
    words = {n: set(load_classes(f'background{n}')) for n in (5, 25, 26)}
    assert words[26] - words[25] == {'bed'} == words[26] & set(load_classes('coco_object'))
    assert words[5] <= set(load_classes('context60'))
    assert len(words[26] & set(load_classes('context60'))) == 15
