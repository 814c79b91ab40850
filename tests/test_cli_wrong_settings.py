"""Settings of a test that cannot work: each is one line of `zsclip test`, with what and where."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.cli import main

FEW = (
    'test_dataloader.dataset.length=2',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
)
SLIDE = 'model.test_cfg.mode=slide'
CROP = 'model.test_cfg.crop_size=[64,64]'
RESIZE = 'test_dataloader.dataset.pipeline.1.type=mmcv.Resize'
UNLABELLED = """
_base_ = 'mmseg_zsclip::maskclip/toy_maskclip.py'
classes = ['sky', 'road']
model = dict(decode_head=dict(classes=classes, unseen='none'))
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    _delete_=True, type='mmseg_zsclip.SegDataset', data_root='.', img_suffix=None,
    data_prefix=dict(img_path='img', seg_map_path=None), metainfo=dict(classes=classes), pipeline=[
        dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 64)),
        dict(type='LOADER'), dict(type='PackSegInputs')]))
test_evaluator = dict(unseen='none')
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zsclip_test(config, *words, options=()):
    options = ['--cfg-options', *options] if options else []
    return main(['test', config, '--work-dir', 'run', *words, *options])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            [SLIDE],
            r"test_cfg\.crop_size is missing; mode='slide' needs .*Set it in model\.test_cfg",
        ),
        ([SLIDE, CROP], r'test_cfg\.stride is missing'),
        (
            [SLIDE, CROP, 'model.test_cfg.stride=0'],
            r'test_cfg\.stride is 0; .*positive whole pixels',
        ),
        ([SLIDE, CROP, 'model.test_cfg.stride=[0,0]'], r'test_cfg\.stride is \[0, 0\]'),
        (
            ['visualizer.type=mmengine.Visualizer'],
            r"with type 'Visualizer' cannot be built: .*unexpected keyword argument 'alpha'",
        ),
        (
            ['visualizer.type=Vizualizer'],
            'an entry of the config cannot be built: Vizualizer is not in',
        ),
        (
            ['model.decode_head.nonsense=1'],
            r"with type 'MaskCLIPHead' cannot be built: .*'nonsense'",
        ),
        (
            ['model.decode_head.num_classes=20'],
            'num_classes=20 is given, but this head takes it from `classes`',
        ),
        (
            ['model.decode_head.loss_decode.type=CrossEntropyLoss'],
            "with type 'MaskCLIPHead' cannot be built: .*multiple values .*'loss_decode'",
        ),
        (['model.decode_head.classes=3'], 'classes is 3; legal: the name of a shipped list'),
        (['model.decode_head.classes=[1,2]'], r'class 0 is 1 \(int\), no text'),
        (['model.decode_head.unseen=3'], "unseen is 3; legal: .*'none': all are seen"),
        (['model.decode_head.text.templates=3'], 'templates is 3; legal: none, single'),
        (['model.data_preprocessor.size=[64]'], r'size of .* is \[64\]; legal: \(height, width'),
        (['default_hooks.logger.ignore_last=3'], "'LoggerHook' cannot be built: .*a boolean"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line(options, message):
    with pytest.raises(SystemExit, match=message) as stopped:
        zsclip_test('toy_maskclip', options=[*FEW, *options])
    assert '\n' not in str(stopped.value)
    assert 'traceback' not in str(stopped.value)


def test_tta_takes_the_resize_of_mmcv_by_its_full_name():
    assert zsclip_test('toy_maskclip', '--tta', options=[*FEW, RESIZE]) == 0


def test_pictures_need_no_visualizer(folder):
    assert (
        zsclip_test('toy_maskclip', '--show-dir', 'shown', options=[*FEW, 'visualizer=None']) == 0
    )
    assert len(list((folder / 'shown').glob('*.png'))) == 2


@pytest.mark.parametrize('loader', ['mmseg_zsclip.LoadLabels', 'mmseg_zsclip.NoLabels'])
def test_photos_without_labels_are_written_and_shown_but_not_scored(loader, folder):
    (folder / 'img').mkdir()
    for name in 'ab':
        noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(noise).save(folder / 'img' / f'{name}.png')
    extra = ', classes=classes' if 'LoadLabels' in loader else ''
    text = UNLABELLED.replace("'LOADER'", f"'{loader}'{extra}")
    (folder / 'cfg.py').write_text(text)
    with pytest.raises(
        SystemExit, match=r"^zsclip: .*img/a.png has no labels.*data_prefix\['seg_map_"
    ):
        zsclip_test('cfg.py')
    assert (
        zsclip_test(
            'cfg.py',
            '--show-dir',
            'shown',
            options=['test_evaluator.format_only=True', 'test_evaluator.output_dir=out'],
        )
        == 0
    )
    assert len(list((folder / 'out').rglob('*.png'))) == 2
    assert len(list((folder / 'shown').rglob('*.png'))) == 2


@pytest.mark.parametrize('option', ['--work-dir', '--show-dir', '--maps-dir'])
def test_a_file_in_the_place_of_a_folder_is_named_before_anything_is_built(folder, option):
    (folder / 'a.txt').touch()
    with pytest.raises(SystemExit, match='a.txt/new cannot be a folder: .*a.txt is none'):
        main(['test', 'toy_maskclip', option, 'a.txt/new'])


def test_of_a_missing_checkpoint_the_nearest_are_named(folder):
    (folder / 'iter_20.pth').touch()
    with pytest.raises(SystemExit, match='In .: iter_20.pth'):
        main(['test', 'toy_maskclip', 'iter_2.pth'])
