"""Training on a folder of one's own: photos, label maps, two lists of names, no Python."""

import json
import shutil
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis.configs import environment_variables, find_config
from mmseg_zsclip.apis.launch import evaluate, load_config, set_weights, train
from mmseg_zsclip.cli import main

NAMES = ['road', 'grass, lawn', 'red car', 'dog']
ENDINGS = ('.jpg', '.JPG', '.png', '.webp', '.tif', '.TIFF', '.bmp', '.jpeg', '.ppm')
QUICK = ('num_workers', 'persistent_workers', 'max_iters', 'val_interval')
SMALL = {  # the same config on a CLIP and crops that a CPU trains in a second
    'model.backbone.arch': 'ViT-XS-8',
    'model.decode_head.text.arch': 'ViT-XS-8',
    'model.data_preprocessor.size': (48, 48),
    'model.test_cfg.crop_size': (48, 48),
    'model.test_cfg.stride': (48, 48),
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'train_dataloader.dataset.pipeline.3.scale': (96, 64),
    'train_dataloader.dataset.pipeline.4.crop_size': (48, 48),
    'val_dataloader.dataset.pipeline.1.scale': (96, 64),
    'test_dataloader.dataset.pipeline.1.scale': (96, 64),
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """20 photos laid out as configs/_base_/datasets/own_data.py describes."""
    rng = np.random.default_rng(0)
    for split, count in (('train', 14), ('val', 6)):
        for part in ('images', 'annotations'):
            (tmp_path / 'own' / part / split).mkdir(parents=True)
        for i in range(count):
            labels = np.kron(rng.integers(0, 4, (4, 6)), np.ones((16, 16))).astype(np.uint8)
            photo = labels[..., None] * 60 + rng.integers(0, 60, (64, 96, 3))
            Image.fromarray(photo.astype(np.uint8)).save(
                tmp_path / 'own' / 'images' / split / f'{i}.jpg'
            )
            Image.fromarray(labels).save(tmp_path / 'own' / 'annotations' / split / f'{i}.png')
    (tmp_path / 'own' / 'classes.txt').write_text('\n'.join(NAMES) + '\n')
    (tmp_path / 'own' / 'unseen.txt').write_text('dog\n')
    monkeypatch.setenv('ZSCLIP_DATA', str(tmp_path / 'own'))
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'own'


def test_twenty_photos_of_ones_own_train_and_evaluate_end_to_end(folder):
    cfg = load_config('own_inductive', work_dir='run', options=SMALL)
    set_weights(cfg, None)
    train(cfg)
    metrics = evaluate(cfg, 'run/iter_2.pth')
    assert {'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU'} <= set(metrics)
    written = [json.loads(path.read_text()) for path in Path('run').rglob('metrics.json')]
    assert [row['name'] for row in written[0]['per_class']] == ['road', 'grass', 'red car', 'dog']
    assert [row['group'] for row in written[0]['per_class']] == ['S', 'S', 'S', 'U']


def test_photos_without_label_maps_train_maskclip_plus(folder):
    shutil.rmtree(folder / 'annotations' / 'train')
    text = {
        f'model.{part}.text.arch': 'ViT-XS-8' for part in ('decode_head', 'teacher.decode_head')
    }
    own = {
        key: value
        for key, value in SMALL.items()
        if 'train_dataloader.dataset' not in key
        and (not key.startswith('model.') or key.endswith('processor.size'))
    }
    cfg = load_config(
        'own_maskclip_plus',
        work_dir='run',
        options={
            **own,
            **text,
            'model.teacher.backbone.type': 'mmseg_zsclip.MaskCLIPViT',
            'model.teacher.backbone.arch': 'ViT-XS-8',
            'model.backbone.depth': 18,
            'model.backbone.base_channels': 8,
            'model.backbone.stem_channels': 8,
            'model.backbone.init_cfg': None,
            'model.decode_head.head.in_channels': 64,
            'train_dataloader.dataset.pipeline.2.scale': (96, 64),
            'train_dataloader.dataset.pipeline.3.crop_size': (48, 48),
        },
    )
    set_weights(cfg, None)
    train(cfg)
    assert 0 <= evaluate(cfg, 'run/iter_2.pth')['mIoU'] <= 100


def test_maskclip_is_tested_on_label_maps_of_ones_own_without_training(folder):
    shutil.rmtree(folder / 'images' / 'train')
    (folder / 'unseen.txt').write_text('')
    own = {
        key: value
        for key, value in SMALL.items()
        if key.startswith('test_dataloader') or key.endswith('arch')
    }
    cfg = load_config('own_maskclip', work_dir='run', options=own)
    set_weights(cfg, None)
    assert 0 < evaluate(cfg, None)['mIoU'] < 100


def mixed(folder):
    """The folder with photos of every ending, and words of the toy world."""
    for photos in (folder / 'images').iterdir():
        for photo, ending in zip(sorted(photos.iterdir()), cycle(ENDINGS), strict=False):
            Image.open(photo).save(photo.with_suffix(ending))
            if ending != '.jpg':
                photo.unlink()
    (folder / 'classes.txt').write_text('sky\ngrass, lawn\nhouse\ntree\n')
    (folder / 'unseen.txt').write_text('tree\n')


@pytest.mark.parametrize('name', ['own_toy_maskclip', 'own_toy_inductive', 'own_toy_maskclip_plus'])
def test_the_small_forms_run_offline_on_photos_of_every_ending(folder, name, capsys):
    mixed(folder)
    assert main(['check', name, '--split', 'val']) == 0
    assert 'val: 6 of 6 photos are whole' in capsys.readouterr().out
    options = {key: value for key, value in SMALL.items() if key.rpartition('.')[2] in QUICK}
    if name == 'own_toy_maskclip':
        options = {key: value for key, value in options.items() if key.startswith('test_dat')}
    cfg = load_config(name, work_dir='run', options=options)
    if name != 'own_toy_maskclip':
        train(cfg)
    weights = None if name == 'own_toy_maskclip' else 'run/iter_2.pth'
    assert 0 <= evaluate(cfg, weights)['mIoU'] <= 100


def test_check_names_the_variable_that_is_not_set(tmp_path, monkeypatch):
    monkeypatch.delenv('ZSCLIP_DATA', raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(['check', 'own_toy_inductive'])
    assert 'ZSCLIP_DATA is not set and stands for data/own: export' in str(ended.value)


def test_toy_weights_of_a_large_tower_say_which_towers_have_them(folder):
    with pytest.raises(SystemExit) as ended:
        main(['test', 'own_maskclip', '--weights', 'toy'])
    assert "no embedded weights 'toy' of architecture 'ViT-B-16'" in str(ended.value)
    assert "'toy' of 'ViT-T-8'" in str(ended.value)


def test_a_folder_without_its_list_of_names_is_named(folder):
    (folder / 'classes.txt').unlink()
    cfg = load_config('own_inductive', work_dir='run', options=SMALL)
    set_weights(cfg, None)
    with pytest.raises(FileNotFoundError, match='classes.txt'):
        train(cfg)


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv('ZSCLIP_DATA', raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError,
        match='data/own/classes.txt does not exist.*ZSCLIP_DATA is '
        'not set and stands for data/own: export ZSCLIP_DATA=PLACE',
    ):
        train(load_config('own_inductive'))
    monkeypatch.setenv('ZSCLIP_DATA', str(tmp_path / 'nowhere'))
    with pytest.raises(FileNotFoundError) as error:
        train(load_config('own_inductive'))
    assert 'export' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'variable'),
    [('voc_inductive', 'ZSCLIP_VOC'), ('maskclip_vit-b16_cityscapes', 'ZSCLIP_CITYSCAPES')],
)
def test_variables_are_found_in_every_base(name, variable):
    assert variable in environment_variables(find_config(name))


def test_weights_that_a_command_makes_name_it(tmp_path, monkeypatch):
    monkeypatch.delenv('ZSCLIP_WEIGHTS', raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('ZSCLIP_CAMVID', str(tmp_path))
    for split in ('train', 'val'):
        for part, ending in (('images', 'jpg'), ('annotations', 'png')):
            (tmp_path / part / split).mkdir(parents=True)
            Image.new('L', (480, 360)).save(tmp_path / part / split / f'0001TP_1.{ending}')
    with pytest.raises(
        FileNotFoundError,
        match='no such weights: work_dirs/camvid_clip/dense.pt.*'
        'ZSCLIP_WEIGHTS is not set.*It is made by: python tools/pretrain_clip.py',
    ):
        train(load_config('camvid_inductive'))
