"""tools/model_converters/official.py: what the authors' code writes, there and back."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmseg_zsclip.apis.configs import find_config
from mmseg_zsclip.clip import prompts
from mmseg_zsclip.clip.archs import ARCHS, CLIPArch
from mmseg_zsclip.clip.model import build_text
from mmseg_zsclip.clip.tokenizer import tokenize
from mmseg_zsclip.registry import MODELS

from ...test_goldens import check, goldens

TINY = CLIPArch('tiny', 16, 32, 2, 24, 16, 2, 8, 1, 1, activation='quick_gelu')
NAMES = ['cat', 'dog', 'red bus', 'sofa', 'tree', 'sky']


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('model_converters/official.py')


def tree(**parts):
    return nn.ModuleDict(parts)


def transformer(width, layers):
    return tree(
        resblocks=nn.ModuleList(
            tree(
                attn=nn.MultiheadAttention(width, 1),
                ln_1=nn.LayerNorm(width),
                ln_2=nn.LayerNorm(width),
                mlp=tree(c_fc=nn.Linear(width, 4 * width), c_proj=nn.Linear(4 * width, width)),
            )
            for _ in range(layers)
        )
    )


def authors_model(arch, tokens, classes):
    """The authors' modules, as far as names and shapes go;
    `arch.image_size` is that of positions."""
    width, dim = arch.vision_width, arch.embed_dim
    backbone = tree(
        conv1=nn.Conv2d(3, width, arch.patch_size, bias=False),
        ln_pre=nn.LayerNorm(width),
        transformer=transformer(width, arch.vision_layers),
        ln_post=nn.LayerNorm(width),
        prompt_proj=nn.Linear(width, width),
        prompt_norm=nn.LayerNorm(width),
    )
    for name, shape in dict(
        class_embedding=(width,),
        positional_embedding=(arch.grid**2 + 1, width),
        proj=(width, dim),
        prompt_embeddings=(1, tokens, width),
        deep_prompt_embeddings=(arch.vision_layers - 1, tokens, width),
    ).items():
        backbone.register_parameter(name, nn.Parameter(torch.empty(shape)))
    layers = nn.ModuleList(nn.TransformerDecoderLayer(dim, 1, 4 * dim) for _ in range(3))
    for layer in layers:
        layer.multihead_attn = tree(
            **{name: nn.Linear(dim, dim) for name in ('q', 'k', 'v', 'proj')}
        )
    criterion = nn.Module()
    criterion.register_buffer('empty_weight', torch.empty(classes + 1))
    text = tree(
        transformer=transformer(arch.text_width, arch.text_layers),
        token_embedding=nn.Embedding(arch.vocab_size, arch.text_width),
        ln_final=nn.LayerNorm(arch.text_width),
    )
    for name, shape in dict(
        positional_embedding=(arch.context_length, arch.text_width),
        text_projection=(arch.text_width, dim),
    ).items():
        text.register_parameter(name, nn.Parameter(torch.empty(shape)))
    return tree(
        backbone=backbone,
        text_encoder=text,
        decode_head=tree(
            decoder_1=tree(layers=layers),
            q_proj=nn.Linear(2 * dim, dim),
            loss_decode=tree(criterion=criterion),
        ),
    )


def authors_state(arch, tokens=3, classes=4):
    with torch.device('meta'):
        shapes = authors_model(arch, tokens, classes).state_dict()
    torch.manual_seed(0)
    return {key: torch.empty(value.shape).normal_(std=0.1) for key, value in shapes.items()}


def write(path, state):
    """A training checkpoint as mmcv 1.x writes it, from several GPUs."""
    meta = dict(mmcv_version='1.4.4', epoch=1, iter=20000, CLASSES=('cat',), PALETTE=[[1, 2, 3]])
    optimizer = dict(state={0: dict(step=1, exp_avg=torch.zeros(2))}, param_groups=[dict(lr=2e-5)])
    torch.save(
        dict(
            meta=meta,
            optimizer=optimizer,
            state_dict={f'module.{key}': value for key, value in state.items()},
        ),
        path,
    )
    return path


def small_config(path, arch, tokens, names, unseen, heads=2):
    path.write_text(f"""
_base_ = [{str(find_config('voc_inductive_released'))!r}]
model = dict(
    backbone=dict(arch='{arch.name}', weights=None, image_size={arch.image_size},
                  num_prompts={tokens}),
    decode_head=dict(classes={names}, unseen={unseen}, num_heads={heads},
                     text=dict(arch='{arch.name}', weights=None)))
""")
    return str(path)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """(a checkpoint's tensors, config) of a small ZegCLIP whose CLIP has positions for 32 pixels
    and whose release has them for 64."""
    monkeypatch.setitem(ARCHS, 'tiny', TINY)
    arch = replace(TINY, image_size=64)
    return authors_state(arch), small_config(tmp_path / 'tiny.py', arch, 3, NAMES, NAMES[4:])


def build_and_load(config, path):
    """The config's model with the file in it, whose tensors are exactly the model's."""
    cfg = Config.fromfile(find_config(config))
    init_default_scope('mmseg')
    with torch.device('meta'):  # no time lost on random numbers
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(path, weights_only=True)['state_dict'], assign=True)
    return model


def test_the_authors_modules_are_named_as_the_goldens_are():
    paths = [mark.values[0] for mark in goldens('zegclip') if mark.values[0]]
    if not paths:
        pytest.skip('no goldens')
    golden = torch.load(paths[0], weights_only=False)
    cfg = golden['cfg']
    arch = CLIPArch(
        'golden',
        cfg['output_dim'],
        cfg['input_resolution'],
        cfg['layers'],
        cfg['width'],
        cfg['patch_size'],
        cfg['heads'],
        8,
        1,
        1,
    )
    ours = {
        key: value.shape
        for key, value in authors_state(arch, 4, 4).items()
        if not key.startswith('text_encoder.')
    }
    assert ours == {key: value.shape for key, value in golden['state_dict'].items()}


@pytest.mark.parametrize('path', goldens('zegclip'))
@torch.no_grad()
def test_a_converted_golden_gives_the_release_s_scores_and_losses(
    path, tool, tmp_path, monkeypatch
):
    golden = torch.load(path, weights_only=False)
    cfg = golden['cfg']
    arch = CLIPArch(
        'golden',
        cfg['output_dim'],
        2 * cfg['input_resolution'],
        cfg['layers'],
        cfg['width'],
        cfg['patch_size'],
        cfg['heads'],
        8,
        1,
        1,
        activation='quick_gelu',
    )
    monkeypatch.setitem(ARCHS, 'golden', arch)
    names = [f'class {i}' for i in range(cfg['C'])]
    unseen = [name for i, name in enumerate(names) if i not in cfg['seen']]
    config = small_config(
        tmp_path / 'golden.py',
        replace(arch, image_size=cfg['input_resolution']),
        cfg['num_tokens'],
        names,
        unseen,
        cfg['num_heads'],
    )
    text = {key: value for key, value in authors_state(arch).items() if key.startswith('text_enc')}
    source = write(tmp_path / 'in.pth', golden['state_dict'] | text)
    tool.main(['zegclip', str(source), str(tmp_path / 'out.pth'), '--config', config])
    model = build_and_load(config, tmp_path / 'out.pth')
    model.vocabulary.embeddings.copy_(golden['text'])
    img, head = golden['img'], model.decode_head
    check('pred', model.encode_decode(img, [dict(img_shape=img.shape[2:])] * 2), golden['pred'])
    seen = F.interpolate(
        head(model.extract_feat(img), rows=head.seen), golden['gt'].shape[2:], mode='bilinear'
    )
    terms = head.loss_decode.terms(seen, golden['gt'][:, 0])
    check('loss_mask', terms['loss_focal'], golden['loss_mask'])
    check('loss_dice', terms['loss_dice'], golden['loss_dice'])


@torch.no_grad()
def test_text_embeddings_come_from_the_text_encoder_in_the_file(tiny, tool):
    state, config = tiny
    ours, _ = tool.zegclip(state, config)
    tower = build_text(TINY)
    tower.load_state_dict(
        {
            key.removeprefix('text_encoder.'): value
            for key, value in state.items()
            if key.startswith('text_encoder.')
        }
    )
    rows = tower(tokenize([f'a photo of a {name}' for name in NAMES]))
    torch.testing.assert_close(
        ours['decode_head.class_embeddings.embeddings'], rows / rows.norm(dim=1, keepdim=True)
    )
    # other words refuse them; which CLIP they are of, the file knows and not the config
    assert ours._metadata['decode_head.class_embeddings']['text'] == dict(classes=NAMES)


@pytest.mark.parametrize(
    ('tokens', 'classes', 'name', 'count', 'siblings'),
    [
        (10, 15, 'voc_inductive_released', 20, ['voc_transductive_released', 'voc_fully_released']),
        (
            100,
            156,
            'coco_stuff_inductive_released',
            171,
            ['coco_stuff_transductive_released', 'coco_stuff_fully_released'],
        ),
    ],
)
@torch.no_grad()
def test_round_trip_at_real_size(
    tokens, classes, name, count, siblings, tool, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(prompts.TEMPLATES, 'zegclip15', lambda: ('a photo of a {}.',))  # quicker
    state = authors_state(replace(ARCHS['ViT-B-16'], image_size=512), tokens, classes)
    source, target = write(tmp_path / 'in.pth', state), tmp_path / 'made' / 'out.pth'
    tool.main(['zegclip', str(source), str(target)])
    assert f'zsclip test {name} {target}' in capsys.readouterr().out
    model = build_and_load(name, target)
    assert model.backbone.visual.positional_embedding.shape == (1025, 768)
    torch.testing.assert_close(
        model.backbone.prompts[0], state['backbone.prompt_embeddings'][0], rtol=0, atol=0
    )
    logits = model(torch.zeros(1, 3, 64, 64), mode='tensor')
    assert logits.shape == (1, count, 4, 4)
    assert logits.isfinite().all()
    with torch.device('meta'):
        for other in siblings:
            config = Config.fromfile(find_config(other)).model
            twin = MODELS.build(config).state_dict()
            assert {k: v.shape for k, v in twin.items()} == {
                k: v.shape for k, v in model.state_dict().items()
            }


def without(*parts):
    return lambda state: {
        key: value for key, value in state.items() if not any(part in key for part in parts)
    }


WRONG = dict(
    unknown=(
        lambda state: state | {'backbone.extra.weight': torch.zeros(1)},
        r"1 keys of the checkpoint are not ZegCLIP's: backbone\.extra\.weight\.",
    ),
    missing=(
        without('q_proj.bias', 'ln_final.weight'),
        r'(?s)does not fit .*Missing key.*"decode_head\.query_proj\.bias", .*ln_final\.weight"',
    ),
    no_deep_prompts=(
        without('deep_prompt'),
        r'(?s)does not fit .*backbone\.prompts: .*\[1, 3, 24\].*\[2, 3, 24\]',
    ),
    shape=(
        lambda state: state | {'backbone.positional_embedding': torch.zeros(5, 24)},
        r'(?s)does not fit .*positional_embedding: .*\[5, 24\].* is torch.Size\(\[17, 24\]\)',
    ),
    text_unknown=(
        lambda state: state | {'text_encoder.extra': torch.zeros(1)},
        r'(?s)does not fit .*Unexpected key.*"text_encoder\.extra"',
    ),
    another_model=(
        lambda state: {'backbone.conv1.weight': torch.zeros(1)},
        r"no 'decode_head\.decoder_1\.layers\.\*' key: this is no ZegCLIP checkpoint",
    ),
    no_text=(
        without('text_encoder.'),
        r"no text_encoder\.\*, so .* Give the whole file that the authors' train\.py wrote",
    ),
    other_classes=(
        lambda state: state | {'decode_head.loss_decode.criterion.empty_weight': torch.zeros(21)},
        r'was trained on 20 classes, .*tiny\.py has 4 or 6\. Name its config: --config NAME',
    ),
)


@pytest.mark.parametrize('case', WRONG)
def test_what_is_not_accounted_for_is_listed_and_nothing_is_written(case, tiny, tool, tmp_path):
    change, message = WRONG[case]
    state, config = tiny
    source, target = write(tmp_path / 'in.pth', change(state)), tmp_path / 'out.pth'
    with pytest.raises(SystemExit, match=message):
        tool.main(['zegclip', str(source), str(target), '--config', config])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in.pth', 'tiny.py']


def test_a_number_of_prompts_that_the_release_has_not_asks_for_the_config(tiny, tool):
    with pytest.raises(ValueError, match='has 3 prompts a block, the release 10 or 100. Name its'):
        tool.zegclip(tiny[0])


def test_files_that_are_no_checkpoints(tool, tmp_path, capsys):
    path, out = tmp_path / 'in.pth', str(tmp_path / 'out.pth')
    with pytest.raises(SystemExit, match='official: no such file: .*in.pth'):
        tool.main(['zegclip', str(path), out])
    torch.save(dict(meta=Path('x'), state_dict={}), path)
    with pytest.raises(
        SystemExit, match=r'Python objects, which are refused .* save its state dict'
    ):
        tool.main(['zegclip', str(path), out])
    torch.save([1, 2], path)
    with pytest.raises(SystemExit, match='in.pth holds no state dict but list'):
        tool.main(['zegclip', str(path), out])
    with pytest.raises(SystemExit):
        tool.main(['zegclip', str(path), str(path)])
    assert 'OUT is IN' in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ['in.pth']
