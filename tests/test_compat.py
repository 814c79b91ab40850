import logging
import subprocess
import sys
import types
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.utils import ManagerMixin
from torch import nn

from mmseg_zsclip import compat, environment, ops
from mmseg_zsclip.checkpoints import CheckpointError, read_checkpoint

ROOT = Path(compat.__file__).parents[1]
HAS_LIST = hasattr(torch.serialization, 'add_safe_globals')  # since torch 2.4


def python(code, *arguments, cwd=None):
    """Run `code` in a fresh interpreter that sees the package; return the finished process."""
    start = f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
    return subprocess.run(
        [sys.executable, '-c', start + code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


HIDE_MMCV = """
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'mmcv':
            raise ModuleNotFoundError(name=name)
import importlib.machinery, importlib.util
sys.path_importer_cache.clear()
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'mmcv' else find(name, *rest)
sys.meta_path.insert(0, Hide())
"""


def test_without_mmcv_and_mmcv_lite_one_clear_error():
    done = python(HIDE_MMCV + 'import mmseg_zsclip')
    assert done.returncode == 1
    *_, last = done.stderr.strip().splitlines()
    assert last == (
        'ImportError: mmseg_zsclip needs mmcv or mmcv-lite, found neither. '
        'Run: pip install "mmcv-lite==2.1.0"   (no compiler needed)'
    )
    assert 'During handling' not in done.stderr


def test_doctor_starts_where_mmcv_is_missing():
    code = HIDE_MMCV + 'sys.argv = ["zsclip", "doctor"]\nimport mmseg_zsclip\nprint("started")'
    assert python(code).stdout.strip() == 'started'


def test_import_order_ours_first_then_mmseg_and_mmdet_with_one_log_line(tmp_path):
    done = python(
        """
import logging
logging.basicConfig(level=logging.INFO, format='LOG %(name)s %(message)s')
import mmseg_zsclip
assert not any(name.split('.')[0] in ('mmseg', 'mmdet', 'mmcv') and name != 'mmcv._ext'
               for name in sys.modules), 'heavy import'
import importlib
mmseg_zsclip.compat.setup()
importlib.reload(mmseg_zsclip)
import mmseg.models, mmdet.models, mmcv.ops
print(sys.modules['mmcv._ext'].__file__)
""",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    if 'mmseg_zsclip' in done.stdout:
        assert done.stderr.count('LOG mmseg_zsclip') == 1


class FakeExtension(types.ModuleType):
    """What a compiled mmcv looks like from outside."""

    __file__ = '/somewhere/mmcv/_ext.cpython-311-x86_64-linux-gnu.so'


def test_a_compiled_mmcv_is_left_as_it_is(monkeypatch):
    fake = FakeExtension('mmcv._ext')
    fake.__spec__ = ModuleSpec('mmcv._ext', None)
    monkeypatch.setitem(sys.modules, 'mmcv._ext', fake)
    compat.setup()
    assert sys.modules['mmcv._ext'] is fake
    assert compat.compiled_ops() == fake.__file__


def test_a_compiled_file_beside_mmcv_is_seen_before_mmcv_is_imported(tmp_path):
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').write_text('__version__ = "2.1.0"')
    (package / '_ext.py').write_text('compiled = True')
    done = python(
        f"""
sys.path.insert(0, {str(tmp_path)!r})
import mmseg_zsclip
assert mmseg_zsclip.compat.compiled_ops() == {str(package / '_ext.py')!r}
assert 'mmcv' not in sys.modules and 'mmcv._ext' not in sys.modules
import mmcv._ext
assert mmcv._ext.compiled
print('left alone')
""",
        cwd=tmp_path,
    )
    assert done.stdout.strip() == 'left alone', done.stderr


def test_our_ops_are_installed_where_mmcv_has_none(monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    monkeypatch.setattr(compat, 'compiled_ops', lambda: None)
    caplog.set_level(logging.INFO, 'mmseg_zsclip')
    compat.install_ops()
    compat.install_ops()
    assert isinstance(sys.modules['mmcv._ext'], ops.OpsModule)
    assert [record.name for record in caplog.records] == ['mmseg_zsclip']


def test_a_version_that_mmseg_refuses_is_named_with_its_repair(monkeypatch, caplog):
    found = {'mmcv': '2.2.0', 'mmcv-lite': None}
    real = compat.installed_version
    monkeypatch.setattr(environment, 'installed_version', lambda name: found.get(name, real(name)))
    compat.warn_of_versions()
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == (
        'mmcv 2.2.0 is outside the tested versions >=2.0.0,<2.2.0. To repair: '
        'pip uninstall -y mmcv && pip install "mmcv-lite==2.1.0"'
    )


def test_the_report_repairs_what_is_missing_and_two_mmcvs(monkeypatch):
    rows = {row.name: row for row in environment.environment_report()}
    assert {'python', 'torch', 'ops', 'gpu', 'mmsegmentation', 'ftfy', 'regex'} <= set(rows)
    assert all(row.fix == '' for row in rows.values() if row.ok)
    real = compat.installed_version
    lies = {'mmcv': '2.1.0', 'mmcv-lite': '2.1.0', 'ftfy': None}
    monkeypatch.setattr(environment, 'installed_version', lambda name: lies.get(name, real(name)))
    broken = {row.name: row.fix for row in environment.environment_report() if not row.ok}
    assert broken['ftfy'] == 'pip install ftfy'
    assert broken['mmcv twice'].startswith('pip uninstall -y mmcv mmcv-lite && pip install')


def test_the_table_of_versions_equals_the_requirements():
    from packaging.requirements import Requirement

    folder = ROOT / 'requirements'
    if not folder.is_dir():
        pytest.skip('needs a clone: the requirements are not installed with the package')
    written = {}
    for file in folder.glob('*.txt'):
        for line in file.read_text().splitlines():
            if line.strip() and not line.startswith(('#', '-')):
                requirement = Requirement(line.split('#')[0])
                written.setdefault(requirement.name, []).append(requirement.specifier)
    for name, (wanted, _) in compat.SUPPORTED.items():
        if name != 'mmcv-lite':  # the extra pins the one version that is tested
            assert wanted in {str(each) for each in written[name]} or any(
                set(str(each).split(',')) == set(wanted.split(',')) for each in written[name]
            ), name


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)


def make_runner(work_dir, iterations, resume):
    from mmengine.evaluator import BaseMetric
    from mmengine.model import BaseModel
    from mmengine.runner import Runner

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.line = Line()

        def forward(self, x, y, mode='tensor'):
            out = self.line.linear(x)
            return {'loss': (out - y).square().mean()} if mode == 'loss' else [out]

    class Score(BaseMetric):
        def process(self, data_batch, data_samples):
            self.results.append(1.0)

        def compute_metrics(self, results):
            return {'score': np.float64(np.mean(results))}

    def loader(shuffle):
        data = [{'x': torch.ones(2) * i, 'y': torch.ones(1)} for i in range(4)]
        return {
            'dataset': data,
            'batch_size': 2,
            'num_workers': 0,
            'sampler': {'type': 'DefaultSampler', 'shuffle': shuffle},
            'collate_fn': {'type': 'default_collate'},
        }

    return Runner(
        Model(),
        str(work_dir),
        train_dataloader=loader(True),
        val_dataloader=loader(False),
        test_dataloader=loader(False),
        val_cfg={},
        test_cfg={},
        val_evaluator=[Score()],
        test_evaluator=[Score()],
        resume=resume,
        train_cfg={'by_epoch': False, 'max_iters': iterations, 'val_interval': 1},
        optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 0.1}},
        param_scheduler={'type': 'PolyLR', 'by_epoch': False, 'begin': 0, 'end': 4},
        default_hooks={
            'checkpoint': {
                'type': 'CheckpointHook',
                'by_epoch': False,
                'interval': 1,
                'save_best': 'score',
                'rule': 'greater',
            }
        },
        custom_hooks=[{'type': 'EMAHook'}],
        randomness={'seed': 0},
        default_scope='mmengine',
        experiment_name=f'{Path(work_dir).name}_{iterations}_{resume}',
    )


def test_mmengine_checkpoint_resumes_and_tests_with_torchs_check_on(tmp_path, monkeypatch):
    """mmengine#1655: since torch 2.6 HistoryBuffer stopped every mmengine checkpoint loading."""
    loads = []
    real = torch.load
    monkeypatch.setattr(
        torch, 'load', lambda *args, **options: loads.append(options) or real(*args, **options)
    )
    make_runner(tmp_path, 2, resume=False).train()
    again = make_runner(tmp_path, 4, resume=True)
    again.train()
    assert again.iter == 4
    assert again.test() == {'score': 1.0}
    assert not loads  # read by mmseg_zsclip.checkpoints alone, whose table is tighter than torch's
    saved = read_checkpoint(tmp_path / 'iter_4.pth')
    assert saved['message_hub']['log_scalars']['train/loss'].mean() > 0


def test_a_checkpoint_written_with_another_numpys_names_loads(tmp_path):
    """numpy 1 and 2 write the same functions as numpy.core... and numpy._core..."""
    path, other = tmp_path / 'own.pth', tmp_path / 'other.pth'
    saved = {'array': np.arange(3.0), 'scalar': np.float32(0.5), 'flag': np.bool_(True)}
    torch.save({'state_dict': {'x': torch.ones(1)}, **saved}, path)
    names = [b'numpy.core.multiarray', b'numpy._core.multiarray']
    # The names have different lengths, so the zip is written anew.
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, 'w') as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith('data.pkl'):
                (own,) = (name for name in names if name in data)
                data = data.replace(own, names[names[0] == own])
            new.writestr(entry.filename, data)
    read = [read_checkpoint(path), read_checkpoint(other)]
    if HAS_LIST:
        read += [torch.load(file, weights_only=True) for file in (path, other)]
    for loaded in read:
        assert loaded['array'].tolist() == [0.0, 1.0, 2.0]
        assert loaded['scalar'] == 0.5


class Reach:
    """Pickles as getattr(owner, name), which a hostile file could use to look around."""

    def __init__(self, owner, name):
        self.call = getattr, (owner, name)

    def __reduce__(self):
        return self.call


def test_a_hostile_checkpoint_cannot_use_getattr(tmp_path):
    from mmengine.logging import HistoryBuffer

    for owner, name in ((HistoryBuffer, '__init__'), (np.ndarray, 'tofile')):
        path = tmp_path / 'hostile.pth'
        torch.save({'x': Reach(owner, name)}, path)
        with pytest.raises(CheckpointError, match=f'{path}.*not written by mmengine: do not trust'):
            read_checkpoint(path)
        if HAS_LIST:
            with pytest.raises(Exception, match='not written by mmengine: do not trust it'):
                torch.load(path, weights_only=True)


def test_mmseg_bases_are_found_without_pkg_resources(tmp_path, monkeypatch):
    """setuptools 82 removed pkg_resources, which mmengine needs for `mmseg::` bases."""
    from mmengine.config import Config

    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmseg::_base_/models/upernet_r50.py'")
    assert Config.fromfile(config).model.decode_head.type == 'UPerHead'
    assert compat.is_installed('mmsegmentation')
    assert compat.is_installed('mmseg')
    assert not compat.is_installed('no_such_package')
    assert Path(compat.get_installed_path('mmsegmentation')).name == 'mmseg'
    with pytest.raises(
        ModuleNotFoundError, match="'no_such_package' is not installed.*pip install"
    ):
        compat.get_installed_path('no_such_package')


def test_what_mmengine_cannot_make_or_find_lets_other_threads_log():
    class Broken(ManagerMixin):
        def __init__(self, name):
            raise ValueError(f'{name} cannot be made')

    def logs():
        thread = Thread(target=MMLogger.get_current_instance, daemon=True)
        thread.start()
        thread.join(20)
        return not thread.is_alive()

    with pytest.raises(RuntimeError, match='get_instance'):
        Broken.get_current_instance()
    assert logs()
    with pytest.raises(ValueError, match='a cannot be made'):
        Broken.get_instance('a')
    assert logs()


def test_attention_in_bfloat16_is_differentiated_by_two_threads():
    """torch 2.1.2 ended the process, on an Intel Xeon without AMX."""
    done = python(
        'import os; os.environ["CUDA_VISIBLE_DEVICES"] = ""\n'
        'import mmseg_zsclip, torch, torch.nn.functional as F\n'
        'torch.set_num_threads(2)\n'
        'for _ in range(50):\n'
        '    q, k, v = torch.randn(3, 1, 3, 37, 64).bfloat16().requires_grad_()\n'
        '    F.scaled_dot_product_attention(q, k, v).sum().backward()\n'
    )
    assert done.returncode == 0, done.stderr[-2000:]
