"""`zsclip report`: what it refuses, and one whole small run, done twice."""

import json

import pytest
from mmengine.config import Config

from mmseg_zsclip.cli import main
from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.clip.checkpoint import save_clip
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.engine.stopping import TrainingStopped
from mmseg_zsclip.experiments.report import stages


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A random CLIP of the report's architecture."""
    path = tmp_path_factory.mktemp('clip') / 'random.pt'
    save_clip(CLIP(get_arch(stages.ARCH)), path, half=True)
    return path


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--steps', '0'], '--steps is 0; give 20 or more'),
        (['--scenes', '-3'], '--scenes is -3; give 1 or more'),
        (['--out', 'file/below'], r'--out is .*below, but .*file is a file\. Name a folder'),
        (
            ['--weights', 'openai'],
            "--weights is 'openai', which is no file; give toy-dense, toy, or",
        ),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(
    arguments, message, clip, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(SystemExit, match=f'zsclip: {message}'):
        main(['report', '--weights', str(clip), *arguments])
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_changed_config_never_finds_the_training_of_another(clip, tmp_path):
    def folder(**changes):
        arguments = dict(out=tmp_path, weights=str(clip), steps=None, scenes=None)
        return stages.configs(**{**arguments, **changes})[1].work_dir

    assert folder() == folder()
    assert folder(scenes=3) == folder()  # only the test is another
    assert folder(steps=20) != folder()


def test_commands_of_a_shortened_run_name_the_runs_own_config(clip, tmp_path):
    trained = Config(dict(train_cfg=dict(max_iters=80)))
    report = stages.Report(tmp_path, 'toy', None, [], [], {}, stages=[stages.Stage('', 0)] * 0)
    report.stages = [stages.Stage(name, 0.0) for name in 'abcd']
    report.training = stages.Training(tmp_path / 'a b', tmp_path / 'a b/iter_80.pth', 80, 400)
    stages.add_commands(report, trained, 80, 5)
    _, free, train, test = (stage.command for stage in report.stages)
    assert free.endswith(
        'toy_maskclip --weights toy --cfg-options test_dataloader.dataset.length=5'
    )
    assert train == (
        f"zsclip train '{tmp_path}/a b'/toy_inductive.py --weights toy --work-dir '{tmp_path}/a b'"
    )
    assert test.startswith(
        f"zsclip test '{tmp_path}/a b'/toy_inductive.py '{tmp_path}/a b/iter_80.pth'"
    )
    stages.add_commands(report, trained, None, None)
    assert report.stages[2].command.endswith(
        '--cfg-options train_cfg.val_interval=10 val_dataloader.dataset.length=40'
    )


def test_a_small_demo_from_any_directory_whose_training_is_used_again(
    clip, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, 'VALIDATIONS', 1)
    shipped, used = stages.configs, []

    def smaller(*args):
        free, trained, full_steps = shipped(*args)
        for cfg in (free, trained):
            for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
                if loader:
                    loader.update(num_workers=0, persistent_workers=False)
                    loader.dataset.length = 2
        trained.train_dataloader.batch_size = 2
        used.append(trained)
        return free, trained, full_steps

    monkeypatch.setattr(stages, 'configs', smaller)
    assert (
        main(['report', '--weights', str(clip), '--steps', '20', '--scenes', '2', '--out', 'here'])
        == 0
    )
    shown = capsys.readouterr()
    page = tmp_path / 'here/index.html'
    assert shown.out.rstrip().endswith(str(page))
    for stage in (
        '1/5 drawing 6 scenes',
        '2/5 testing MaskCLIP',
        '3/5 training ZegCLIP',
        '4/5 testing ZegCLIP',
    ):
        assert stage in shown.err
    text = page.read_text(encoding='utf-8')
    assert 'Test scene 1:' in text
    assert 'Test scene 2:' not in text
    steps = stages.load_config(stages.TRAINED).train_cfg.max_iters
    assert f'not the {steps:,} of the config' in text
    (record,) = (tmp_path / 'here').glob('zegclip-*/training.json')
    monkeypatch.delattr(stages, 'train')
    again = stages.finish_training(used[0], 400)
    assert again.reused
    assert again.seconds == json.loads(record.read_text())['seconds'] > 0
    assert 'is used again. Delete it to train anew' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('stop', 'status', 'words'),
    [
        (KeyboardInterrupt('inside of a decoder'), 130, 'stopped'),
        (
            TrainingStopped(15, 'saved a/iter_5.pth, iteration 5 of 9\ngo on: --resume'),
            143,
            'saved a/iter_5.pth, iteration 5 of 9',
        ),
    ],
)
def test_an_interrupted_demo_ends_in_two_lines(stop, status, words, monkeypatch, tmp_path, capsys):
    def interrupted(*args):
        raise stop

    monkeypatch.setattr(stages, 'build_datasets', interrupted)
    with pytest.raises(SystemExit) as ended:
        stages.run_stages(tmp_path, 'toy-dense', 20, 1)
    assert ended.value.code == status
    lines = capsys.readouterr().err.split('\n')
    assert f'zsclip report: {words}. The same command goes on from the last checkpoint.' in lines
    assert len(lines) <= 3
