"""PASCAL Context in the format of its source, with and without its 459 classes."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from mmseg_zsclip.vocabulary.lists import load_classes

from .conftest import load, read


@pytest.fixture
def context(tmp_path):
    """VOC2010 with two images, as *.mat and as trainval_merged.json, and labels.txt."""
    from pycocotools.mask import encode

    full = load_classes('pc459')
    sky, accordion, wood = (full.index(n) + 1 for n in ('sky', 'accordion', 'wood'))
    label_map = np.array([[0, sky, sky], [accordion, wood, wood]], np.uint16)
    mats = tmp_path / 'trainval'
    mats.mkdir()
    images, segments = [], []
    for i, (name, split) in enumerate((('2008_1', 'train'), ('2008_2', 'val'))):
        savemat(mats / f'{name}.mat', {'LabelMap': label_map})
        path = tmp_path / 'ImageSets' / 'Main' / f'{split}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{name}\nnot_annotated\n')
        images.append(dict(image_id=i, file_name=f'{name}.jpg', phase=split, height=2, width=3))
        for category in (sky, wood):
            code = encode(np.asfortranarray(label_map == category).astype(np.uint8))
            segments.append(
                dict(
                    image_id=i,
                    category_id=category,
                    segmentation=dict(size=code['size'], counts=code['counts'].decode()),
                )
            )
    (tmp_path / 'trainval_merged.json').write_text(
        json.dumps(dict(images=images, annos_segmentation=segments))
    )
    (tmp_path / 'labels.txt').write_text('0: empty\n1: accordion\n459: wool\n')
    return tmp_path


@pytest.mark.parametrize('source', ['trainval', 'trainval_merged.json'])
def test_context_needs_no_detail_package_and_counts_pixels(context, source, capsys):
    load('pascal_context').main([str(context), '--annotations', str(context / source)])
    labels = read(context / 'SegmentationClassContext' / '2008_1.png')
    names = load_classes('context60')
    assert [[names[i] for i in row] for row in labels] == [
        ['background', 'sky', 'sky'],
        ['background', 'wood', 'wood'],
    ]
    for split, name in (('train', '2008_1'), ('val', '2008_2')):
        path = context / 'ImageSets' / 'SegmentationContext' / f'{split}.txt'
        assert path.read_text().split() == [name]
    counts = dict(line.split() for line in capsys.readouterr().out.splitlines()[:60])
    assert (counts['sky'], counts['wood'], counts['background'], counts['cat']) == (
        '4',
        '4',
        '4',
        '0',
    )


def test_context_459_keeps_all_classes(context):
    load('pascal_context').main(
        [str(context), '--annotations', str(context / 'trainval'), '--classes', '459']
    )
    labels = read(context / 'SegmentationClassContext459' / '2008_1.png')
    names = load_classes('pc459')
    assert labels.dtype == np.uint16
    assert labels[0, 0] == 65535
    assert [names[i] for i in labels[1]] == ['accordion', 'wood', 'wood']


def test_context_of_another_label_list_is_refused(context):
    (context / 'labels.txt').write_text('1: acordeon\n')
    with pytest.raises(ValueError, match='differs from names/pc459.txt: 1: acordeon'):
        load('pascal_context').main([str(context), '--annotations', str(context / 'trainval')])


def test_context_mat_of_something_else_is_refused(tmp_path):
    savemat(tmp_path / 'x.mat', {'LabelMap': np.array([[460]])})
    with pytest.raises(ValueError, match=r'x\.mat: 460; legal: a LabelMap of 0 to 459'):
        load('pascal_context').read_mat(tmp_path / 'x.mat')


@pytest.mark.parametrize(
    ('second', 'way'),
    [
        ('2008_1.png', 'Rename'),
        ('more/2008_1.jpg', 'Rename'),
        ('2008_1.JPG', 'Rename'),
        ('2008_1.jpg', 'Name it once'),
    ],
)
def test_two_segmented_photos_of_one_name_are_an_error(context, second, way):
    path = context / 'trainval_merged.json'
    data = json.loads(path.read_text())
    data['images'][1]['file_name'] = second
    path.write_text(json.dumps(data))
    with pytest.raises(
        ValueError, match=f'2008_1.jpg and .*{second} would both be written.* {way}'
    ):
        load('pascal_context').main([str(context), '--annotations', str(path)])
    assert not list((context / 'SegmentationClassContext').iterdir())


def test_a_name_in_two_lists_is_an_error(context):
    (context / 'ImageSets/Main/val.txt').write_text('2008_1\n')
    with pytest.raises(ValueError, match='would both be written .* Name it once'):
        load('pascal_context').main([str(context), '--annotations', str(context / 'trainval')])
