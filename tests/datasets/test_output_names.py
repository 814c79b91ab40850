"""No two photos share the name of what is made from them, and flat folders keep plain names."""

from types import SimpleNamespace

import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from PIL import Image
from torch.utils.data import Subset

from mmseg_zsclip.datasets.base import SegDataset
from mmseg_zsclip.datasets.output_names import OutputNames, names_of_photos
from mmseg_zsclip.toy.dataset import ToyDataset


def names(*folders):
    found = names_of_photos(folders)
    assert len({name.casefold() for name in found.values()}) == len(found)
    return list(found.values())


def build(root, **kwargs):
    init_default_scope('mmseg')
    return SegDataset(
        data_root=str(root),
        data_prefix=dict(img_path='images'),
        pipeline=[],
        metainfo=dict(classes=['a', 'b']),
        test_mode=True,
        **kwargs,
    )


def photos(root, *places):
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (4, 4)).save(root / place)
    return root


@pytest.mark.parametrize(
    ('folder', 'given', 'expected'),
    [
        ('img', ['img/1.jpg', 'img/2.b.png'], ['1', '2.b']),
        ('img', ['img/a/1.jpg', 'img/b/1.jpg', 'img/1.jpg'], ['a/1', 'b/1', '1']),
        ('img/', ['img/a/1.jpg', 'img//a/2.jpg'], ['a/1', 'a/2']),
        (None, ['/x/a/1.jpg', '/x/b/1.jpg'], ['a/1', 'b/1']),
        ('', ['/x/a/1.jpg', '/x/a/2.jpg'], ['1', '2']),
        ('img', ['img/1.jpg', 'img/1.png', 'img/2.jpg'], ['1.jpg', '1.png', '2']),
        ('img', ['img/1.jpg', 'img/1.png', 'img/1.jpg.jpg'], ['1.jpg', '1.png', '1.jpg.jpg']),
        ('img', ['img/a/1.jpg', 'img/../out/1.jpg'], ['img/a/1', 'out/1']),
        ('/x/img', ['/y/1.jpg', '/y/2.jpg'], ['1', '2']),
        ('toy://w/9/images', ['toy://w/9/images/t_1.png'], ['t_1']),
        (None, ['s3://b/a/1.jpg', 's3://b/b/1.jpg'], ['a/1', 'b/1']),
        ('img', ['img/cat.jpg', 'img/Cat.jpg', 'img/CAT.jpg'], ['cat', 'Cat~2', 'CAT~3']),
        ('img', ['img/a/1.jpg', 'img/A/1.jpg', 'img/a/1~2.jpg'], ['a/1', 'A/1~3', 'a/1~2']),
        ('img', ['img/1.jpg', 'img/1.JPG'], ['1.jpg', '1.JPG~2']),
    ],
)
def test_photos_of_one_name_in_two_folders_have_names_of_their_own(folder, given, expected):
    assert names((folder, given)) == expected


def test_joined_data_sets_of_the_same_names_are_told_apart_by_their_folders():
    assert names(('A/img', ['A/img/1.jpg']), ('B/img', ['B/img/1.jpg'])) == ['A/img/1', 'B/img/1']
    assert names(('A', ['A/1.jpg']), ('B', ['B/1.png'])) == ['A/1', 'B/1']
    assert names(('A', ['A/1.jpg']), ('A', ['A/2.jpg'])) == ['1', '2']  # two lists, one folder
    assert names(('A', ['A/1.jpg']), ('A', ['A/1.jpg'])) == ['1']  # a photo listed twice is one


def test_names_are_those_of_the_data_set_whatever_wraps_it(tmp_path):
    for part in 'AB':
        photos(tmp_path / part, 'images/1.jpg', 'images/sub/1.jpg')
    one = build(tmp_path / 'A')
    assert sorted(OutputNames(one).names.values()) == ['1', 'sub/1']
    assert OutputNames(RepeatDataset(one, 3)).names == OutputNames(one).names
    joined = OutputNames(Subset(ConcatDataset([one, build(tmp_path / 'B')]), [0]))
    assert joined.name(str(tmp_path / 'B/images/sub/1.jpg')) == 'B/images/sub/1'
    assert len(set(joined.names.values())) == 4


def test_the_toy_world_keeps_plain_names():
    names = OutputNames(ToyDataset('test', length=2, pipeline=[]))
    assert sorted(names.names.values()) == ['test_000000', 'test_000001']


def test_unknown_photos_are_named_by_their_stem_and_the_second_of_a_stem_is_an_error(tmp_path):
    for names in (OutputNames(), OutputNames(SimpleNamespace())):
        assert names.name('a/1.jpg') == names.name('a/1.jpg') == '1'
        with pytest.raises(
            ValueError,
            match="made from 'b/1.jpg' would overwrite what was made from "
            "'a/1.jpg': both are named '1'.*zsclip test",
        ):
            names.place(tmp_path, 'b/1.jpg')
    assert list(tmp_path.iterdir()) == []


def test_a_photo_or_its_labels_are_never_overwritten_by_what_is_made_from_them(tmp_path):
    photos(tmp_path, 'images/1.png', 'labels/1.png')
    given = str(tmp_path / 'images/1.png'), str(tmp_path / 'labels/1.png')
    for folder in ('images', 'labels'):
        with pytest.raises(ValueError, match='is a file of the data set itself.*another folder'):
            OutputNames().place(tmp_path / folder, *given)
    assert OutputNames().place(tmp_path / 'new/deep', *given) == tmp_path / 'new/deep/1.png'
    assert (tmp_path / 'new/deep').is_dir()


def test_an_unknown_photo_whose_name_differs_by_case_alone_is_an_error():
    names = OutputNames()
    names.name('a/cat.jpg')
    with pytest.raises(ValueError, match="'b/Cat.jpg' would overwrite"):
        names.name('b/Cat.jpg')
