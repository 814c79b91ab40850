"""A split that drifts by one name changes every unseen number: contents are pinned by hash."""

import hashlib

import pytest

from mmseg_zsclip.vocabulary.lists import (
    canonical,
    load_classes,
    load_unseen,
    split_indices,
    splits,
    vocabularies,
)

CLASSES = {
    'ade150': (150, 'f9dbd8a75a07'),
    'ade150_words': (150, 'a997f1a4d99d'),
    'ade847': (847, 'a03411dd9ff6'),
    'ade_things': (100, '3b1a94b89346'),
    'background5': (5, 'b431cc66ae73'),
    'background25': (25, 'a55a8aaf3b77'),
    'background26': (26, 'bcfdf1a3178c'),
    'camvid': (11, '4079fe08a5ee'),
    'cityscapes': (19, '5995d02d6c57'),
    'coco17': (17, '12051852c10b'),
    'coco48': (48, '9787ec2c7bfb'),
    'coco65': (65, 'f38680c89fa0'),
    'coco_object': (81, '1f17b53017e4'),
    'coco_panoptic133': (133, 'e0896b779c2a'),
    'coco_stuff171': (171, '8ea44449837d'),
    'coco_things': (80, 'd7654b261015'),
    'context59': (59, 'cd808465f06a'),
    'context60': (60, 'e29ff1a0eaea'),
    'pc459': (459, 'f22a02ac1b84'),
    'toy': (20, '852a7f88b5c6'),
    'toy_target': (13, '62ddbf028e4d'),
    'voc20': (20, '7d877f185c80'),
    'voc21': (21, '301e5e4e2a9a'),
}
SPLITS = {
    'ade847': (572, 275, 'da8b9122076b'),
    'camvid': (8, 3, 'ae01ae997265'),
    'coco65': (48, 17, '12051852c10b'),
    'coco_stuff171': (156, 15, '533ffb0b4f97'),
    'context59': (49, 10, '76d001884633'),
    'context60': (50, 10, '76d001884633'),
    'toy': (15, 5, 'a0fb9f8ce254'),
    'toy_target': (10, 3, 'c1c257bf2a3e'),
    'voc20': (15, 5, '574684881ecc'),
    'voc21': (16, 5, '574684881ecc'),
}


def digest(names):
    return hashlib.sha256('\n'.join(map(canonical, names)).encode()).hexdigest()[:12]


def test_nothing_is_shipped_untested():
    assert set(vocabularies()) == set(CLASSES)
    assert set(splits()) == {*SPLITS, 'none'}


@pytest.mark.parametrize('name', CLASSES)
def test_class_lists_are_pinned(name):
    classes = load_classes(name)
    assert (len(classes), digest(classes)) == CLASSES[name]


@pytest.mark.parametrize('name', SPLITS)
def test_splits_are_pinned(name):
    classes = load_classes(name)
    seen, unseen = split_indices(classes, load_unseen(name))
    assert (len(seen), len(unseen), digest(load_unseen(name, classes))) == SPLITS[name]
    assert sorted(seen + unseen) == list(range(len(classes)))


def test_coco_base_and_novel_are_the_split():
    classes = load_classes('coco65')
    parts = split_indices(classes, load_unseen('coco65'))
    lists = [[classes[i] for i in part] for part in parts]
    assert lists == [load_classes('coco48'), load_classes('coco17')]


def test_coco_stuff_split_is_zegclips_index_list():
    _, unseen = split_indices(load_classes('coco_stuff171'), load_unseen('coco_stuff171'))
    assert unseen == (19, 23, 28, 29, 36, 51, 76, 88, 94, 112, 133, 136, 137, 157, 160)


@pytest.mark.parametrize(
    ('name', 'dataset'),
    [
        ('voc21', 'PascalVOCDataset'),
        ('context59', 'PascalContextDataset59'),
        ('context60', 'PascalContextDataset'),
        ('coco_stuff171', 'COCOStuffDataset'),
        ('ade150', 'ADE20KDataset'),
        ('cityscapes', 'CityscapesDataset'),
    ],
)
def test_names_and_order_are_mmsegs(name, dataset):
    import mmseg.datasets

    theirs = getattr(mmseg.datasets, dataset).METAINFO['classes']
    assert [canonical(c) for c in load_classes(name)] == [c.strip() for c in theirs]


def test_voc20_is_voc_without_background():
    assert load_classes('voc20') == load_classes('voc21')[1:]


def test_coco_object_is_background_and_the_80_things():
    assert load_classes('coco_object') == ['background', *load_classes('coco_stuff171')[:80]]


def test_context59_labels_of_the_full_set_are_those_of_the_published_converters():
    full = load_classes('pc459')
    ids = [full.index(name) + 1 for name in load_classes('context59')]
    assert ids == sorted(ids)
    assert ids[:6] == [2, 9, 18, 19, 22, 23]
    assert ids[-3:] == [445, 454, 458]


def test_synonyms_of_other_classes_do_not_steal_a_name():
    classes = load_classes('ade847')
    _, found = split_indices(classes, [canonical(line) for line in classes[:-1]])
    assert found == tuple(range(846))


def test_spelling_of_spaces_case_and_hyphens_does_not_matter():
    classes = load_classes('voc20')
    assert load_unseen(['Potted Plant', 'tv-monitor'], classes) == ['pottedplant', 'tvmonitor']


def test_own_files(tmp_path):
    path = tmp_path / 'mine.txt'
    path.write_text('cat, kitten\nsofa\n\n')
    assert load_classes(str(path)) == ['cat, kitten', 'sofa']
    assert load_unseen(path) == ['cat', 'sofa']
    assert split_indices(load_classes(path), ['kitten']) == ((1,), (0,))


def test_none_means_that_all_are_seen():
    assert load_unseen('none') == load_unseen(None) == load_unseen([]) == []


def error(function, *args):
    with pytest.raises((ValueError, FileNotFoundError)) as info:
        function(*args)
    return str(info.value)


def test_a_wrong_split_name_is_an_error_with_the_nearest_legal_names():
    message = error(split_indices, load_classes('voc20'), ['tv monitr'])
    assert message == ("unseen class 'tv monitr' is not one of the 20 classes. Nearest: tvmonitor.")
    assert 'Legal: aeroplane, bicycle' in error(split_indices, load_classes('voc20'), ['xyz'])


@pytest.mark.parametrize(
    ('source', 'words'),
    [
        ('voc', ["unknown class list 'voc'", 'voc20', '.txt']),
        ('missing.txt', ['missing.txt does not exist', 'voc20']),
        ([], ['the given list holds no class']),
        (['cat', ''], ['class 1 is empty']),
        (['cat', 'dog', 'cat, kitten'], ["'cat' names both class 0 and class 2"]),
    ],
)
def test_bad_class_lists(source, words):
    message = error(load_classes, source)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ('source', 'words'),
    [
        ('context', ["unknown seen/unseen split 'context'", 'context59']),
        ('missing.txt', ['missing.txt does not exist', 'none']),
    ],
)
def test_bad_splits(source, words):
    message = error(load_unseen, source)
    assert all(word in message for word in words), message


def test_a_class_given_twice_or_nothing_seen_is_an_error():
    assert 'given twice' in error(split_indices, ['cat', 'dog'], ['cat', 'Cat'])
    assert 'all 2 classes are unseen' in error(split_indices, ['cat', 'dog'], ['cat', 'dog'])


def test_marks_line_ends_and_trailing_blank_lines_of_a_file_do_not_matter(tmp_path):
    path = tmp_path / 'mine.txt'
    path.write_bytes('\ufeffcat,  kitten\r\nsofa\xa0bed\r\n\r\n'.encode())
    assert load_classes(path) == ['cat, kitten', 'sofa bed']
    (tmp_path / 'none.txt').write_text('\n')
    assert load_unseen(tmp_path / 'none.txt') == []


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (['dog', 'Cat', 'cat'], "'cat' names both class 1 and class 2"),
        (['dog', 'car', 'cat, cat'], 'class 2, .* has a synonym twice'),
        (['dog', 'car', 'a,,b'], 'class 2, .* has an empty synonym'),
        (['dog', 'car', ' , '], 'class 2, .* has an empty synonym'),
        (['dog', 'car', '2\tcat'], 'class 2, .* has a tab'),
        (['dog', 'car', '# cat'], 'class 2, .* has a tab, a comment'),
        (['dog', '', 'cat'], 'class 1 is empty'),
    ],
)
def test_a_list_and_a_file_have_one_parser_which_names_the_line(tmp_path, names, words):
    with pytest.raises(ValueError, match=words):
        load_classes(names)
    path = tmp_path / 'mine.txt'
    path.write_text('\n'.join(names))
    with pytest.raises(ValueError, match=rf'mine\.txt, line {2 if "" in names else 3}: .*{words}'):
        load_classes(path)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('cat\nmaïs'.encode('latin-1'), r'line 2: byte 0xef is not UTF-8'),
        ('cat\ndog'.encode('utf-16'), 'UTF-16'),
        ('cat\ndog'.encode('utf-16-le'), 'UTF-16'),
    ],
)
def test_another_encoding_names_the_file_and_the_line(tmp_path, content, words):
    (tmp_path / 'mine.txt').write_bytes(content)
    with pytest.raises(ValueError, match=rf'mine\.txt, .*{words}'):
        load_classes(tmp_path / 'mine.txt')
