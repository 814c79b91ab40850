"""Every script of `tools`: a mistyped option names the nearest,
a wrong word or file is one line."""

import logging
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    path.relative_to(ROOT / 'tools').as_posix(): path
    for path in (ROOT / 'tools').rglob('*.py')
    if '__main__' in path.read_text()
}
# words that it takes, a mistyped option and the nearest, words of which one is wrong, what is said
CASES = {
    'analysis_tools/benchmark.py': ('', '--runz', '--runs', 'nowhere', 'unknown suite'),
    'analysis_tools/benchmark_two_stage.py': ('x', '--outt', '--out', 'nowhere', 'nowhere'),
    'analysis_tools/draw_methods.py': (
        '--model x y',
        '--photo-s',
        '--photos',
        '--model x nowhere',
        "no model 'nowhere'",
    ),
    'analysis_tools/draw_mta_clip.py': (
        'x y',
        '--photo-s',
        '--photos',
        'nowhere y',
        "no config 'nowhere'",
    ),
    'analysis_tools/draw_tasks.py': (
        'x y',
        '--photo-s',
        '--photos',
        'nowhere y',
        "no config 'nowhere'",
    ),
    'analysis_tools/proposal_scores.py': (
        'x y',
        '--photo-s',
        '--photos',
        'nowhere y',
        "no config 'nowhere'",
    ),
    'check_dataset.py': ('toy_maskclip', '--maxfiles', '--max-files', 'nowhere', "no config 'now"),
    'choose_offset.py': (
        'x --hold-out sky',
        '--photo-s',
        '--photos',
        'nowhere --hold-out sky',
        "no config 'nowhere'",
    ),
    'claims.py': ('', '--seedz', '--seeds', '--suite nowhere', 'nowhere'),
    'dataset_converters/ade20k_full.py': (
        'x',
        '--shortside',
        '--short-side',
        'nowhere',
        'found no',
    ),
    'dataset_converters/ade20k_panoptic.py': ('x', '--n-proc', '--nproc', 'nowhere', 'found no'),
    'dataset_converters/camvid.py': ('x', '--n-proc', '--nproc', 'nowhere', 'nowhere'),
    'dataset_converters/cityscapes.py': ('x', '--n-proc', '--nproc', 'nowhere', 'found no'),
    'dataset_converters/coco_base_novel.py': ('x', '--n-proc', '--nproc', 'nowhere', 'nowhere'),
    'dataset_converters/coco_panoptic.py': ('x', '--n-proc', '--nproc', 'nowhere', 'nowhere'),
    'dataset_converters/coco_stuff164k.py': ('x', '--n-proc', '--nproc', 'nowhere', 'nowhere'),
    'dataset_converters/pascal_context.py': (
        'x --annotations x',
        '--n-proc',
        '--nproc',
        'nowhere --annotations nowhere',
        'nowhere',
    ),
    'dataset_converters/toy.py': ('x', '--borders', '--border', 'x --world nowhere', 'nowhere'),
    'dataset_converters/voc_aug.py': ('x x', '--n-proc', '--nproc', 'nowhere nowhere', 'nowhere'),
    'analysis_tools/efficiency.py': ('x', '--sizes', '--size', 'nowhere', "no config 'nowhere'"),
    'model_converters/official.py': (
        'zegclip a b',
        '--confg',
        '--config',
        'zegclip nowhere.pth b',
        'nowhere.pth',
    ),
    'pretrain_clip.py': (
        '--out x --steps 1',
        '--saveminutes',
        '--save-minutes',
        '--out x --steps 1 --images nowhere',
        'give --images, --labels',
    ),
    'analysis_tools/probe_clip.py': (
        'x',
        '--windows',
        '--window',
        'nowhere',
        "no config 'nowhere'",
    ),
    'analysis_tools/probe_maskclip.py': (
        'x',
        '--scene-s',
        '--scenes',
        'nowhere',
        "no config 'nowhere'",
    ),
    'analysis_tools/robustness.py': (
        'x',
        '--metrics',
        '--metric',
        'nowhere',
        "no config 'nowhere'",
    ),
    'fuzz.py': ('', '--seedz', '--seed', '--calls 0', 'calls is 0; legal values: a whole'),
    'test.py': ('x', '--showdir', '--show-dir', 'nowhere', "no config 'nowhere'"),
    'train.py': ('x', '--workdir', '--work-dir', 'nowhere', "no config 'nowhere'"),
    'version_matrix.py': ('', '--keeps', '--keep', '--row nowhere', "invalid choice: 'nowhere'"),
}


@pytest.fixture(autouse=True)
def logging_as_before():
    yield
    logging.disable(logging.NOTSET)  # a tool that is run here may have silenced it


def test_every_tool_has_a_case():
    assert set(TOOLS) == set(CASES)


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Runs a tool as a script and gives its last line on standard error."""

    def run(name, words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', [str(TOOLS[name]), *words])
        monkeypatch.syspath_prepend(TOOLS[name].parent)
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(TOOLS[name]), run_name='__main__')
        code = stopped.value.code  # a text is what Python prints before it ends with status 1
        said = code if isinstance(code, str) else capsys.readouterr().err
        assert code not in (0, None)
        return said.strip()

    return run


@pytest.mark.parametrize('name', CASES)
def test_a_mistyped_option_of_a_tool_names_the_nearest(name, call):
    words, mistyped, nearest, *_ = CASES[name]
    said = call(name, [*words.split(), mistyped, '3'])
    assert f'Did you mean {nearest}?' in said
    assert said.startswith('usage: ')


@pytest.mark.parametrize('name', CASES)
def test_a_wrong_word_or_file_given_to_a_tool_is_one_line(name, call):
    *_, words, message = CASES[name]
    said = call(name, words.split())
    if said.startswith('usage: '):
        said = said.splitlines()[-1]
    assert message in said
    assert '\n' not in said
    assert 'unexpected' not in said
    assert not Path('nowhere').exists()
