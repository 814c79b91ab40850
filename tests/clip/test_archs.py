from dataclasses import replace

import pytest
import torch

from mmseg_zsclip.clip import archs
from mmseg_zsclip.clip.archs import (
    ARCHS,
    CLIP_MEAN,
    CLIP_STD,
    EMBEDDED,
    CLIPArch,
    arch_from_config,
    embedded,
    get_arch,
    plain_names,
    published,
    published_tags,
    resolve_arch,
    to_255,
)
from mmseg_zsclip.clip.checkpoint import load_clip, save_clip
from mmseg_zsclip.clip.model import CLIP

from .conftest import open_clip_twin

NOT_PUBLISHED = {'ViT-XS-8', 'ViT-T-8', 'RN-T'}


@pytest.mark.parametrize('name', [name for name in ARCHS if name not in NOT_PUBLISHED])
def test_our_table_equals_open_clips(name):
    import open_clip

    assert ARCHS[name] == arch_from_config(name, open_clip.get_model_config(name))


@pytest.mark.parametrize(
    'name',
    [
        'ViT-B-16',
        'ViT-L-14-336',
        'ViT-H-14',
        'RN50',
        'RN50x64',
        'ViT-B-16-plus-240',
        'ViT-g-14',
        'ViT-bigG-14',
    ],
)
def test_real_sizes_have_open_clips_tensors(name):
    arch = get_arch(name)
    with torch.device('meta'):
        ours, theirs = CLIP(arch), open_clip_twin(arch)
    ours = {k.removeprefix('text.'): v.shape for k, v in ours.state_dict().items()}
    assert ours == {k: v.shape for k, v in theirs.state_dict().items()}


@pytest.mark.parametrize(
    ('name', 'count'),
    [
        ('ViT-B-32', 151_277_313),
        ('ViT-B-16', 149_620_737),
        ('ViT-L-14', 427_616_513),
        ('RN50', 102_007_137),
    ],
)
def test_parameter_counts_are_the_published_ones(name, count):
    with torch.device('meta'):
        assert sum(p.numel() for p in CLIP(get_arch(name)).parameters()) == count


@torch.no_grad()
def test_vit_b16_maps_on_the_meta_device():
    with torch.device('meta'):
        visual = CLIP(get_arch('ViT-B-16')).visual
        tokens, grid = visual.embed(torch.empty(2, 3, 512, 672))
        assert tokens.shape == (2, 1 + 32 * 42, 768)
        assert grid == (32, 42)
        assert visual.project(tokens).shape == (2, 1 + 32 * 42, 512)


def test_statistics_in_255_are_those_in_1():
    assert to_255(CLIP_MEAN) == pytest.approx((122.7709383, 116.7460125, 104.09373615))
    assert to_255(CLIP_STD) == pytest.approx((68.5005327, 66.6321579, 70.32316305))
    assert [m / 255 for m in to_255(CLIP_MEAN)] == pytest.approx(CLIP_MEAN)


def test_plain_names_of_open_clip_all_build():
    names = plain_names()
    assert {'ViT-bigG-14', 'ViT-g-14', 'ViT-H-14-378', 'RN50-quickgelu'} <= set(names)
    assert not {
        'ViT-B-16-SigLIP',
        'convnext_base',
        'coca_ViT-B-32',
        'ViT-L-14-CLIPA',
        'roberta-ViT-B-32',
        'ViT-H-14-worldwide',
        'ViT-M-16-alt',
    } & set(names)
    assert all(isinstance(get_arch(name), CLIPArch) for name in names)


def test_quickgelu_suffix_and_openai_spelling():
    assert get_arch('ViT-B-32-quickgelu').activation == 'quick_gelu'
    assert get_arch('ViT-H-14-378-quickgelu').activation == 'quick_gelu'
    assert get_arch('ViT-B-16').activation == get_arch('ViT-B-16-gelu').activation == 'gelu'
    assert get_arch('ViT-L/14@336px') == ARCHS['ViT-L-14-336']
    assert get_arch(TINY := replace(ARCHS['RN50'], name='mine')) is TINY


def test_unknown_name_lists_the_legal_ones_nearest_first():
    with pytest.raises(ValueError, match=r"'ViT-B-61': did you mean ViT-B-16.*All names: .*RN50"):
        get_arch('ViT-B-61')


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('ViT-B-16-SigLIP', 'timm_model_name'),
        ('roberta-ViT-B-32', 'hf_model_name'),
        ('coca_ViT-B-32', 'multimodal_cfg'),
        ('ViT-L-14-CLIPA', 'pool_type'),
        ('ViT-H-14-worldwide', 'hf_tokenizer_name'),
        ('ViT-M-16-alt', 'ls_init_value'),
    ],
)
def test_towers_that_are_not_plain_list_those_that_are(name, reason):
    with pytest.raises(ValueError, match=f'not a plain ViT.*{reason}.*Names that work: ViT-B-32'):
        get_arch(name)


def test_activation_and_statistics_are_facts_of_the_weights():
    assert published('ViT-B-16', 'openai').activation == 'quick_gelu'
    assert published('ViT-B-16', 'laion2b_s34b_b88k').activation == 'gelu'
    assert published('ViT-B-16', 'dfn2b').activation == 'quick_gelu'
    assert published('ViT-H-14', 'metaclip_altogether').activation == 'gelu'
    assert published('ViT-L-14', 'laion2b_s32b_b82k').mean == (0.5, 0.5, 0.5)
    assert published('RN50', 'openai').mean == pytest.approx(CLIP_MEAN)


@pytest.mark.parametrize('name', [name for name in ARCHS if name not in NOT_PUBLISHED])
def test_every_published_tag_of_our_table_has_a_place(name):
    tags = published_tags(name)
    assert tags
    assert all(published(name, tag).url or published(name, tag).hf_hub for tag in tags)


def test_resolved_arch_has_the_tags_activation_without_a_download():
    assert resolve_arch('ViT-B-16', 'openai').activation == 'quick_gelu'
    assert resolve_arch('ViT-B-16', 'metaclip-400m').activation == 'quick_gelu'
    assert resolve_arch('ViT-B-16', None) == resolve_arch('ViT-B-16', 'file.pt')


def test_unknown_tag_lists_the_tags():
    with pytest.raises(ValueError, match=r"no published weights 'opena' for 'ViT-B-16'.*openai, "):
        published('ViT-B-16', 'opena')
    with pytest.raises(ValueError, match='none is published, give a file'):
        published('ViT-XS-8', 'openai')


def test_open_clip_too_old_to_know_activations_is_an_error(monkeypatch):
    import open_clip

    monkeypatch.setattr(open_clip, 'get_pretrained_cfg', lambda name, tag: dict(url='x'))
    with pytest.raises(RuntimeError, match=r"pip install -U 'open_clip_torch>=2.29'"):
        published('ViT-B-16', 'openai')


def test_without_open_clip_the_error_says_how_to_install_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, 'open_clip', None)
    with pytest.raises(ImportError, match=r"pip install 'open_clip_torch>=2.29'"):
        plain_names()
    assert get_arch('ViT-B-16-quickgelu').activation == 'quick_gelu'


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="'relu'; legal: gelu, quick_gelu"):
        replace(ARCHS['ViT-B-16'], activation='relu')
    with pytest.raises(ValueError, match='four stage depths and patch_size=None'):
        replace(ARCHS['ViT-B-16'], patch_size=None)


@pytest.mark.parametrize(('name', 'weights'), EMBEDDED)
def test_embedded_weights_load_by_name(name, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(archs, 'EMBEDDED_FOLDER', tmp_path)
    model = CLIP(get_arch(name))
    save_clip(model, tmp_path / EMBEDDED[name, weights])
    assert torch.equal(load_clip(name, weights).visual.conv1.weight, model.visual.conv1.weight)
    assert resolve_arch(f'{name}-gelu', weights).activation == 'gelu'
    with pytest.raises(ValueError, match="wrong activation: the weights were trained with 'gelu'"):
        load_clip(f'{name}-quickgelu', weights)


def test_a_folder_named_toy_does_not_hide_the_embedded_weights(tmp_path, monkeypatch):
    (tmp_path / 'toy').mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(archs, 'EMBEDDED_FOLDER', tmp_path)
    save_clip(CLIP(get_arch('ViT-T-8')), tmp_path / 'vit_contrastive.pt')
    load_clip('ViT-T-8', 'toy')


@pytest.mark.parametrize(
    ('name', 'weights'), [('RN-T', 'toy-dense'), ('ViT-B-16', 'toy'), (None, 'toy')]
)
def test_embedded_weights_of_another_architecture_list_what_there_is(name, weights):
    with pytest.raises(
        ValueError,
        match=f"no embedded weights '{weights}' of architecture {name!r}"
        "; the package holds 'toy' of 'ViT-T-8', 'toy-dense' of 'ViT-T-8', 'toy' of"
        " 'RN-T'",
    ):
        load_clip(name, weights)


def test_an_installation_without_the_embedded_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(archs, 'EMBEDDED_FOLDER', tmp_path)
    with pytest.raises(
        FileNotFoundError,
        match=r"vit_dense.pt, which holds the weights 'toy-dense'"
        r" of 'ViT-T-8', is not in this installation; install mmseg_zsclip again",
    ):
        embedded('ViT-T-8', 'toy-dense')
    assert embedded('ViT-T-8', 'openai') is None


def test_a_wrong_tag_of_a_toy_architecture_names_the_embedded_ones():
    with pytest.raises(ValueError, match="'openai' for 'ViT-T-8'; its tags: toy, toy-dense"):
        published('ViT-T-8', 'openai')
