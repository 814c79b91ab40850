"""One parser of class names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_zsclip.vocabulary.class_names import canonical, class_synonyms, split_names

ROOT = Path(__file__).parents[2]


def test_class_names_are_split_in_one_place():
    found = [
        f'{path.relative_to(ROOT)}:{number}'
        for folder in ('mmseg_zsclip', 'tools')
        for path in sorted((ROOT / folder).rglob('*.py'))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r'split\([\'\"], ?[\'\"]', line) and 'query.split' not in line
    ]
    assert [place.split(':')[0] for place in found] == ['mmseg_zsclip/vocabulary/class_names.py'], (
        found
    )


@pytest.mark.parametrize(
    ('name', 'parts'),
    [
        ('cat', ['cat']),
        (' cat ,  red\u00a0 kitten', ['cat', 'red kitten']),
        ('a,,b', ['a', '', 'b']),
    ],
)
def test_spaces_never_make_another_name(name, parts):
    assert split_names(name) == parts
    assert canonical(name) == parts[0]


def test_errors_name_the_place():
    assert class_synonyms(['cat, kitten', 'dog']) == [['cat', 'kitten'], ['dog']]
    with pytest.raises(ValueError, match='^x.txt, line 2: class 1 is empty'):
        class_synonyms(['cat', ''], 'x.txt', lines=True)
    with pytest.raises(ValueError, match='^x.txt holds no class'):
        class_synonyms([''], 'x.txt', lines=True)


def test_the_vocabulary_imports_nothing_heavy():
    """In a package that is not ours, whose own start loads torch."""
    program = (
        'import importlib, sys, types\n'
        f'parent = types.ModuleType("bare"); parent.__path__ = [{str(ROOT / "mmseg_zsclip")!r}]\n'
        'sys.modules["bare"] = parent\n'
        'for name in ("class_names", "lists", "labels"):\n'
        '    importlib.import_module(f"bare.vocabulary.{name}")\n'
        'heavy = {"torch", "numpy", "mmengine", "mmcv", "mmseg", "cv2"} & set(sys.modules)\n'
        'assert not heavy, heavy\n'
        'assert "voc20" in importlib.import_module("bare.vocabulary.lists").vocabularies()\n'
    )
    subprocess.run([sys.executable, '-c', program], check=True)
