import pytest

from mmseg_zsclip.files import whole_file


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
    with pytest.raises(FileNotFoundError, match='nowhere'), \
            whole_file(tmp_path / 'nowhere' / 'a.txt') as partial:
        partial.write_text('x')
