import json
import zipfile
from dataclasses import replace

import pytest
import torch

from mmseg_zsclip.clip.checkpoint import load_clip, save_clip
from mmseg_zsclip.clip.layouts import from_openai, read_raw
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.clip.tokenizer import tokenize

from .conftest import TINY_RESNET, TINY_VIT, open_clip_twin

QUICK = replace(TINY_VIT, activation='quick_gelu')
TEXTS = ['a photo of a cat.', 'a red bus']


@torch.no_grad()
def assert_same(ours, theirs, size=(32, 32), tolerance=1e-5):
    img, tokens = torch.randn(2, 3, *size), tokenize(TEXTS)
    torch.testing.assert_close(
        ours.visual(img), theirs.encode_image(img), rtol=tolerance, atol=tolerance
    )
    torch.testing.assert_close(
        ours.text(tokens), theirs.encode_text(tokens), rtol=tolerance, atol=tolerance
    )
    torch.testing.assert_close(ours.logit_scale, theirs.logit_scale)


def torchscript(model, path, img_size=32):
    """An archive as OpenAI's: traced, half precision, sizes kept among the tensors."""
    for name, value in dict(input_resolution=img_size, context_length=77, vocab_size=49408).items():
        model.__dict__.pop(name, None)
        model.register_buffer(name, torch.tensor(value))
    inputs = (torch.randn(1, 3, img_size, img_size), tokenize(['a cat']))
    traced = torch.jit.trace(model, inputs, check_trace=False)
    traced.half()
    traced.save(str(path))


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    'arch', [QUICK, replace(TINY_RESNET, activation='quick_gelu')], ids=['vit', 'resnet']
)
def test_openai_torchscript_archive(arch, tmp_path):
    theirs = open_clip_twin(arch)
    torchscript(theirs, tmp_path / 'model.pt', arch.image_size)
    ours = load_clip(replace(arch, activation='gelu'), tmp_path / 'model.pt')
    assert ours.arch.activation == 'quick_gelu'
    assert all(
        v.dtype == torch.float32 for v in ours.state_dict().values() if v.is_floating_point()
    )
    halved = open_clip_twin(arch).half().float()
    assert_same(ours, halved, (arch.image_size,) * 2)


@pytest.mark.filterwarnings('ignore')
def test_torchscript_archive_that_runs_code_when_loaded_is_refused(tmp_path):
    torchscript(open_clip_twin(QUICK), tmp_path / 'good.pt')
    with (
        zipfile.ZipFile(tmp_path / 'good.pt') as good,
        zipfile.ZipFile(tmp_path / 'bad.pt', 'w') as bad,
    ):
        for name in good.namelist():
            bad.writestr(name, good.read(name))
        bad.writestr('good/code/extra.py', 'def __setstate__(self): ...')
    with pytest.raises(ValueError, match='would run code when loaded .*extra.py'):
        read_raw(tmp_path / 'bad.pt')


@pytest.mark.parametrize('kind', ['openai', 'plain', 'wrapped', 'ddp', 'custom text'])
def test_state_dicts(kind, tmp_path):
    theirs = open_clip_twin(QUICK)
    state = theirs.state_dict()
    if kind == 'openai':
        state |= {
            key: torch.tensor(1) for key in ('input_resolution', 'context_length', 'vocab_size')
        }
    if kind == 'ddp':
        state = {f'module.{key}': value for key, value in state.items()}
    if kind == 'custom text':
        state = {
            key if key.startswith(('visual.', 'logit')) else f'text.{key}': value
            for key, value in state.items()
        }
    torch.save(dict(state_dict=state, epoch=3) if kind == 'wrapped' else state, tmp_path / 'a.pt')
    assert read_raw(tmp_path / 'a.pt').activation == ('quick_gelu' if kind == 'openai' else None)
    assert_same(load_clip(QUICK, tmp_path / 'a.pt'), theirs)


@pytest.mark.parametrize('arch', [TINY_VIT, TINY_RESNET], ids=['vit', 'resnet'])
def test_open_clip_safetensors(arch, tmp_path):
    from safetensors.torch import save_file

    theirs = open_clip_twin(arch)
    save_file(theirs.state_dict(), tmp_path / 'open_clip_model.safetensors')
    ours = load_clip(arch, tmp_path / 'open_clip_model.safetensors', activation='gelu')
    assert_same(ours, theirs, (arch.image_size,) * 2)


def open_clip_config(arch, **more):
    return dict(
        model_cfg=dict(
            embed_dim=arch.embed_dim,
            **more,
            vision_cfg=dict(
                image_size=arch.image_size,
                layers=arch.vision_layers,
                width=arch.vision_width,
                patch_size=arch.patch_size,
                head_width=arch.vision_width // arch.vision_heads,
            ),
            text_cfg=dict(
                context_length=77,
                vocab_size=49408,
                width=arch.text_width,
                heads=arch.text_heads,
                layers=arch.text_layers,
            ),
        ),
        preprocess_cfg=dict(mean=[0.5] * 3, std=[0.25] * 3),
    )


@pytest.mark.parametrize('file', ['open_clip_pytorch_model.bin', 'open_clip_model.safetensors'])
def test_open_clip_folder_records_sizes_activation_and_statistics(file, tmp_path):
    from safetensors.torch import save_file

    theirs = open_clip_twin(QUICK)
    write = save_file if file.endswith('safetensors') else torch.save
    write(theirs.state_dict(), tmp_path / file)
    (tmp_path / 'open_clip_config.json').write_text(
        json.dumps(open_clip_config(QUICK, quick_gelu=True))
    )
    raw = read_raw(tmp_path)
    assert (raw.mean, raw.std) == ((0.5,) * 3, (0.25,) * 3)
    assert raw.activation == 'quick_gelu'
    assert_same(load_clip(TINY_VIT, tmp_path), theirs)
    assert_same(load_clip(None, tmp_path), theirs)


def test_own_format_round_trip(tmp_path):
    theirs = open_clip_twin(QUICK)
    model = CLIP(QUICK)
    state = from_openai(theirs.state_dict())
    model.load_state_dict(
        {k if k.startswith(('visual.', 'logit')) else f'text.{k}': v for k, v in state.items()}
    )
    save_clip(model, tmp_path / 'clip.pt', dict(source='test', steps=3))
    assert torch.load(tmp_path / 'clip.pt', weights_only=True)['meta'] == dict(
        source='test', steps=3
    )
    assert read_raw(tmp_path / 'clip.pt').arch == QUICK
    assert_same(load_clip(TINY_VIT, tmp_path / 'clip.pt'), theirs)
    assert load_clip(None, tmp_path / 'clip.pt').arch == QUICK


def write_compact(path, half=False):
    model, trained = CLIP(TINY_VIT), torch.zeros(49408, dtype=torch.bool)
    trained[[5, 320, 49406, 49407]] = True
    save_clip(model, path, half=half, rows=trained)
    return model, trained


@pytest.mark.parametrize('half', [False, True])
def test_words_that_were_never_trained_cost_nothing_and_come_back_as_zeros(half, tmp_path):
    model, trained = write_compact(tmp_path / 'a.pt', half)
    save_clip(model, tmp_path / 'whole.pt', half=half)
    saved = (49408 - 4) * 24 * (2 if half else 4)
    sizes = [(tmp_path / name).stat().st_size for name in ('whole.pt', 'a.pt')]
    assert sizes[0] - sizes[1] == pytest.approx(saved, rel=0.01)
    loaded = load_clip(TINY_VIT, tmp_path / 'a.pt')
    for key, value in model.state_dict().items():
        if key == 'text.token_embedding.weight':
            value = value * trained[:, None]
        torch.testing.assert_close(loaded.state_dict()[key], value, atol=1e-3 * half, rtol=1e-3)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([5, 320, 49406], '3 row ids for 4 stored rows; expected as many'),
        ([320, 5, 49406, 49407], 'row ids are not in ascending order without repeats'),
        ([5, 5, 49406, 49407], 'row ids are not in ascending order without repeats'),
        ([5, 320, 49406, 49408], 'row ids run from 5 to 49408; legal: 0 to 49407'),
        ([-1, 320, 49406, 49407], 'row ids run from -1 to 49407; legal: 0 to 49407'),
        (
            [0.5, 1.0, 2.0, 3.0],
            r'row ids are torch.float32 of shape \(4,\); expected \(K,\) int32 or',
        ),
        (
            [[5, 320, 49406, 49407]],
            r'row ids are torch.int64 of shape \(1, 4\); expected \(K,\) int32',
        ),
    ],
)
def test_token_rows_that_do_not_fit_are_refused(rows, message, tmp_path):
    write_compact(tmp_path / 'a.pt')
    content = torch.load(tmp_path / 'a.pt', weights_only=True)
    torch.save(content | dict(token_rows=torch.tensor(rows)), tmp_path / 'a.pt')
    with pytest.raises(ValueError, match=f'a.pt: the token embeddings are damaged: {message}'):
        read_raw(tmp_path / 'a.pt')


def test_own_format_of_another_version(tmp_path):
    torch.save(dict(arch=dict(name='x', colour=3), state_dict={}), tmp_path / 'a.pt')
    with pytest.raises(ValueError, match='another version of mmseg_zsclip.*colour'):
        read_raw(tmp_path / 'a.pt')


def test_unknown_layouts_list_the_known_ones(tmp_path):
    torch.save({'backbone.conv1.weight': torch.zeros(1)}, tmp_path / 'a.pt')
    with pytest.raises(ValueError, match=r'keys are backbone.conv1.weight. Known: OpenAI Torch'):
        read_raw(tmp_path / 'a.pt')
    torch.save([1, 2], tmp_path / 'b.pt')
    with pytest.raises(ValueError, match='holds no state dict but list'):
        read_raw(tmp_path / 'b.pt')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(ValueError, match='neither open_clip_config.json nor config.json'):
        read_raw(tmp_path / 'folder')
    (tmp_path / 'folder' / 'open_clip_config.json').write_text(
        json.dumps(open_clip_config(TINY_VIT))
    )
    with pytest.raises(FileNotFoundError, match='has none of open_clip_model.safetensors, open_cl'):
        read_raw(tmp_path / 'folder')
    with pytest.raises(FileNotFoundError, match='no such weights'):
        read_raw(tmp_path / 'nothing.pt')


class Loud:
    """Unpickling it would run code."""

    def __reduce__(self):
        return (print, ('ran',))


def test_files_that_hold_objects_are_refused_without_running_them(tmp_path, capsys):
    torch.save(dict(state_dict={}, args=Loud()), tmp_path / 'a.pt')
    with pytest.raises(ValueError, match=r'Python objects, which are refused \(weights'):
        read_raw(tmp_path / 'a.pt')
    assert 'ran' not in capsys.readouterr().out


@pytest.mark.parametrize('name', ['a.pt', 'a.safetensors'])
def test_damaged_files_are_named(name, tmp_path):
    from safetensors.torch import save_file

    write = save_file if name.endswith('safetensors') else torch.save
    write(dict(a=torch.randn(1000)), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf'{name} \(\d+ bytes\) cannot be read'):
        read_raw(tmp_path / name)
