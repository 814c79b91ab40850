"""Every attention of the last block against its formula, head by head and query by query."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.archs import CLIPArch
from mmseg_zsclip.models import dense_attention
from mmseg_zsclip.models.dense_attention import (
    BLOCK_ATTENTIONS,
    build_attention,
    gaussian_window,
    local_outliers,
    repair,
)
from mmseg_zsclip.models.maskclip import MaskCLIPViT
from mmseg_zsclip.toy import World

ARCH = CLIPArch('tiny', 16, 32, 6, 24, 8, 4, 16, 2, 1)
HEADS, DIM = 4, 6
GRID = (3, 5)
MIXTURES = [
    'last',
    'qq',
    'kk',
    'qq+kk',
    dict(type='kk', gaussian_std=None),
    dict(type='qq+kk', gaussian_std=1.5),
    'rcs',
    dict(type='rcs', base='qq+kk', blocks=(1, -3), weight=0.3),
]
ALL = ['value', *MIXTURES, 'sc']


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def tower(attention, **settings):
    """Random weights, with logits large enough that attentions differ."""
    tower = MaskCLIPViT(ARCH, attention=attention, **settings)
    for block in tower.visual.blocks:
        torch.nn.init.normal_(block.attn.in_proj_weight, std=0.6)
        torch.nn.init.normal_(block.attn.in_proj_bias, std=0.3)
    return tower


def inputs_of_blocks(tower, img):
    x, _ = tower.visual.embed(img)
    inputs = []
    for block in tower.visual.blocks:
        inputs.append(x)
        x = block(x)
    return inputs


def heads_of(block, x):
    """q, k, v of one image's tokens (1 + N, D), each a list of heads (1 + N, DIM)."""
    rows = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    return [list(part.split(DIM, dim=1)) for part in rows.chunk(3, dim=1)]


def place(token):
    return divmod(token - 1, GRID[1])


def attention_of(a, b, query, std=None):
    """softmax over the tokens of b of a's `query` (+ the window of `std`), written from the
    formula."""
    logits = []
    for j in range(len(b)):
        logit = torch.dot(a[query], b[j]) / math.sqrt(DIM)
        if std and j:
            distance = sum((s - t) ** 2 for s, t in zip(place(query), place(j), strict=True))
            logit = logit + math.exp(-distance / (2 * std**2))
        logits.append(logit)
    return torch.stack(logits).softmax(0)


def weights_of(spec, blocks, inputs, head, query):
    """The mixture of one query of one head: (1 + N,)."""
    options = dict(type=spec) if isinstance(spec, str) else dict(spec)
    kind = options.pop('type')
    std = options.get('gaussian_std', 5.0 if kind == 'kk' else None)
    q, k, _ = (part[head] for part in heads_of(blocks[-1], inputs[-1]))
    if kind == 'last':
        return attention_of(q, k, query)
    if kind != 'rcs':
        parts = dict(qq=[q], kk=[k])
        return sum(attention_of(a, a, query, std) for name in kind.split('+') for a in parts[name])
    base = weights_of(options.get('base', 'kk'), blocks, inputs, head, query)
    middle = options.get('blocks', (2, 3))  # the third and fourth of six: 5 to 8 of 12, from 0
    share = options.get('weight', 0.5)
    cross = []
    for i in middle:
        q, k, _ = (part[head] for part in heads_of(blocks[i], inputs[i]))
        cross.append(attention_of(q, k, query))
    return (1 - share) * base + share * sum(cross) / len(cross)


@pytest.mark.parametrize('residual', [False, True])
@pytest.mark.parametrize('spec', MIXTURES, ids=str)
@torch.no_grad()
def test_mixtures_are_their_formulas(spec, residual):
    model = tower(spec, residual=residual, ffn=residual)
    img = torch.randn(2, 3, GRID[0] * 8, GRID[1] * 8)
    blocks, every = model.visual.blocks, inputs_of_blocks(model, img)
    features, _ = model(img)
    for b in range(2):
        inputs = [x[b] for x in every]
        values = heads_of(blocks[-1], inputs[-1])[2]
        rows = []
        for query in range(1, 1 + GRID[0] * GRID[1]):
            heads = [
                weights_of(spec, blocks, inputs, head, query) @ values[head]
                for head in range(HEADS)
            ]
            rows.append(blocks[-1].attn.out_proj(torch.cat(heads)))
        y = torch.stack(rows)
        if residual:
            y = y + inputs[-1][1:]
            y = y + blocks[-1].mlp(blocks[-1].ln_2(y))
        expected = model.visual.project(y).T.unflatten(1, GRID)
        torch.testing.assert_close(features[b], expected, rtol=1e-5, atol=1e-5)


def outliers_one_by_one(x, k, share):
    """Breunig et al.'s definitions, point by point."""
    size = len(x)
    far = [[torch.dist(x[i], x[j]).item() for j in range(size)] for i in range(size)]
    near = [
        sorted((j for j in range(size) if j != i), key=lambda j: far[i][j])[:k] for i in range(size)
    ]
    density = [k / sum(max(far[o][near[o][-1]], far[p][o]) for o in near[p]) for p in range(size)]
    factor = torch.tensor([sum(density[o] for o in near[p]) / k / density[p] for p in range(size)])
    return factor > factor.quantile(1 - share)


def repaired_one_by_one(x, strange):
    out = x.clone()
    for i in range(len(x)):
        row, column = divmod(i, GRID[1])
        around = [
            x[r * GRID[1] + c]
            for r in range(max(row - 1, 0), min(row + 2, GRID[0]))
            for c in range(max(column - 1, 0), min(column + 2, GRID[1]))
            if not strange[r * GRID[1] + c]
        ]
        if strange[i] and around:
            out[i] = sum(around) / len(around)
    return out


def averaged_one_by_one(cosine, x):
    out = []
    for row in cosine:
        chosen = [(w, x[j]) for j, w in enumerate(row) if w >= 0.4]
        out.append(sum(w * y for w, y in chosen) / sum(w for w, _ in chosen))
    return torch.stack(out)


def cosines_one_by_one(x):
    return torch.stack([torch.stack([torch.cosine_similarity(a, b, 0) for b in x]) for a in x])


@torch.no_grad()
def test_self_calibration_is_its_steps():
    model = tower(dict(type='sc', neighbours=4, outliers=0.2), residual=False, ffn=False)
    img = torch.randn(2, 3, GRID[0] * 8, GRID[1] * 8)
    block, every = model.visual.blocks[-1], inputs_of_blocks(model, img)
    features, _ = model(img)
    for b in range(2):
        last, middle, shallow = (every[i][b] for i in (-1, 4, 2))
        strange = outliers_one_by_one(last[1:], 4, 0.2)
        assert strange.sum() == 3
        cosine = cosines_one_by_one(repaired_one_by_one(middle[1:], strange))
        x = averaged_one_by_one(cosine, repaired_one_by_one(last[1:], strange))
        _, k, v = heads_of(block, x)
        rows = []
        for i in range(len(x)):
            above = 3 * (cosine[i] - cosine.mean())
            similar = torch.tensor([a.exp() if a >= 0 else 0.0 for a in above])
            similar = similar / similar.sum()
            heads = [(attention_of(k[h], k[h], i) + similar) / 2 @ v[h] for h in range(HEADS)]
            rows.append(block.attn.out_proj(torch.cat(heads)) + 0.3 * last[0])
        y = averaged_one_by_one(cosines_one_by_one(shallow[1:]), torch.stack(rows))
        expected = model.visual.project(y).T.unflatten(1, GRID)
        torch.testing.assert_close(features[b], expected, rtol=1e-5, atol=1e-5)


def test_outliers_are_found_in_each_image_and_repaired_from_sound_neighbours():
    x = torch.randn(2, 30, 8) * 0.1
    x[0, 3] += 5
    x[1, 12] -= 5
    strange = local_outliers(x, 5, 0.03)
    assert strange.nonzero().tolist() == [[0, 3], [1, 12]]
    fixed = repair(x, strange, (5, 6))
    torch.testing.assert_close(fixed[0, 3], x[0, [2, 4, 8, 9, 10]].mean(0))
    assert torch.equal(fixed[~strange], x[~strange])


def test_an_outlier_without_a_sound_neighbour_stays_and_few_patches_have_none():
    x = torch.randn(1, 2, 4)
    assert torch.equal(repair(x, torch.ones(1, 2, dtype=torch.bool), (1, 2)), x)
    assert not local_outliers(torch.randn(3, 1, 4), 30, 0.5).any()
    assert not local_outliers(torch.randn(3, 9, 4), 30, 0.0).any()
    alike = tower('sc', residual=False, ffn=False)
    alike.visual.positional_embedding.zero_()
    assert torch.isfinite(alike(torch.zeros(1, 3, 24, 24))[0]).all()


def test_window_has_its_peak_at_the_patch_and_leaves_the_cls_token_alone():
    window = gaussian_window((2, 3), 2.0)
    assert window.shape == (6, 7)
    assert (window[:, 0] == 0).all()
    assert (window[:, 1:].diagonal() == 1).all()
    torch.testing.assert_close(window[0, 6], torch.tensor(math.exp(-5 / 8)))  # (0, 0), (1, 2)


def test_middle_blocks_keep_their_share_of_the_depth():
    reads = {
        depth: (build_attention('rcs').reads(depth), build_attention('sc').reads(depth))
        for depth in (6, 12, 24)
    }
    assert reads == {
        6: ((2, 3), (4, 2)),
        12: ((5, 6, 7, 8), (9, 4)),
        24: ((*range(10, 18),), (18, 8)),
    }


@pytest.fixture(scope='module')
def scenes():
    world = World('toy', size=128)
    images = [torch.from_numpy(world.scene('val', i).image[:72, :112].copy()) for i in range(3)]
    return (torch.stack(images).permute(0, 3, 1, 2).float() - 120) / 70


@pytest.mark.parametrize('spec', ALL, ids=str)
@torch.no_grad()
def test_on_the_toy_clip_a_batch_equals_its_images(spec, scenes):
    model, plain = (
        MaskCLIPViT('ViT-T-8', weights='toy', attention=name, residual=False, ffn=False)
        for name in (spec, 'value')
    )
    model.init_weights()
    plain.init_weights()
    features, keys = model(scenes)
    assert features.shape == (3, 192, 9, 14)
    assert keys.shape == (3, 192, 9, 14)
    for i in range(3):
        alone, _ = model(scenes[i : i + 1])
        torch.testing.assert_close(features[i : i + 1], alone, rtol=1e-4, atol=1e-4)
    assert torch.allclose(features, plain(scenes)[0], atol=1e-2) == (spec == 'value')


@pytest.mark.parametrize('spec', ALL[1:], ids=str)
@torch.no_grad()
def test_softmax_is_in_float32_under_autocast(spec, monkeypatch):
    seen = []
    attention = F.scaled_dot_product_attention

    def spy(q, k, v, *args, **kwargs):
        out = attention(q, k, v, *args, **kwargs)
        seen.append({q.dtype, k.dtype, v.dtype, out.dtype})
        return out

    model = tower(spec)
    img = torch.randn(1, 3, 24, 40)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        x, grid = model.visual.embed(img)
        inputs = {}
        for i, block in enumerate(model.visual.blocks):
            inputs[i] = x
            x = block(x)
        monkeypatch.setattr(dense_attention.F, 'scaled_dot_product_attention', spy)
        low, _ = model.last_block(inputs, grid)
    assert seen
    assert all(types == {torch.float32} for types in seen)
    high, _ = model.last_block({i: x.float() for i, x in inputs.items()}, grid)
    torch.testing.assert_close(low.float(), high, rtol=0.05, atol=0.1)


@pytest.mark.parametrize(
    ('spec', 'message'),
    [
        ('kq', f"attention is 'kq'; legal values: {', '.join(BLOCK_ATTENTIONS)}"),
        (dict(gaussian_std=5), 'attention is None; legal values: value, last, qq, '),
        (dict(type='kk', std=5), "attention 'kk' has no option std; legal: gaussian_std."),
        (dict(type='value', gaussian_std=5), "'value' has no option gaussian_std; legal: none."),
        (dict(type='kk', gaussian_std=0), 'gaussian_std is 0; legal values: a positive number'),
        (dict(type='rcs', weight=2), 'weight is 2; legal values: 0 to 1, the share of the'),
        (dict(type='rcs', base='value'), "base is 'value'; legal: 'kk', 'qq+kk', 'qq', 'last', or"),
        (
            dict(type='rcs', blocks=(6,)),
            r'blocks of the attention is \(6,\); legal values are 0 to 5',
        ),
        (dict(type='sc', middle=9), r'middle and shallow is \(9, 2\); legal values are 0 to 5'),
        (dict(type='sc', neighbours=0), 'neighbours is 0; give at least 1'),
        (dict(type='sc', outliers=1.0), 'outliers is 1.0; legal values: a share of the patches'),
    ],
)
def test_wrong_attentions_are_errors_when_the_tower_is_built(spec, message):
    with pytest.raises(ValueError, match=message.replace('+', r'\+')):
        tower(spec)


@pytest.mark.parametrize(
    ('name', 'kept'),
    [
        ('value', True),
        ('last', True),
        ('qq+kk', True),
        ('qq', False),
        ('kk', False),
        ('rcs', False),
        ('sc', False),
        ('maskclip', True),
        ('clip', True),
        ('sclip', True),
        ('clearclip', False),
        ('naclip', False),
    ],
)
def test_an_attention_brings_its_methods_own_residual_and_ffn(name, kept):
    model = tower(name)
    assert (model.residual, model.ffn) == (kept, kept)


@pytest.mark.parametrize(
    'settings',
    [
        dict(attention='naclip', residual=True),
        dict(attention='sclip', ffn=False),
        dict(attention=dict(type='naclip', gaussian_std=None)),
    ],
    ids=str,
)
def test_a_method_with_a_setting_of_another_one_is_refused(settings):
    with pytest.raises(ValueError, match='is a whole method.* takes no other settings; got'):
        tower(**settings)


@torch.no_grad()
def test_a_methods_name_is_its_attention_with_its_settings():
    img = torch.randn(1, 3, GRID[0] * 8, GRID[1] * 8)
    named, raw = tower('naclip'), tower('kk', residual=False, ffn=False)
    raw.load_state_dict(named.state_dict())
    assert torch.equal(named(img)[0], raw(img)[0])
