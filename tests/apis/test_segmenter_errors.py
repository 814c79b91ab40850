"""What a call refuses, and what it says."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.configs import ConfigNotFoundError

PHOTO = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        ([], 'holds no class'),
        ('', 'holds no class'),
        (' ; ', 'holds no class'),
        ('sky;;sea', r"class 1 is empty \(''\)"),
        (['cat', 'Cat'], "'Cat' names both class 0 and class 1"),
        (['cat', 'cat, cat'], 'has a synonym twice'),
        (['cat', 3], 'no text'),
        (['cat', 'word ' * 80], '77'),
        ({'a': ['cat'], 'b': ['cat']}, "'cat' names both"),
        (3, r'names are in a list.*got 3 \(int\)'),
        ({'cat', 'dog'}, 'names are in a list'),
    ],
)
def test_wrong_classes(seg, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        seg(PHOTO, classes)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(threshold=2), 'threshold is 2; legal values: a probability, 0 to 1'),
        (dict(threshold='a'), "threshold is 'a'"),
        (dict(threshold=float('nan')), 'threshold is nan'),
        (dict(tasks=['instance']), r'OneStageSegmentor\) gives semantic'),
        (dict(tasks='semantic'), "tasks is 'semantic'"),
        (dict(tasks=[]), 'tasks is'),
        (dict(tasks=5), 'tasks is 5; this model'),
        (dict(tasks=[['semantic']]), 'tasks is'),
        (dict(background=['sea']), "'sea' is a class, and a word for everything else"),
        (dict(background=[]), 'holds no class'),
    ],
)
def test_wrong_options(seg, options, message):
    with pytest.raises(ValueError, match=message):
        seg(PHOTO, 'sky; sea', **options)


def test_photos_that_are_none(seg, tmp_path):
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.jpg').write_text('no photo')
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'whole.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'whole.png').read_bytes()[:-9000])
    for name, message in {
        'empty.jpg': 'empty.jpg is empty',
        'text.jpg': 'text.jpg cannot be decoded',
        'cut.png': 'cut.png is truncated',
        'none.jpg': 'none.jpg does not exist',
        '.': 'is a folder. Give its files',
    }.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            seg(tmp_path / name, 'sky; sea')
    with pytest.raises(ValueError, match='list of photos is empty'):
        seg([], 'sky; sea')


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(ConfigNotFoundError, match=r"no model 'maskclip-vit-b17'.*maskclip-vit-b16"):
        ZeroShotSegmenter('maskclip-vit-b17')


def test_a_model_that_is_trained_names_the_command_that_makes_its_checkpoint():
    with pytest.raises(ValueError, match=r'toy-zegclip needs a checkpoint.*train toy_induc'):
        ZeroShotSegmenter('toy-zegclip')
    with pytest.raises(ValueError, match=r"train toy_inductive\).*ZeroShotSegmenter\('toy_i"):
        ZeroShotSegmenter('toy_inductive')


def test_a_checkpoint_of_another_model_is_refused(tmp_path, seg):
    torch.save(dict(state_dict=seg.model.state_dict()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='the checkpoint does not fit the model. Missing'):
        ZeroShotSegmenter('toy-zegclip', tmp_path / 'a.pth')


def test_clip_weights_of_another_architecture_are_refused():
    from mmseg_zsclip.toy import __path__ as folder

    with pytest.raises(ValueError, match='ViT-T-8'):
        ZeroShotSegmenter('toy', f'{folder[0]}/weights/resnet_contrastive.pt')


def test_a_fixed_list_of_classes_is_refused(tmp_path):
    (tmp_path / 'fixed.py').write_text(
        "_base_ = 'mmseg_zsclip::maskclip/toy_maskclip.py'\n"
        "model = dict(_delete_=True, type='EncoderDecoder', "
        "backbone=dict(type='ResNetV1c', depth=18), "
        "decode_head=dict(type='FCNHead', in_channels=64, channels=8, num_classes=3))\n"
    )
    with pytest.raises(ValueError, match='EncoderDecoder, whose classes are those of its training'):
        ZeroShotSegmenter(tmp_path / 'fixed.py')


@pytest.mark.parametrize('name', ['batch_size', 'cached'])
def test_counts_are_at_least_one(name):
    with pytest.raises(ValueError, match=f'{name} is 0; legal values: a whole number from 1 on'):
        ZeroShotSegmenter('toy', **{name: 0})
