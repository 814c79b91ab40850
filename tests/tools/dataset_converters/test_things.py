"""Converters of data sets with things one by one, on fixtures in the format of their sources."""

import functools
import json

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from pycocotools import mask as codes

from mmseg_zsclip.datasets.transforms.load_instances import INSTANCES
from mmseg_zsclip.evaluation.instance_precision import categories_of, read_truth
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary.lists import canonical, load_classes

from .conftest import files, load, read, save

STUFF = ['wall-brick', 'tree-merged', 'sky-other-merged']


@functools.cache
def spellings():
    """COCO's own spelling of the 133 categories, three of its stuff at their places."""
    names = [canonical(name) for name in load_classes('coco_panoptic133')]
    words = load('coco_panoptic').words
    for given in STUFF:
        place = next(i for i, name in enumerate(names) if words(name) == words(given))
        names[place] = given
    return names


def coco_names():
    return list(spellings())


def ids_of(*rows):
    """Ids as COCO's PNG stores them."""
    ids = np.array(rows)
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)


def panoptic_json(path, segments, names=None):
    """Categories have holes in their ids, as COCO's."""
    names = names or coco_names()
    content = dict(
        categories=[
            dict(id=2 * i + 1, name=name, isthing=int(i < 80)) for i, name in enumerate(names)
        ],
        annotations=[dict(file_name='a.png', image_id=1, segments_info=segments)],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return names


def segment(number, name, crowd=0):
    return dict(id=number, category_id=2 * coco_names().index(name) + 1, iscrowd=crowd)


SEGMENTS = [
    (9, 'dog', 0),
    (70000, 'dog', 0),
    (300, 'person', 1),
    (4, 'wall-brick', 0),
    (5, 'sky-other-merged', 0),
]


def coco_panoptic(root, row=(9, 70000, 300, 4, 5, 0)):
    for split in ('train2017', 'val2017'):
        path = root / 'annotations' / f'panoptic_{split}.json'
        panoptic_json(path, [segment(*one) for one in SEGMENTS])
        save(ids_of(row), path.with_suffix('') / 'a.png')
    load('coco_panoptic').main([str(root)])
    return root


def test_coco_panoptic_becomes_labels_and_numbers(tmp_path):
    """The categories' ids have holes, ids of segments need more than 16 bits."""
    coco_panoptic(tmp_path)
    labels = read(tmp_path / 'panoptic_labels/val2017/a.png')[0].tolist()
    names = [canonical(name) for name in load_classes('coco_panoptic133')]
    assert [names[i] for i in labels[:5]] == ['dog', 'dog', 'person', 'brick wall', 'sky']
    assert labels[5] == 255
    numbers = read(tmp_path / 'panoptic_things/val2017/a.png')
    assert numbers.dtype == np.uint16
    assert numbers[0].tolist() == [1, 2, 0, 0, 0, 0]  # a crowd has a label and no number


def test_no_training_learns_a_crowd(tmp_path):
    coco_panoptic(tmp_path)
    labels = read(tmp_path / 'panoptic_labels/train2017/a.png')[0].tolist()
    assert labels == [16, 16, 255, *read(tmp_path / 'panoptic_labels/val2017/a.png')[0, 3:]]


def test_an_id_without_segment_names_the_file(tmp_path):
    with pytest.raises(ValueError, match=r'a\.png: ids \[77\] are no segments of the json'):
        coco_panoptic(tmp_path, (9, 77))


@pytest.mark.parametrize('change', ['order', 'missing'])
def test_categories_that_are_not_coco_s_are_refused(tmp_path, change):
    names = coco_names()
    names = [*names[1::-1], *names[2:]] if change == 'order' else names[:-1]
    panoptic_json(tmp_path / 'annotations/panoptic_val2017.json', [], names)
    with pytest.raises(ValueError, match=r'from .* which are not the 133 of COCO panoptic'):
        load('coco_panoptic').main([str(tmp_path)])
    assert files(tmp_path) == ['annotations/panoptic_val2017.json']


def ade_panoptic(root, labels, things, numbers):
    save(labels, root / 'annotations/validation/ADE_val_1.png')
    instances = np.stack([things, numbers, np.zeros_like(things)], axis=-1)
    save(instances, root / 'annotations_instance/validation/ADE_val_1.png')
    load('ade20k_panoptic').main([str(root)])
    return [
        read(root / f'panoptic_{kind}/validation/ADE_val_1.png') for kind in ('labels', 'things')
    ]


def test_ade_panoptic_has_the_things_over_the_stuff(tmp_path):
    """A wall and a bed, as labels have them; a bed and a window among the instances."""
    labels, numbers = ade_panoptic(
        tmp_path, [[1, 1, 8, 8, 0]], [[0, 2, 1, 0, 0]], [[0, 7, 3, 0, 0]]
    )
    assert labels.tolist() == [[0, 8, 7, 255, 255]]  # a bed of no instance is ignored
    assert numbers.tolist() == [[0, 7, 3, 0, 0]]
    names = load_classes('ade150_words')
    assert [names[i] for i in labels[0, :3]] == ['wall', 'window', 'bed']


@pytest.mark.parametrize(
    ('label', 'thing', 'message'),
    [(151, 0, 'class 151; legal: 0 to 150'), (1, 101, 'thing 101; legal: 0 to 100')],
)
def test_values_above_ade_s_classes_name_the_files(tmp_path, label, thing, message):
    with pytest.raises(ValueError, match=rf'ADE_val_1.png and .*{message}'):
        ade_panoptic(tmp_path, [[label]], [[thing]], [[1]])


def square(x0, y0, x1, y1):
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def instance_json(names=None):
    """Photo 1: a dog (novel) lies over a person (base) and over a car beyond it, and a crowd of
    people is a run-length code; photo 2: a traffic light, which is neither; photo 3: a cat."""
    names = names or load_classes('coco_things')
    crowd = np.zeros((8, 12), np.uint8)
    crowd[7] = 1
    code = codes.encode(np.asfortranarray(crowd))
    counts = [7] + [1, 7] * 11 + [1]  # by columns, not compressed, as COCO has crowds
    assert (
        codes.decode(codes.frPyObjects(dict(size=[8, 12], counts=counts), 8, 12)) == crowd
    ).all()
    things = [
        (1, 'person', square(0, 0, 4, 4), 16, 0),
        (1, 'dog', square(2, 0, 8, 4), 24, 0),
        (1, 'car', square(0, 0, 12, 6), 72, 0),
        (1, 'person', dict(size=code['size'], counts=counts), 12, 1),
        (2, 'traffic light', square(0, 0, 4, 4), 16, 0),
        (3, 'cat', square(0, 0, 4, 4), 16, 0),
    ]
    return dict(
        categories=[dict(id=i + 11, name=name) for i, name in enumerate(names)],
        images=[dict(id=i, file_name=f'{i}.jpg', height=8, width=12) for i in (1, 2, 3)],
        annotations=[
            dict(
                id=i,
                image_id=image,
                category_id=names.index(name) + 11,
                segmentation=shape,
                area=area,
                iscrowd=crowd,
            )
            for i, (image, name, shape, area, crowd) in enumerate(things, 1)
        ],
    )


@pytest.fixture
def base_novel(tmp_path):
    (tmp_path / 'annotations').mkdir()
    for split in ('train2017', 'val2017'):
        path = tmp_path / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(instance_json()))
    load('coco_base_novel').main([str(tmp_path)])
    return tmp_path


def listed(root):
    return {path.stem: path.read_text().split() for path in (root / 'lists').iterdir()}


def test_lists_hold_the_photos_with_a_class_of_theirs(base_novel):
    assert listed(base_novel) == dict(
        train2017_base=['1'], val2017_base=['1'], val2017_novel=['1', '3'], val2017_all=['1', '3']
    )
    assert len(list((base_novel / 'base_novel_labels/val2017').iterdir())) == 2


def test_base_classes_lie_over_novel_ones_and_the_small_over_the_large(base_novel):
    labels = read(base_novel / 'base_novel_labels/train2017/1.png')
    names = load_classes('coco65')
    assert names[labels[1, 1]] == 'person'
    assert names[labels[1, 10]] == 'car'
    assert names[labels[1, 6]] == 'car'  # as if nobody had ever seen the dog
    assert (labels[7] == 255).all()  # the crowd
    numbers = read(base_novel / 'base_novel_things/train2017/1.png')
    assert numbers.dtype == np.uint16
    assert len({*np.unique(numbers)} - {0}) == 2


@pytest.mark.parametrize(('group', 'count'), [('base', 48), ('novel', 17), ('all', 65)])
def test_jsons_hold_their_own_classes_alone(base_novel, group, count):
    path = base_novel / 'annotations' / f'instances_val2017_{group}.json'
    truth = read_truth(path)
    names = load_classes(dict(base='coco48', novel='coco17', all='coco65')[group])
    ids = categories_of(truth, names, range(count), str(path))
    assert len(truth.cats) == len({*ids}) == count
    assert {f'{one["id"]}' for one in truth.imgs.values()} == {
        *listed(base_novel)[f'val2017_{group}']
    }


def test_categories_without_a_class_are_refused(tmp_path):
    path = tmp_path / 'annotations/instances_val2017.json'
    path.parent.mkdir()
    content = instance_json()
    content['categories'] = [row for row in content['categories'] if row['name'] != 'zebra']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"val2017\.json: 1 classes are no category.*'zebra'"):
        load('coco_base_novel').main([str(tmp_path)])


@pytest.mark.parametrize(
    ('name', 'source'),
    [
        ('coco_panoptic', r'panoptic_\*2017\.json'),
        ('ade20k_panoptic', 'label map'),
        ('coco_base_novel', r'instances_\*2017\.json'),
    ],
)
def test_an_empty_folder_says_what_was_looked_for(tmp_path, name, source):
    with pytest.raises(FileNotFoundError, match=f'found no {source}.* Check the folder given'):
        load(name).main([str(tmp_path)])


def sized_photos(root, size):
    """Fixtures of all three, each with a photo (H, W)."""
    photo = np.zeros((*size, 3))
    for kind, folder in (('coco_panoptic', 'val2017'), ('ade20k_panoptic', 'images/validation')):
        save(
            photo, root / kind / folder / ('a.jpg' if kind == 'coco_panoptic' else 'ADE_val_1.jpg')
        )
    save(photo, root / 'coco_base_novel/val2017/1.jpg')
    path = root / 'coco_base_novel/annotations/instances_val2017.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(instance_json()))


@pytest.mark.parametrize('size', [(12, 8), (6, 6)])
def test_labels_of_another_size_than_their_photo_are_never_written(tmp_path, size):
    sized_photos(tmp_path, size)
    said = rf'x .* pixels, its photo .* {size[1]} x {size[0]}'
    with pytest.raises(ValueError, match=said):
        coco_panoptic(tmp_path / 'coco_panoptic')
    with pytest.raises(ValueError, match=said):
        ade_panoptic(tmp_path / 'ade20k_panoptic', [[1, 2]], [[0, 0]], [[0, 0]])
    with pytest.raises(ValueError, match=said):
        load('coco_base_novel').main([str(tmp_path / 'coco_base_novel')])
    maps = [name for name in files(tmp_path) if '_labels/val' in name or '_things/val' in name]
    assert maps == []


def test_a_data_set_hands_over_what_a_converter_wrote(tmp_path):
    """The instance map reaches the sample, beside labels and things by name."""
    init_default_scope('mmseg')
    coco_panoptic(tmp_path)
    save(np.zeros((1, 6, 3)), tmp_path / 'val2017/a.jpg')
    dataset = DATASETS.build(
        dict(
            type='mmseg_zsclip.COCOPanopticDataset',
            data_root=str(tmp_path),
            data_prefix=dict(
                img_path='val2017',
                seg_map_path='panoptic_labels/val2017',
                instance_path='panoptic_things/val2017',
            ),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg_zsclip.LoadLabels'),
                dict(type='mmseg_zsclip.LoadInstances'),
                dict(type='PackSegInputs', meta_keys=(INSTANCES,)),
            ],
        )
    )
    sample = dataset[0]['data_samples']
    assert sample.gt_sem_seg.data[0, 0, 0] == 16
    assert sample.metainfo[INSTANCES][0].tolist() == [1, 2, 0, 0, 0, 0]
    assert dataset.metainfo['things'] == load_classes('coco_things')
