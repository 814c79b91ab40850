"""What a number was measured with, told by the files themselves."""

from shutil import copy, copytree, ignore_patterns

import pytest

from mmseg_zsclip.experiments.provenance import (
    EXCLUDED,
    PACKAGE,
    clip_files,
    clip_meta,
    digest,
    source_digest,
    source_files,
    weights_path,
)


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    """A copy of the package's sources."""
    return copytree(
        PACKAGE,
        tmp_path_factory.mktemp('copy') / 'mmseg_zsclip',
        ignore=ignore_patterns('__pycache__', '*.pt', '.*'),
    )


@pytest.mark.parametrize(
    'name',
    [
        'interpolation.py',
        'apis/launch.py',
        'compat.py',
        'registry.py',
        'models/zegclip.py',
        'evaluation/scores.py',
        'experiments/claims/jobs.py',
        'vocabulary/names/toy.unseen.txt',
        'added/later.py',
    ],
)
def test_results_are_older_after_any_source_of_scores_changed(package, name):
    before, path = source_digest(package), package / name
    text = path.read_text() if path.exists() else ''
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + '# changed')
    assert source_digest(package) != before
    path.unlink()
    if text:
        path.write_text(text)
        assert source_digest(package) == before


@pytest.mark.parametrize(
    'name',
    [
        'visualization/paint.py',
        'experiments/report/page.py',
        'experiments/claims/report.py',
        'cli/test.py',
    ],
)
def test_results_are_not_older_after_a_page_or_picture_changed(package, name):
    before = source_digest(package)
    with (package / name).open('a') as file:
        file.write('# changed')
    assert source_digest(package) == before


def test_every_module_is_digested_or_named_as_one_that_cannot_change_a_score():
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob('*.py')
        if '.mim' not in path.parts
    }
    left_out = {
        name
        for name in modules - set(source_files())
        if any(name == part or name.startswith(f'{part}/') for part in EXCLUDED)
    }
    assert left_out | set(source_files()) >= modules
    for part in EXCLUDED:  # one that was moved away would exclude nothing
        assert any(name == part or name.startswith(f'{part}/') for name in left_out), part
    # what a model or an image passes through on its way to a score
    assert not {name.split('/')[0] for name in left_out} & {
        'apis',
        'clip',
        'compat.py',
        'datasets',
        'evaluation',
        'losses',
        'models',
        'ops',
        'toy',
    }


def test_the_same_file_moved_to_another_folder_is_another_source(package, tmp_path):
    for part in ('clip', 'models'):
        (tmp_path / part / 'x').mkdir(parents=True)
        (tmp_path / part / 'x' / 'a.py').write_text('')
    before, folder = source_digest(tmp_path), digest([tmp_path])
    (tmp_path / 'clip/x/a.py').rename(tmp_path / 'clip/a.py')
    assert source_digest(tmp_path) != before
    assert digest([tmp_path]) != folder


def test_published_tags_and_random_weights_have_no_digest():
    assert clip_files(
        dict(
            backbone=dict(arch='ViT-B-16', weights='openai'),
            parts=[dict(text=dict(arch='RN50', weights=None))],
        )
    ) == [
        dict(weights=None, arch='RN50', file=None, sha256=None, trained_by=None),
        dict(weights='openai', arch='ViT-B-16', file=None, sha256=None, trained_by=None),
    ]


def test_a_file_says_itself_what_trained_it(tmp_path):
    found = {}
    for weights in ('toy', 'toy-dense'):
        copy(weights_path('ViT-T-8', weights), tmp_path / 'renamed.pt')
        (item,) = clip_files(dict(arch='ViT-T-8', weights=str(tmp_path / 'renamed.pt')))
        found[weights] = item['trained_by']
    assert found['toy'].startswith('the contrastive loss alone, on image-level captions, 990 steps')
    assert found['toy-dense'].startswith('the contrastive loss and a patch term, ')
    (tmp_path / 'renamed.pt').write_bytes(b'of another layout')
    assert clip_meta(tmp_path / 'renamed.pt') == {}
