"""Damaged and hostile files: each one loads or is one line that names it,
and nothing of it runs."""

import os
import pickle
import struct
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmseg_zsclip.checkpoints import CheckpointError, read_checkpoint
from mmseg_zsclip.clip.checkpoint import convert
from mmseg_zsclip.clip.layouts import read_raw
from mmseg_zsclip.clip.model import CLIP

from .clip.conftest import TINY_VIT, open_clip_twin
from .clip.test_layouts import torchscript

ROOT = Path(__file__).resolve().parents[1]
SEEDS = range(40)
SMALL = replace(TINY_VIT, vocab_size=49408, activation='quick_gelu')
RUNS_CODE = (
    'os.system',
    'os.exec',
    'os.posix_spawn',
    'subprocess.Popen',
    'exec',
    'compile',
    'pickle.find_class',
)
_watched: list[list[str]] = []


def _audit(event, arguments):
    if _watched and event in RUNS_CODE:
        _watched[-1].append(event)


sys.addaudithook(_audit)  # cannot be taken away again; idle outside of `nothing_runs`


@contextmanager
def nothing_runs():
    """Asserts that no code was compiled or executed, no program started, no class looked up."""
    _watched.append([])
    try:
        yield
    finally:
        seen = _watched.pop()
    assert not seen


def read_clip(path):
    return convert(read_raw(path), SMALL, source=str(path))


def train_state(path, zipped):
    """A checkpoint as a training writes it."""
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    parameters = [torch.nn.Parameter(torch.randn(8, 8))]
    optimizer = torch.optim.AdamW(parameters)
    parameters[0].sum().backward()
    optimizer.step()
    torch.save(
        dict(
            meta=dict(
                epoch=0,
                iter=3,
                cfg='model = 1',
                dataset_meta=dict(classes=('a', 'b'), palette=[[0, 0, 0], [1, 1, 1]]),
            ),
            state_dict={
                'head.weight': torch.randn(16, 8),
                'head.step': torch.tensor(3),
                'neck.attn_mask': torch.full((4, 4), -torch.inf).triu(1),
            },
            message_hub=dict(
                log_scalars={'train/loss': HistoryBuffer([1.0, 2.0], [1, 1])},
                runtime_info=ConfigDict(lr=np.float64(0.1), keep_ckpt_ids=[1, 2]),
                resumed_keys={'train/loss': True},
            ),
            optimizer=optimizer.state_dict(),
        ),
        path,
        _use_new_zipfile_serialization=zipped,
    )


def clip_state():
    torch.manual_seed(0)
    return CLIP(SMALL).state_dict()


def safetensors(path):
    from safetensors.torch import save_file

    state = {key.removeprefix('text.'): value for key, value in clip_state().items()}
    save_file({key: value.contiguous() for key, value in state.items()}, path)


def plain(path, zipped=True):
    state = {key.removeprefix('text.'): value for key, value in clip_state().items()}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)


FILES = {
    'checkpoint.pth': (lambda path: train_state(path, True), read_checkpoint),
    'checkpoint_old.pth': (lambda path: train_state(path, False), read_checkpoint),
    'clip_script.pt': (lambda path: torchscript(open_clip_twin(SMALL), path), read_clip),
    'clip.safetensors': (safetensors, read_clip),
    'clip.pth': (plain, read_clip),
    'clip_old.pth': (lambda path: plain(path, False), read_clip),
}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Bytes of each of `FILES` and its reader, which reads it."""
    folder = tmp_path_factory.mktemp('whole')
    out = {}
    for name, (write, read) in FILES.items():
        write(folder / name)
        read(folder / name)
        out[name] = (folder / name).read_bytes(), read
    return out


def damaged(data, seed):
    """Cut short, or with bits turned: anywhere, or near an end, where sizes and names are."""
    rng = np.random.default_rng(seed)
    if seed % 4 == 0:
        return data[: rng.integers(len(data))]
    out = bytearray(data)
    near = min(4096, len(out))
    for _ in range(rng.integers(1, 9)):
        place = rng.integers(len(out)) if seed % 4 == 1 else rng.integers(near)
        out[-place - 1 if seed % 4 == 3 else place] ^= 1 << rng.integers(8)
    return bytes(out)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', FILES)
def test_a_file_with_turned_bits_or_cut_short_loads_or_is_named(name, whole, tmp_path):
    data, read = whole[name]
    path, refused = tmp_path / f'x{Path(name).suffix}', 0
    for seed in SEEDS:
        path.write_bytes(damaged(data, seed))
        error = None
        with nothing_runs():
            try:
                read(path)
            except ValueError as found:
                error = str(found)
        if error is not None:  # a list of tensors that differ has a line for each
            assert path.name in error.splitlines()[0], (seed, error)
            assert '\n' not in error or 'not the weights of' in error, (seed, error)
            refused += 1
    assert refused >= len(SEEDS) // 4  # those that were cut short


class Call:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def nested(depth):
    out = []
    for _ in range(depth):
        out = [out]
    return out


def itself():
    out = [1]
    out.append(out)
    return out


@pytest.mark.parametrize(
    'extra',
    [nested(400), itself(), {'a': itself()}, (itself(),)],
    ids=['deep', 'itself', 'in a dict', 'in a tuple'],
)
def test_what_is_nested_without_end_is_refused_before_anything_walks_it(extra, tmp_path):
    torch.save(dict(state_dict={'a': torch.ones(1)}, extra=extra), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'a\.pth holds a \w+ in more than 50 others, or in'):
        read_checkpoint(tmp_path / 'a.pth', 'meta')


def test_tensors_are_moved_once_however_often_they_are_held(tmp_path):
    shared = [torch.ones(2)]
    for _ in range(40):  # 2 ** 40 places
        shared = [shared, shared]
    torch.save(dict(state_dict={'a': torch.ones(1)}, extra=(shared,)), tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth', 'meta')
    node = content['extra'][0]
    assert node[0] is node[1]
    while isinstance(node, list):
        node = node[0]
    assert node.is_meta


@pytest.mark.parametrize(
    ('key', 'value', 'kept'),
    [
        ('best_ckpt', '/home/me/thesis.pth', None),
        ('best_ckpt', '/elsewhere/best_x.pth', 'best_x.pth'),
        ('best_ckpt_mIoU', 'best_\0.pth', None),
        ('last_ckpt', '..', None),
        ('last_ckpt', 3, None),
        ('last_ckpt', '../../iter_3.pth', 'iter_3.pth'),
        ('keep_ckpt_ids', 3, None),
        ('keep_ckpt_ids', ['../x'], None),
        ('keep_ckpt_ids', [3], [3]),
        (7, 'x', 'x'),
        ('cfg', 'print()', None),
    ],
)
def test_what_a_checkpoint_says_of_files_cannot_remove_another_one(key, value, kept, tmp_path):
    torch.save(
        dict(state_dict={'a': torch.ones(1)}, message_hub=dict(runtime_info={key: value, 'lr': 1})),
        tmp_path / 'a.pth',
    )
    info = read_checkpoint(tmp_path / 'a.pth')['message_hub']['runtime_info']
    if isinstance(kept, str) and kept.endswith('.pth'):
        kept = str(tmp_path / kept)
    assert info == ({'lr': 1} if kept is None else {key: kept, 'lr': 1})


def test_a_mask_may_be_minus_infinity_and_nothing_else_that_is_not_finite(tmp_path):
    mask = torch.full((3, 3), -torch.inf).triu(1)
    torch.save({'a.attn_mask': mask, 'b': torch.ones(1)}, tmp_path / 'a.pth')
    read_checkpoint(tmp_path / 'a.pth')
    mask[0, 0] = torch.nan
    torch.save({'a.attn_mask': mask}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='a.attn_mask holds 1 NaN'):
        read_checkpoint(tmp_path / 'a.pth')


def repeated_entry(path):
    torch.save({'w': torch.zeros(1)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, b'\x80\x02' + bytes(100 << 20) if 'data.pkl' in name else data)


def old_storage(path):
    torch.save({'w': torch.zeros(7)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b'K\x07', b'J\xff\xff\xff\x7f'))


def expanded(path):
    torch.save({str(i): torch.zeros(1).expand(1 << 29) for i in range(2)}, path)


BOMBS = {
    'inflates': repeated_entry,
    'old storage': old_storage,
    'expanded': expanded,
    'string': lambda path: path.write_bytes(b'\x80\x04\x8e' + struct.pack('<Q', 3 << 30) + b'x'),
    'frame': lambda path: path.write_bytes(b'\x80\x04\x95' + struct.pack('<Q', 3 << 30) + b'N.'),
    'integer': lambda path: path.write_bytes(b'\x80\x02\x8b' + struct.pack('<i', 2**31 - 1) + b'1'),
    'header': lambda path: path.write_bytes(struct.pack('<Q', 3 << 30) + b'{"a":' + bytes(64)),
    'shape': lambda path: path.write_bytes(
        struct.pack('<Q', 66)
        + (b'{"a":{"dtype":"F32","shape":[4000000000],"data_offsets":[0,8]}}').ljust(66)
        + bytes(8)
    ),
    'array': lambda path: torch.save({'w': torch.zeros(1), 'x': np.zeros(0, 'U99999999')}, path),
}


PEAKS = """
import resource, sys
from mmseg_zsclip.checkpoints import CheckpointError, _mmengine, read_checkpoint
_mmengine()
import numpy, safetensors.torch
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read_checkpoint(path)
        print('loaded', end=' ')
    except CheckpointError as error:
        print('named' if path in str(error) else error, end=' ')
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_small_file_that_declares_much_takes_no_memory(tmp_path):
    paths = [tmp_path / f'{name}.pth' for name in BOMBS]
    for path, write in zip(paths, BOMBS.values(), strict=True):
        write(path)
        assert path.stat().st_size < 1 << 20
    done = subprocess.run(
        [sys.executable, '-c', PEAKS, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    for name, line in zip(BOMBS, done.stdout.splitlines(), strict=True):
        said, kib = line.split()
        assert said == 'named', (name, line)
        assert int(kib) < 100 << 10, name  # each declares gigabytes


HOSTILE = {
    'system': lambda canary: Call(os.system, f'touch {canary}'),
    'exec': lambda canary: Call(exec, f'open({str(canary)!r}, "w")'),
    'open': lambda canary: Call(open, str(canary), 'w'),
    'popen': lambda canary: Call(subprocess.check_output, ['touch', str(canary)]),
    'inner pickle': lambda canary: Call(
        pickle.loads, pickle.dumps(Call(os.system, f'touch {canary}'))
    ),
}


def write_hostile(path, kind, canary):
    torch.save(
        dict(
            state_dict={'a': torch.ones(1)},
            meta=dict(iter=3, epoch=0),
            message_hub={},
            x=HOSTILE[kind](canary),
        ),
        path,
    )


@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_pickle_is_named_and_runs_nothing(kind, tmp_path):
    write_hostile(tmp_path / 'a.pth', kind, tmp_path / 'canary')
    for read in (read_checkpoint, read_clip):
        with nothing_runs(), pytest.raises(ValueError, match=r'a\.pth.*refused.*Nothing of it'):
            read(tmp_path / 'a.pth')
    assert not (tmp_path / 'canary').exists()


def test_a_hostile_checkpoint_is_named_and_runs_nothing_in_any_program(tmp_path):
    from mmseg_zsclip.apis.configs import find_config
    from mmseg_zsclip.cli import main

    from mmseg.apis import MMSegInferencer, init_model  # isort: skip  behind the ops fallback

    canary, path = tmp_path / 'canary', tmp_path / 'iter_3.pth'
    write_hostile(path, 'system', canary)
    config, work = str(find_config('toy_inductive')), str(tmp_path / 'run')
    calls = [
        lambda: init_model(config, str(path), device='cpu'),
        lambda: MMSegInferencer(config, str(path), device='cpu'),
    ]
    for words in (
        ['train', 'toy_inductive', '--resume', str(path)],
        ['test', 'toy_inductive', str(path)],
        ['train', 'toy_inductive', '--cfg-options', f'load_from={path}'],
    ):
        calls.append(lambda words=words: main([*words, '--work-dir', work]))
    for call in calls:
        with pytest.raises(
            (CheckpointError, SystemExit), match=r'iter_3\.pth.*refused.*Nothing of'
        ):
            call()
    assert not canary.exists()
