import socket
import threading
import time

import pytest
import torch

from mmseg_zsclip.clip import checkpoint
from mmseg_zsclip.clip.archs import CLIP_MEAN, Published, get_arch
from mmseg_zsclip.clip.checkpoint import (
    load_clip,
    load_text,
    load_visual,
    read_weights,
    save_clip,
)
from mmseg_zsclip.clip.model import CLIP

from .conftest import TINY_RESNET, TINY_VIT, drop, open_clip_twin, write


def test_a_published_tag_decides_activation_and_statistics(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.pt')
    facts = Published(
        'tiny-vit', 'openai', 'http://x/a.pt', '', 'quick_gelu', (0.5,) * 3, (0.25,) * 3
    )
    monkeypatch.setattr(checkpoint, 'published', lambda name, tag: facts)
    monkeypatch.setattr('mmseg_zsclip.clip.download.fetch_published', lambda facts: path)
    read = read_weights(TINY_VIT, 'openai')
    assert read.arch.activation == 'quick_gelu'
    assert (read.mean, read.std) == ((0.5,) * 3, (0.25,) * 3)
    assert read_weights(TINY_VIT, path, 'gelu').mean == CLIP_MEAN


def test_missing_batch_counters_are_the_only_tensors_filled_in(tmp_path):
    def change(state):
        for key in [key for key in state if key.endswith('num_batches_tracked')]:
            del state[key]

    path = write(tmp_path / 'a.pt', change, TINY_RESNET)
    model = load_clip(TINY_RESNET, path, 'gelu')
    assert model.visual.bn1.num_batches_tracked == 0
    path = write(tmp_path / 'b.pt', drop('visual.bn1.running_mean'), TINY_RESNET)
    with pytest.raises(ValueError, match=r'1 missing:\s+visual.bn1.running_mean'):
        load_clip(TINY_RESNET, path, 'gelu')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_files_become_float32_and_train_without_nan(dtype, tmp_path):
    state = open_clip_twin(TINY_VIT).state_dict()
    torch.save({key: value.to(dtype) for key, value in state.items()}, tmp_path / 'half.pt')
    model = load_clip(TINY_VIT, tmp_path / 'half.pt', 'gelu').train()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(1, 400, (4, 12)).index_fill(1, torch.tensor(11), 49407)
    for _ in range(5):
        with torch.autocast('cpu', torch.bfloat16):
            image, text = model.visual(torch.randn(4, 3, 32, 32)), model.text(tokens)
            logits = model.logit_scale.exp() * image @ text.T
            loss = torch.nn.functional.cross_entropy(logits.float(), torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    assert all(p.isfinite().all() for p in model.parameters())


def test_offline_a_path_makes_no_connection(tmp_path, monkeypatch):
    attempts = []
    for name in ('connect', 'connect_ex'):
        monkeypatch.setattr(socket.socket, name, lambda *args: attempts.append(args))
    monkeypatch.setattr(socket, 'create_connection', lambda *args, **kw: attempts.append(args))
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *args, **kw: attempts.append(args))
    save_clip(CLIP(TINY_VIT), tmp_path / 'own.pt')
    load_clip(TINY_VIT, tmp_path / 'own.pt')
    load_visual(TINY_VIT, str(write(tmp_path / 'a.pt')), 'gelu')
    with pytest.raises(FileNotFoundError, match='no such weights'):
        load_clip(TINY_VIT, str(tmp_path / 'nothing.pt'))
    with pytest.raises(FileNotFoundError, match='no such weights: nothing.pt'):
        load_clip(TINY_VIT, 'nothing.pt')
    assert not attempts


@pytest.fixture
def reads(monkeypatch):
    paths = []
    read = checkpoint.read_raw
    monkeypatch.setattr(checkpoint, 'read_raw', lambda path: paths.append(path) or read(path))
    return paths


def test_two_towers_of_one_file_read_it_once(reads, tmp_path):
    save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt')
    visual = load_visual(TINY_VIT, tmp_path / 'a.pt')
    text = load_text(TINY_VIT, tmp_path / 'a.pt')
    assert len(reads) == 1
    both = load_clip(TINY_VIT, tmp_path / 'a.pt')
    assert torch.equal(both.visual.proj, visual.proj)
    assert torch.equal(both.text.text_projection, text.text_projection)
    with torch.no_grad():
        visual.proj.zero_()
    assert both.visual.proj.abs().sum() > 0
    assert load_visual(TINY_VIT, tmp_path / 'a.pt').proj.abs().sum() > 0


def test_a_changed_file_is_read_again(reads, tmp_path):
    save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt')
    old = load_visual(TINY_VIT, tmp_path / 'a.pt')
    save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt')
    assert not torch.equal(load_visual(TINY_VIT, tmp_path / 'a.pt').proj, old.proj)
    assert len(reads) == 2


def test_weights_are_not_held_forever(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, 'KEEP_SECONDS', 0.05)
    save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt')
    load_visual(TINY_VIT, tmp_path / 'a.pt')
    deadline = time.monotonic() + 5
    while checkpoint._recent._entry is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert checkpoint._recent._entry is None


def test_random_weights_differ_and_loaded_ones_are_in_eval_mode(tmp_path):
    first, second = load_clip('ViT-XS-8'), load_clip('ViT-XS-8')
    assert not first.training
    assert not torch.equal(first.visual.proj, second.visual.proj)
    assert load_clip('ViT-XS-8', activation='quick_gelu').arch.activation == 'quick_gelu'
    save_clip(first, tmp_path / 'a.pt')
    assert not load_clip(None, tmp_path / 'a.pt').training
    with pytest.raises(ValueError, match='neither an architecture nor weights'):
        load_clip(None)


def test_architecture_must_be_known_when_the_file_does_not_say(tmp_path):
    with pytest.raises(ValueError, match='does not record its architecture; name it'):
        load_clip(None, write(tmp_path / 'a.pt'), 'gelu')
    with pytest.raises(ValueError, match="'openai' is a tag: name the architecture too"):
        load_clip(None, 'openai')


def test_saved_file_is_small_whole_and_plain(tmp_path, monkeypatch):
    model = CLIP(TINY_VIT)
    save_clip(model, tmp_path / 'new' / 'a.pt', dict(note='x'))
    save_clip(model, tmp_path / 'half.pt', half=True)
    whole = (tmp_path / 'new' / 'a.pt').stat().st_size
    assert (tmp_path / 'half.pt').stat().st_size < 0.55 * whole
    with pytest.raises(TypeError, match='meta must hold plain values'):
        save_clip(model, tmp_path / 'b.pt', dict(path=object()))

    def fail(content, path):
        path.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        save_clip(model, tmp_path / 'b.pt')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['half.pt', 'new']


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (torch.ones(7, dtype=torch.bool), r'rows is torch.bool of shape \(7,\)'),
        (
            torch.tensor([5, 6]),
            r'rows is torch.int64 of shape \(2,\); expected bool \(49408,\), true',
        ),
    ],
)
def test_rows_to_store_must_be_marks_of_the_whole_vocabulary(rows, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt', rows=rows)
    assert not list(tmp_path.iterdir())


def test_no_parameter_is_left_uninitialised(tmp_path):
    """Towers are built without storage and filled: every parameter must come from the file."""
    model = CLIP(get_arch('ViT-XS-8'))
    save_clip(model, tmp_path / 'a.pt')
    loaded = load_clip('ViT-XS-8', tmp_path / 'a.pt')
    assert not [b for b in loaded.buffers()]
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_the_memory_does_not_keep_the_process_alive():
    checkpoint._recent.put(('key',), None)
    assert all(t.daemon for t in threading.enumerate() if isinstance(t, threading.Timer))
