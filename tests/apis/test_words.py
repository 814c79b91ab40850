"""What a user writes for classes -> texts, and the class of each."""

from pathlib import Path

import pytest

from mmseg_zsclip.apis.words import listed, prompts_of, read_classes, read_names


@pytest.mark.parametrize(
    'classes',
    [
        'cat, kitten; sofa',
        ' cat,kitten ;sofa;',
        ['cat, kitten', 'sofa'],
        ('cat,  kitten', 'sofa'),
    ],
)
def test_a_list_and_a_string_are_the_same(classes):
    assert read_classes(classes) == [('cat', ['cat, kitten']), ('sofa', ['sofa'])]


def test_a_file_holds_a_class_a_line(tmp_path):
    (tmp_path / 'a.txt').write_text('cat, kitten\nsofa\n')
    for path in (tmp_path / 'a.txt', str(tmp_path / 'a.txt')):
        assert read_classes(path) == read_classes('cat, kitten; sofa')
        assert read_names(path) == ['cat, kitten', 'sofa']  # as things, too
    assert listed('a.txt') == ['a.txt']
    with pytest.raises(FileNotFoundError, match='none.txt does not exist'):
        read_classes(Path('none.txt'))


def test_a_dict_gives_a_class_several_texts():
    found = prompts_of({'animal': ['cat, kitten', 'dog'], 'sofa': 'sofa; couch'}, None, 'toy')
    assert found.texts == ('cat, kitten', 'dog', 'sofa', 'couch')
    assert found.owner == (0, 0, 1, 1)
    assert found.names == ('animal', 'sofa')


def test_words_of_a_shipped_list_that_are_classes_are_left_out():
    found = prompts_of('sky; tree, wood', True, 'background26')
    assert found.names == ('sky', 'tree', 'background')
    words = [text for text, owner in zip(found.texts, found.owner, strict=True) if owner == 2]
    assert 'wall' in words
    assert not {'sky', 'tree', 'wood'} & set(words)


def test_words_stand_for_a_class_called_background_where_it_is():
    found = prompts_of('Background; cat', 'sky, wall', 'toy')
    assert found.names == ('background', 'cat')
    assert found.texts == ('sky', 'wall', 'cat')
    assert found.owner == (0, 0, 1)
    assert prompts_of('background; cat', None, 'toy').texts == ('background', 'cat')


def test_a_single_class_gets_a_background_unless_told_otherwise():
    assert prompts_of('sky', None, 'toy').names == ('sky', 'background')
    assert prompts_of('sky', False, 'toy').names == ('sky',)
    assert prompts_of('sky; sea', None, 'toy').names == ('sky', 'sea')


def test_a_background_of_no_word_is_refused():
    with pytest.raises(ValueError, match='leaves 1 words beside 0 classes'):
        prompts_of('background', ['sky'], 'toy')
