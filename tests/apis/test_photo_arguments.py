import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmseg_zsclip.apis.photo_arguments import named_photos


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        'b/2.png',
        'b/1.JPG',
        'b/c/1.jpg',
        'b/notes.txt',
        'b/.hidden.jpg',
        'a.raw',
        '[x].jpg',
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*words, **options):
    return [Path(os.path.relpath(path)).as_posix() for path in named_photos(words, **options)]


@pytest.mark.parametrize(
    ('words', 'found'),
    [
        (['a.raw'], ['a.raw']),  # a file is a photo whatever its ending
        (['b'], ['b/1.JPG', 'b/2.png', 'b/c/1.jpg']),
        (['b/*.png', 'b/c'], ['b/2.png', 'b/c/1.jpg']),
        (['**/*.jpg'], ['[x].jpg', 'b/c/1.jpg']),
        (['[x].jpg'], ['[x].jpg']),  # the name of a file before a pattern
        (['b/c/1.jpg', 'b', './b/2.png'], ['b/c/1.jpg', 'b/1.JPG', 'b/2.png']),
    ],
)
def test_files_folders_and_patterns_name_photos_once(folder, words, found):
    assert names(*words) == found


def test_a_list_stands_for_its_lines(folder):
    (folder / 'list.txt').write_bytes(b'\xef\xbb\xbfb/2.png\r\n\r\n  b/c\r\n')
    assert names('@list.txt', 'a.raw') == ['b/2.png', 'b/c/1.jpg', 'a.raw']


def test_results_in_a_folder_of_photos_are_no_photos(folder):
    assert names('b', out='b/c') == ['b/1.JPG', 'b/2.png']
    assert names('**/*.jpg', out=folder / 'b') == ['[x].jpg']


def test_results_of_other_runs_are_no_photos_but_where_they_are_asked_for(folder):
    (folder / 'b/c/run.json').write_text('{"photos": {}, "palette": []}')
    assert names('b', out='out') == names('b', out=None) == ['b/1.JPG', 'b/2.png']
    assert names('**/*.jpg', 'b/*.png') == ['[x].jpg', 'b/2.png']
    assert names('b/c/1.jpg') == ['b/c/1.jpg']
    with pytest.raises(ValueError, match=r"'b/c' names no photo but files of results, in .*/b/c,"):
        named_photos(['b/c'])


@pytest.mark.parametrize('content', ['{"seed": 1}', '[]', 'no JSON'])
def test_another_run_json_says_nothing(folder, content):
    (folder / 'b/run.json').write_text(content)
    assert names('b') == ['b/1.JPG', 'b/2.png', 'b/c/1.jpg']


@pytest.mark.parametrize(
    ('word', 'error', 'message'),
    [
        ('c.jpg', FileNotFoundError, r"there is no photo 'c.jpg' \(from "),
        ('@c.txt', FileNotFoundError, "there is no list 'c.txt'"),
        ('*.bmp', ValueError, r"'\*.bmp' names no photo. Legal: a file, a folder with images"),
        ('empty', ValueError, "'empty' names no photo"),
        ('@blank.txt', ValueError, "'@blank.txt' names no photo"),
    ],
)
def test_a_word_that_names_nothing_is_an_error_that_says_what_may(folder, word, error, message):
    (folder / 'empty').mkdir()
    (folder / 'blank.txt').write_text('\n')
    with pytest.raises(error, match=message):
        named_photos([word])


def test_a_list_without_photos_is_an_error_beside_others_too(folder):
    (folder / 'blank.txt').write_text('\n')
    with pytest.raises(ValueError, match="'@blank.txt' names no photo"):
        named_photos(['a.raw', '@blank.txt'])


def test_results_in_the_folder_of_all_photos_are_refused(folder):
    with pytest.raises(ValueError, match="'b' names no photo but files of results, in .*/b,"):
        named_photos(['b'], 'b')


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.text(st.sampled_from('ab12.jpgn*?[]@\0 \n\udcff'), max_size=8), max_size=3))
def test_any_words_name_files_or_are_an_error(folder, words):
    with suppress(ValueError, FileNotFoundError):
        assert all(Path(path).is_file() for path in named_photos(words))
