"""`zsclip report`: what it refuses, and one whole small run, done twice."""

import json

import pytest

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
        (['--out', 'file/below'], r'file/below cannot be a folder: .*file is none\. Name another'),
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
    def folders(**changes):
        arguments = dict(out=tmp_path, weights=str(clip), steps=None, scenes=None)
        return [cfg.work_dir for cfg in stages.configs(**{**arguments, **changes})]

    first = folders()
    assert len(set(first)) == len(stages.STORY)
    assert folders() == first
    assert folders(scenes=3) == first  # only the test is another
    free, *shorter = folders(steps=20)
    assert free == first[0]
    assert not set(shorter) & set(first)


def test_every_method_has_more_supervision_than_the_one_before(clip, tmp_path):
    settings = [
        cfg.train_dataloader and cfg.train_dataloader.dataset.get('setting', 'inductive')
        for cfg in stages.configs(tmp_path, str(clip), None, None)
    ]
    assert settings == [None, 'annotation-free', 'inductive', 'transductive']


@pytest.fixture
def smaller(monkeypatch):
    """Scenes and steps for a test, and one validation."""
    monkeypatch.setattr(stages, 'VALIDATIONS', 1)
    shipped = stages.configs

    def configs(*args):
        found = shipped(*args)
        for cfg in found:
            for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
                if loader:
                    loader.update(num_workers=0, persistent_workers=False)
                    loader.dataset.length = 2
            if cfg.train_dataloader:
                cfg.train_dataloader.batch_size = 2
        return found

    monkeypatch.setattr(stages, 'configs', configs)


def test_a_small_report_from_any_directory_whose_trainings_are_used_again(
    clip, tmp_path, monkeypatch, capsys, smaller
):
    monkeypatch.chdir(tmp_path)
    arguments = ['--weights', str(clip), '--steps', '20', '--scenes', '2', '--out', 'here']
    assert main(['report', *arguments]) == 0
    shown = capsys.readouterr()
    page = tmp_path / 'here/index.html'
    assert shown.out.startswith('9/9 open this page')
    assert shown.out.rstrip().endswith(str(page))
    for stage in ('1/9 drawing 6 scenes', '2/9 testing MaskCLIP', '3/9 training MaskCLIP+'):
        assert stage in shown.err
    assert '8/9 testing MaskCLIP+, transductive' in shown.err
    text = page.read_text(encoding='utf-8')
    assert 'Test scene 1:' in text
    assert 'Test scene 2:' not in text
    for step in stages.STORY[1:]:
        full = stages.load_config(step.config).train_cfg.max_iters
        assert f'20, not the {full:,} of its config, for {step.name}' in text
    monkeypatch.delattr(stages, 'train')
    assert main(['report', *arguments]) == 0
    assert capsys.readouterr().err.count('is used again. Delete it to train anew') == 3
    again = page.read_text(encoding='utf-8')
    assert again.count('trained by an earlier call, in') == 3
    for record in (tmp_path / 'here').glob('*/training.json'):
        assert json.loads(record.read_text())['seconds'] > 0
    assert f'zsclip test {tmp_path}/here/toy_inductive-' in text  # the run's own, shortened copy


def test_commands_of_a_whole_run_name_the_shipped_configs(clip, tmp_path):
    found = stages.configs(tmp_path, str(clip), None, None)
    training = stages.Training(tmp_path / 'a b', tmp_path / 'a b/iter_80.pth', 80, 80)
    report = stages.Report(tmp_path, 'toy', None, [], [], {})
    for step, cfg in zip(stages.STORY[:2], found, strict=False):
        report.methods.append(stages.Method(step, {}, [], tmp_path, cfg.train_cfg and training))
        report.stages += [stages.Stage('train', 0.0), stages.Stage('test', 0.0)]
        stages.add_commands(report, cfg, None, 5)
    _, free, train, test = (stage.command for stage in report.stages)
    length = '--cfg-options test_dataloader.dataset.length=5'
    assert free == f'zsclip test toy_maskclip --weights toy {length}'
    assert train == (
        f"zsclip train toy_maskclip_plus --weights toy --work-dir '{tmp_path}/a b' --cfg-options "
        'train_cfg.val_interval=75 val_dataloader.dataset.length=40'
    )
    assert test == (
        f"zsclip test toy_maskclip_plus '{tmp_path}/a b/iter_80.pth' --weights toy {length}"
    )


def test_two_reports_do_not_share_a_folder(clip, tmp_path, hold):
    hold(tmp_path)
    with pytest.raises(SystemExit, match='is in use by another run, process'):
        main(['report', '--weights', str(clip), '--out', str(tmp_path)])


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
