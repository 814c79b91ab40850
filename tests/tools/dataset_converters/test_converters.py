"""Each converter on a fixture in the exact format of its source, and what it says to bad input."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmseg_zsclip.vocabulary.lists import canonical, load_classes

from .conftest import TOOLS, files, load, read, save


def test_there_is_no_untested_converter():
    assert {p.stem for p in TOOLS.glob('*.py')} == {
        'ade20k_full',
        'ade20k_panoptic',
        'camvid',
        'cityscapes',
        'coco_base_novel',
        'coco_panoptic',
        'coco_stuff164k',
        'pascal_context',
        'voc_aug',
        'toy',
    }  # with things: test_things.py; toy.py: tests/toy/test_export.py


def test_coco_stuff_raw_ids_become_the_171_classes(tmp_path):
    raw = [[0, 12, 181, 255]]
    for split in ('train2017', 'val2017'):
        save(raw, tmp_path / 'annotations' / split / '000000000001.png')
    load('coco_stuff164k').main([str(tmp_path)])
    out = tmp_path / 'annotations' / 'val2017' / '000000000001_labelTrainIds.png'
    classes = load_classes('coco_stuff171')
    labels = read(out)[0].tolist()
    assert labels == [0, 11, 170, 255]
    assert [classes[i] for i in labels[:3]] == ['person', 'stop sign', 'wood']
    assert read(tmp_path / 'annotations' / 'val2017' / '000000000001.png').tolist() == raw
    load('coco_stuff164k').main([str(tmp_path)])  # again: converted files are not sources
    assert len(files(tmp_path)) == 4


def test_coco_stuff_table_is_mmsegs():
    import mmseg

    path = Path(mmseg.__file__).parent / '.mim/tools/dataset_converters/coco_stuff164k.py'
    if not path.is_file():
        pytest.skip(f'{path} is not installed')
    spec = importlib.util.spec_from_file_location('mmsegs', path)
    mmsegs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mmsegs)
    ids = np.array(sorted(mmsegs.clsID_to_trID), np.uint8)
    assert load('coco_stuff164k').to_train_ids(ids[None])[0].tolist() == [
        mmsegs.clsID_to_trID[i] for i in ids
    ]


def test_coco_object_is_things_and_background(tmp_path):
    save([[0, 89, 91, 181, 255]], tmp_path / 'annotations' / 'val2017' / 'a.png')
    load('coco_stuff164k').main([str(tmp_path)])
    load('coco_stuff164k').main([str(tmp_path), '--objects'])
    labels = read(tmp_path / 'annotations' / 'val2017' / 'a_instanceTrainIds.png')[0].tolist()
    assert labels == [1, 80, 0, 0, 0]
    classes = load_classes('coco_object')
    assert [classes[i] for i in labels[:3]] == ['person', 'toothbrush', 'background']
    assert len(files(tmp_path)) == 3


def test_coco_stuff_unused_id_names_the_file(tmp_path):
    save([[11]], tmp_path / 'annotations' / 'train2017' / 'a.png')
    with pytest.raises(ValueError, match=r'a\.png: ids \[11\] are not used by COCO-Stuff'):
        load('coco_stuff164k').main([str(tmp_path)])
    assert files(tmp_path) == ['annotations/train2017/a.png']


def test_voc_with_sbd(tmp_path):
    voc, sbd = tmp_path / 'VOC2012', tmp_path / 'sbd'
    for path, names in (
        (voc / 'ImageSets/Segmentation/train.txt', 'a b'),
        (voc / 'ImageSets/Segmentation/val.txt', 'c'),
        (sbd / 'dataset/train.txt', 'b d'),
        (sbd / 'dataset/val.txt', 'c e'),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(names.split()) + '\n')
    (sbd / 'dataset' / 'cls').mkdir()
    mask = np.array([[0, 20], [15, 1]], np.uint8)
    for name in 'bcde':
        savemat(
            sbd / 'dataset' / 'cls' / f'{name}.mat',
            {'GTcls': {'Segmentation': mask, 'Boundaries': 0, 'CategoriesPresent': [1, 15, 20]}},
        )
    load('voc_aug').main([str(voc), str(sbd)])
    lists = voc / 'ImageSets' / 'Segmentation'
    assert (lists / 'aug.txt').read_text().split() == ['d', 'e']
    assert (lists / 'trainaug.txt').read_text().split() == ['a', 'b', 'd', 'e']
    assert files(voc / 'SegmentationClassAug') == ['d.png', 'e.png']
    assert (read(voc / 'SegmentationClassAug' / 'd.png') == mask).all()


def test_sbd_instance_files_are_refused(tmp_path):
    savemat(tmp_path / 'x.mat', {'GTinst': 1})
    with pytest.raises(ValueError, match=r'no GTcls \(it has .*GTinst.*not dataset/inst'):
        load('voc_aug').read_sbd_mask(tmp_path / 'x.mat')


def test_ade20k_full_release_becomes_847_classes(tmp_path):
    module = load('ade20k_full')
    names = [canonical(c) for c in load_classes('ade847')]
    wanted = ['wall', 'aircraft carrier', 'adding machine']
    ids = [module.IDS[names.index(n)] for n in wanted]
    assert ids == [2978, 3144, 3148]
    row = [[i // 256 * 10 + 3, i % 256, 77] for i in ids] + [[0, 0, 0]]
    folder = tmp_path / 'images' / 'ADE' / 'validation' / 'urban' / 'street'
    save(np.full((2, 4, 3), 128), folder / 'ADE_val_00000001.jpg')
    save([row, row], folder / 'ADE_val_00000001_seg.png')
    save([row, row], folder / 'ADE_val_00000001_parts_1.png')
    module.main([str(tmp_path)])
    labels = read(tmp_path / 'annotations_847' / 'validation' / 'ADE_val_00000001.png')
    assert labels.dtype == np.uint16
    assert [names[i] for i in labels[0, :3]] == wanted
    assert labels[0, 3] == 65535
    photo = tmp_path / 'images_847' / 'validation' / 'ADE_val_00000001.jpg'
    assert photo.read_bytes() == (folder / 'ADE_val_00000001.jpg').read_bytes()


def test_ade20k_full_is_shrunk_as_in_maskformer(tmp_path):
    module = load('ade20k_full')
    assert module.shrunk_size(683, 1024, 512) == (512, 768)
    assert module.shrunk_size(1024, 683, 512) == (768, 512)
    assert module.shrunk_size(512, 700, 512) is None
    assert module.shrunk_size(683, 1024, 0) is None
    folder = tmp_path / 'images' / 'ADE' / 'training'
    save(np.zeros((8, 12, 3)), folder / 'ADE_train_1.jpg')
    save(np.full((8, 12, 3), (110, 162, 0)), folder / 'ADE_train_1_seg.png')
    module.main([str(tmp_path), '--short-side', '4'])
    labels = read(tmp_path / 'annotations_847' / 'training' / 'ADE_train_1.png')
    assert labels.shape == (4, 6)
    assert (labels == 0).all()
    assert Image.open(tmp_path / 'images_847' / 'training' / 'ADE_train_1.jpg').size == (6, 4)


def test_ade20k_challenge_masks_are_refused(tmp_path):
    folder = tmp_path / 'images' / 'ADE' / 'training'
    save(np.zeros((2, 2, 3)), folder / 'ADE_train_1.jpg')
    save(np.zeros((2, 2)), folder / 'ADE_train_1_seg.png')
    with pytest.raises(ValueError, match='Give the full release'):
        load('ade20k_full').main([str(tmp_path)])
    assert not list(tmp_path.glob('*_847/*/*'))


def test_cityscapes_ids_become_the_19_classes(tmp_path):
    folder = tmp_path / 'gtFine' / 'train' / 'aachen'
    save([[0, 7, 33, 19, 29, 3]], folder / 'aachen_000000_000019_gtFine_labelIds.png')
    load('cityscapes').main([str(tmp_path)])
    labels = read(folder / 'aachen_000000_000019_gtFine_labelTrainIds.png')[0].tolist()
    names = load_classes('cityscapes')
    assert [i if i == 255 else names[i] for i in labels] == [
        255,
        'road',
        'bicycle',
        'traffic light',
        255,
        255,
    ]
    with pytest.raises(ValueError, match='label id 34; legal: 0 to 33'):
        load('cityscapes').to_train_ids(np.array([[34]]))


def test_camvid_colours_become_the_11_classes(tmp_path):
    module = load('camvid')
    colours = [c for name in load_classes('camvid') for c in module.COLOURS[name]] + [(0, 0, 0)]
    image = np.array(colours, np.uint8).reshape(4, 8, 3).repeat(180, 0).repeat(120, 1)
    name = '0016E5_07959'
    save(image, tmp_path / 'LabeledApproved_full' / f'{name}_L.png')
    save(image, tmp_path / '701_StillsRaw_full' / f'{name}.png')
    module.main([str(tmp_path)])
    labels = read(tmp_path / 'annotations' / 'val' / f'{name}.png')
    assert labels.shape == (360, 480)
    expected = [i for i, n in enumerate(load_classes('camvid')) for _ in module.COLOURS[n]]
    assert labels[45::90, 30::60].ravel().tolist() == [*expected, 255]
    assert Image.open(tmp_path / 'images' / 'val' / f'{name}.jpg').size == (480, 360)


def upright(path, pixels, orientation):
    """A photo (H, W, 3) stored so that the orientation turns it upright."""
    exif = Image.Exif()
    exif[0x112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels, stored))).save(path, exif=exif)


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_a_photo_that_is_written_again_stays_upright(tmp_path, orientation):
    """The orientation was lost, and the pixels stayed as they lay."""
    pixels = np.zeros((720, 960, 3), np.uint8)
    pixels[:360] = 200
    name = '0016E5_07959'
    save(np.full((720, 960, 3), 128), tmp_path / 'LabeledApproved_full' / f'{name}_L.png')
    upright(tmp_path / '701_StillsRaw_full' / f'{name}.png', pixels, orientation)
    load('camvid').main([str(tmp_path)])
    written = Image.open(tmp_path / 'images' / 'val' / f'{name}.jpg')
    assert written.getexif().get(0x112, 1) == 1
    rows = np.asarray(written).mean(axis=(1, 2))
    assert rows[:170].min() > 190
    assert rows[190:].max() < 10
    ade = tmp_path / 'images' / 'ADE' / 'training'
    upright(ade / 'ADE_train_1.jpg', pixels, orientation)
    save(np.zeros((720, 960, 3)), ade / 'ADE_train_1_seg.png')
    load('ade20k_full').main([str(tmp_path)])
    written = read(tmp_path / 'images_847' / 'training' / 'ADE_train_1.jpg')
    assert written.shape == (512, 683, 3)
    assert written[:250].mean() > 190
    assert written[262:].mean() < 10


def sized_pairs(root, size):
    """Where each converter looks for one photo: it is written there, (H, W, 3), with labels of
    (6, 8) that need no photo; and the arguments."""
    photo = np.zeros((*size, 3))
    save([[7] * 8] * 6, root / 'city/gtFine/val/ulm/a_gtFine_labelIds.png')
    save(photo, root / 'city/leftImg8bit/val/ulm/a_leftImg8bit.png')
    save([[0] * 8] * 6, root / 'coco/annotations/val2017/a.png')
    save(photo, root / 'coco/images/val2017/a.jpg')
    save(np.zeros((6, 8, 3)), root / 'ade/images/ADE/training/ADE_a_seg.png')
    save(photo, root / 'ade/images/ADE/training/ADE_a.jpg')
    save(np.full((6, 8, 3), 128), root / 'camvid/LabeledApproved_full/0016E5_07959_L.png')
    save(photo, root / 'camvid/701_StillsRaw_full/0016E5_07959.png')
    for main in (
        root / 'voc/ImageSets/Main',
        root / 'voc/ImageSets/Segmentation',
        root / 'dataset',
    ):
        main.mkdir(parents=True)
        for split in ('train', 'val'):
            (main / f'{split}.txt').write_text(f'{"a" if split == "train" else "b"}\n')
    (root / 'voc/ImageSets/Segmentation/train.txt').write_text('c\n')
    (root / 'mats').mkdir()
    (root / 'dataset/cls').mkdir()
    savemat(root / 'mats/a.mat', {'LabelMap': np.ones((6, 8), np.uint16)})
    savemat(root / 'dataset/cls/a.mat', {'GTcls': {'Segmentation': np.ones((6, 8), np.uint8)}})
    save(photo, root / 'voc/JPEGImages/a.jpg')
    return {
        'cityscapes': [root / 'city'],
        'coco_stuff164k': [root / 'coco'],
        'ade20k_full': [root / 'ade'],
        'camvid': [root / 'camvid'],
        'pascal_context': [root / 'voc', '--annotations', root / 'mats'],
        'voc_aug': [root / 'voc', root],
    }


CONVERTERS = ['ade20k_full', 'camvid', 'cityscapes', 'coco_stuff164k', 'pascal_context', 'voc_aug']


@pytest.mark.parametrize('name', CONVERTERS)
@pytest.mark.parametrize('size', [(12, 16), (8, 6)])
def test_labels_of_another_size_than_their_photo_are_never_written(tmp_path, name, size):
    arguments = sized_pairs(tmp_path, size)[name]
    before = files(tmp_path)
    with pytest.raises(ValueError, match=rf'has 8 x 6 pixels, its photo .* {size[1]} x {size[0]}'):
        load(name).main([str(one) for one in arguments])
    assert files(tmp_path) == before


@pytest.mark.parametrize('name', CONVERTERS)
def test_labels_of_their_photos_size_are_written(tmp_path, name):
    arguments = sized_pairs(tmp_path, (6, 8))[name]
    before = files(tmp_path)
    load(name).main([str(one) for one in arguments])
    assert len(files(tmp_path)) > len(before)


def test_two_photos_of_one_name_are_an_error_and_not_one_file(tmp_path):
    for folder in ('street', 'house'):
        save(np.zeros((2, 2, 3)), tmp_path / 'images/ADE/training' / folder / 'ADE_1.jpg')
        save(np.zeros((2, 2, 3)), tmp_path / 'images/ADE/training' / folder / 'ADE_1_seg.png')
    with pytest.raises(ValueError, match=r'house/ADE_1.jpg and .*street/ADE_1.jpg would both'):
        load('ade20k_full').main([str(tmp_path)])
    assert not list(tmp_path.glob('images_847/*/*'))


def test_camvid_split_is_segnets(shared):
    split_of = load('camvid').split_of
    for split, count in (('train', 367), ('val', 101)):
        names = [p.stem for p in (shared / 'data' / 'camvid' / 'images' / split).iterdir()]
        assert Counter(map(split_of, names)) == {split: count}
    assert split_of('Seq05VD_f00000') == split_of('0001TP_008550') == 'test'


def test_camvid_other_colours_are_refused():
    with pytest.raises(ValueError, match=r'100\.0 % of the pixels have colours .* \[1, 2, 3\]'):
        load('camvid').to_11(np.full((4, 4, 3), (1, 2, 3), np.uint8))
    stray = np.zeros((20, 20, 3), np.uint8)
    stray[0, 0] = 9
    assert (load('camvid').to_11(stray) == 255).all()


@pytest.mark.parametrize('name', ['ade20k_full', 'camvid', 'cityscapes', 'coco_stuff164k'])
def test_an_empty_folder_says_what_was_looked_for(name, tmp_path):
    with pytest.raises(FileNotFoundError, match='found no .* Check the folder given'):
        load(name).main([str(tmp_path)])


def test_several_processes_write_the_same(tmp_path):
    for i in range(3):
        save([[7, 8]], tmp_path / 'gtFine' / 'val' / 'ulm' / f'{i}_gtFine_labelIds.png')
    load('cityscapes').main([str(tmp_path), '--nproc', '2'])
    assert len(files(tmp_path)) == 6
    assert read(tmp_path / 'gtFine/val/ulm/2_gtFine_labelTrainIds.png').tolist() == [[0, 1]]
