"""Wrong usage and wrong input of `zsclip`: one line that names the nearest legal word."""

import ast
import inspect
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.apis.options import arguments_of, check_options, merge_options
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.cli import main
from mmseg_zsclip.cli.errors import guarded, origin
from mmseg_zsclip.datasets.photo_files import read_photo

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ('words', 'status'),
    [
        (['--version'], 0),
        (['--help'], 0),
        (['train', '--help'], 0),
        (['train', 'toy_inductiv'], 1),
        (['test', 'toy_maskclip', 'nowhere.pth'], 1),
        (['train', 'toy_inductive', '--workdir', 'y'], 2),
        (['train', 'toy_inductive', '--cfg-options', 'nonsense=1'], 1),
        (['train', 'toy_inductive', '--cfg-options', 'train_dataloader.batchsize=1'], 1),
        (['train', 'toy_inductive', '--cfg-options', 'crop_size=1'], 1),
        (['train', 'toy_inductive', '--cfg-options', 'load_from=nowhere.pth'], 1),
        (['test', 'toy_maskclip', '--weights', 'nowhere.pt'], 1),
    ],
)
def test_help_and_wrong_names_do_not_import_torch(words, status):
    code = (
        'import sys, runpy\n'
        f'sys.argv = ["zsclip", *{words!r}]\n'
        'try: runpy.run_module("mmseg_zsclip.cli", run_name="__main__")\n'
        'except SystemExit as stopped: code = stopped.code\n'
        'assert "torch" not in sys.modules\n'
        'sys.exit(code)\n'
    )
    run = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    assert run.returncode == status, run.stderr
    assert 'zsclip' in run.stdout + run.stderr
    assert 'Traceback' not in run.stderr


@pytest.mark.parametrize('option', ['--work-dir', '--show-dir', '--maps-dir'])
def test_a_file_in_the_place_of_a_folder_is_named_first(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('a.txt').touch()
    with pytest.raises(SystemExit, match=r'a.txt/new cannot be a folder: .*a.txt is none'):
        main(['test', 'toy_maskclip', option, 'a.txt/new'])


def test_a_missing_checkpoint_is_answered_with_those_of_its_folder(tmp_path):
    (tmp_path / 'iter_20.pth').touch()
    with pytest.raises(SystemExit, match=f'In {tmp_path}: iter_20.pth'):
        main(['test', 'toy_inductive', str(tmp_path / 'iter_2.pth')])


@pytest.mark.parametrize(
    ('argv', 'nearest', 'usage'),
    [
        (['segment', 'a.jpg', '--ot', 'y', '--classes', 'sky'], '--out', 'zsclip segment'),
        (['train', 'toy_inductive', '--workdir', 'y'], '--work-dir', 'zsclip train'),
        (['test', 'toy_maskclip', '--showdir', 'y'], '--show-dir', 'zsclip test'),
        (['trian', 'toy_inductive'], 'train', 'zsclip'),
        (['train', 'toy_inductive', '--launcher', 'pytorsh'], 'pytorch', 'zsclip train'),
    ],
)
def test_a_mistyped_word_names_the_nearest_and_its_commands_usage(argv, nearest, usage, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert f'Did you mean {nearest}?' in shown
    assert shown.startswith(f'usage: {usage} ')


@pytest.mark.parametrize(
    'argv',
    [
        ['train', 'toy_inductive', '--work-dir', ''],
        ['report', '--out', ''],
        ['segment', '', '--out', 'maps'],
    ],
)
def test_an_empty_word_is_no_folder(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert "it is '' (a variable of the shell without value?)" in capsys.readouterr().err


def test_zsclip_alone_prints_its_help(capsys):
    assert main([]) == 0
    assert 'train a config' in capsys.readouterr().out


def test_the_first_message_of_a_chain_of_wrappers_is_shown():
    inner = ValueError('no such\nweights: x.pt')
    outer = KeyError('class `Head` in a/b.py: no such\nweights: x.pt')
    outer.__cause__ = inner
    assert origin(outer) is inner
    other = ValueError('another')
    other.__context__ = inner
    assert origin(other) is other


def test_what_this_package_adds_to_a_message_is_kept(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'\x80\x02cos\nsystem\n.')
    with pytest.raises(SystemExit, match=r'zsclip: .*a\.pth.*Nothing of it was run'):
        guarded(lambda: read_checkpoint(tmp_path / 'a.pth'))


def test_an_error_of_the_user_in_a_process_of_a_pool_is_one_line(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'text')
    with (
        ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool,
        pytest.raises(SystemExit, match=r'^zsclip: .*a\.pth .*it is a text file'),
    ):
        guarded(lambda: pool.submit(read_checkpoint, tmp_path / 'a.pth').result())


def test_ctrl_c_while_modules_are_imported_shows_no_traceback(capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        guarded(interrupted)
    assert (stop.value.code, capsys.readouterr().err) == (130, 'zsclip: interrupted\n')


def test_an_error_of_the_user_is_one_line_and_a_bug_a_file(monkeypatch, tmp_path):
    def missing():
        return (tmp_path / 'gone').read_text()

    def bug():
        return {}['key']

    with pytest.raises(SystemExit, match='zsclip: .*No such file.*gone'):
        guarded(missing)
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with pytest.raises(
        SystemExit,
        match=r'^zsclip: unexpected KeyError at .*test_cli_errors.py:\d+: '
        r'key \(the traceback is in .*zsclip_error_\w+\.log; '
        r'ZSCLIP_DEBUG=1 shows it here\)$',
    ):
        guarded(bug)
    (file,) = tmp_path.glob('zsclip_error_*.log')
    assert "return {}['key']" in file.read_text()
    with pytest.raises(SystemExit, match=r'It came with --cfg-options a\.b=1 c=x: try without$'):
        guarded(bug, options=['a.b=1', 'c=x'])
    with pytest.raises(SystemExit, match=r'gone.$'):
        guarded(missing, options=['a.b=1'])
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'none'))
    with pytest.raises(KeyError):  # nowhere to write
        guarded(bug)
    monkeypatch.setenv('ZSCLIP_DEBUG', '1')
    with pytest.raises(FileNotFoundError):
        guarded(missing)


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('train_dataloder.batch_size', 'Nearest: train_dataloader'),
        ('train_dataloader.batchsize', r'Nearest: train_dataloader\.batch_size'),
        ('model.test_cfg.crop', r'Nearest: model\.test_cfg\.crop_size'),
        ('train_dataloader.dataset.pipeline.99.scale', 'no index of .*0 to '),
        ('model.test_cfg.strides', r'Nearest: model\.test_cfg\.stride'),
        ('crop_size', r'Override .*model\.data_preprocessor\.size'),
        ('classes', r'Override .*model\.decode_head\.classes'),
        ('unseen', r'Override .*model\.decode_head\.unseen'),
        ('weights', 'Or give --weights'),
        ('launcher', 'Give --launcher'),
        ('train_pipeline.0.type', 'used up when the file was read'),
    ],
)
def test_an_option_that_would_change_nothing_is_an_error(key, message):
    with pytest.raises(ValueError, match=message):
        load_config('toy_inductive', options={key: 1})


def test_arguments_are_read_from_the_source_as_python_sees_them():
    for kind, place in (
        (Runner, ('mmengine', 'runner/runner.py', 'Runner')),
        (DataLoader, ('torch', 'utils/data/dataloader.py', 'DataLoader')),
    ):
        assert arguments_of(*place) == set(inspect.signature(kind.__init__).parameters) - {'self'}


def keys_read(source: str) -> set[str]:
    """Of a config's first level: 'a' of `cfg.get('a')`, `self.cfg.get('a')` and `cfg['a']`."""
    out = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=cfg, attr='get'), args=[ast.Constant(key), *_]):
                pass
            case ast.Subscript(value=cfg, slice=ast.Constant(key)):
                pass
            case _:
                continue
        if getattr(cfg, 'id', getattr(cfg, 'attr', None)) == 'cfg':
            out.add(key)
    return out


def test_every_key_that_mmengine_reads_of_a_config_passes():
    root = Path(inspect.getfile(Runner)).parents[1]
    parts = ('runner/*runner.py', '_strategy/*.py', 'hooks/*.py')
    files = [path for part in parts for path in sorted(root.glob(part))]
    found = {key for path in files for key in keys_read(path.read_text(encoding='utf-8'))}
    assert found > {'work_dir', 'tta_model', 'activation_checkpointing', 'efficient_conv_bn_eval'}
    check_options(Config(), dict.fromkeys(found - {'launcher'}))  # which we override


def test_options_with_an_effect_pass():
    cfg = load_config(
        'toy_inductive',
        options={
            'train_dataloader.batch_size': 2,
            'train_dataloader.pin_memory': True,
            'test_dataloader.dataset.length': 3,
            'compile': True,
            'sync_bn': 'torch',
            'runner_type': 'mmseg_zsclip.ShardedRunner',
            'sharding.units': ['ViT'],
            'train_dataloader.dataset.pipeline.3.crop_size': (32, 32),
            '+model.test_cfg.mine': 5,
            'optim_wrapper.type': 'mmseg_zsclip.AmpOptimWrapper',
            'optim_wrapper.clip_grad.max_norm': 1,
            'randomness.deterministic': True,
            'model.test_cfg.pamr.steps': 10,
        },
    )
    assert cfg.train_dataloader.pin_memory
    assert cfg.train_dataloader.dataset.pipeline[3].crop_size == (32, 32)
    assert cfg.model.test_cfg.mine == 5
    assert cfg.compile


def test_a_loader_that_is_none_cannot_take_an_option():
    with pytest.raises(ValueError, match='train_dataloader'):
        merge_options(Config(dict(train_dataloader=None)), {'train_dataloader.batch_size': 2})


class Photos:
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return read_photo(self.path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'', 'photo {} is empty (0 bytes)'), (None, 'photo {} does not exist')],
)
def test_a_photo_that_a_loaders_worker_cannot_read_is_one_line(content, message, tmp_path):
    photos = Photos()
    photos.path = str(tmp_path / 'a.jpg')
    if content is not None:
        (tmp_path / 'a.jpg').write_bytes(content)
    loader = DataLoader(photos, num_workers=1, multiprocessing_context='fork')
    with pytest.raises(SystemExit) as stopped:
        guarded(lambda: next(iter(loader)))
    said = str(stopped.value)
    assert said.startswith('zsclip: ' + message.format(photos.path))
    assert 'Traceback' not in said
    assert 'unexpected' not in said


def test_a_bug_in_a_loaders_worker_is_named_with_its_place(tmp_path):
    photos = Photos()
    loader = DataLoader(photos, num_workers=1, multiprocessing_context='fork')
    with pytest.raises(SystemExit, match='unexpected AttributeError at .*test_cli_errors.py'):
        guarded(lambda: next(iter(loader)))
