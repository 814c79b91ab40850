import errno
import json
import pickle

import numpy as np
import pytest

from mmseg_zsclip.files import WriteError, check_folder, made_folder, whole_file, write_json


def write_half(path):
    with whole_file(str(path)) as partial:
        partial.write_text('half of the sec')
        raise OSError('disk full')


def test_a_file_is_whole_or_absent_and_leaves_no_rest(tmp_path):
    path = tmp_path / 'a.txt'
    with whole_file(path) as partial:
        partial.write_text('first')
        assert not path.exists()
    assert path.read_text() == 'first'
    with pytest.raises(OSError, match='disk full'):
        write_half(path)
    assert path.read_text() == 'first'
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match='nowhere'),
        whole_file(tmp_path / 'nowhere' / 'a.txt') as partial,
    ):
        partial.write_text('x')


@pytest.mark.parametrize('below', ['', 'deep/down'])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, below):
    file = tmp_path / 'a.txt'
    file.write_text('x')
    for make in (check_folder, made_folder):
        with pytest.raises(WriteError, match=f'cannot be a folder: {file} is none. Name another'):
            make(file / below)
    check_folder(tmp_path / 'new' / below)
    assert list(tmp_path.iterdir()) == [file]
    assert made_folder(tmp_path / 'new' / below).is_dir()


def test_a_folder_without_the_right_to_write_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr('os.access', lambda place, mode: False)  # root may write everywhere
    with pytest.raises(WriteError, match=f'Make {tmp_path} writable, or name another folder'):
        check_folder(tmp_path / 'new')


def test_json_takes_numpy_and_makes_its_folder(tmp_path):
    path = write_json(tmp_path / 'new' / 'a.json', dict(score=np.float32(1.5), row=np.arange(2)))
    assert json.loads(path.read_text()) == dict(score=1.5, row=[0, 1])
    with pytest.raises(AttributeError):
        write_json(path, dict(score=object()))
    assert json.loads(path.read_text()) == dict(score=1.5, row=[0, 1])
    assert [file.name for file in path.parent.iterdir()] == ['a.json']


def test_an_error_of_writing_comes_whole_from_another_process():
    error = pickle.loads(pickle.dumps(WriteError('the disk is full', errno.ENOSPC)))
    assert (type(error), str(error), error.errno) == (WriteError, 'the disk is full', errno.ENOSPC)
