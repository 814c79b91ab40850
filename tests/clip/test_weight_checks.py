from dataclasses import replace

import pytest
import torch

from mmseg_zsclip.clip.archs import ARCHS
from mmseg_zsclip.clip.checkpoint import load_clip, save_clip
from mmseg_zsclip.clip.model import CLIP

from .conftest import TINY_RESNET, TINY_VIT, drop, open_clip_twin, write


def test_a_dropped_block_is_an_error_that_lists_its_tensors(tmp_path):
    path = write(tmp_path / 'a.pt', drop('visual.transformer.resblocks.1.'))
    with pytest.raises(ValueError, match=r"not the weights of 'tiny-vit'") as error:
        load_clip(TINY_VIT, path, 'gelu')
    text = str(error.value)
    assert '12 missing:' in text
    assert 'visual.transformer.resblocks.1.attn.in_proj_weight' in text
    assert 'Nothing was loaded' in text


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_weights_that_are_not_finite_name_the_tensor(tmp_path, value):
    def change(state):
        state['visual.conv1.weight'][0, 0, 0, :2] = value

    with pytest.raises(
        ValueError, match=r'a\.pt: 2 of \d+ values of visual.conv1.weight are NaN or'
    ):
        load_clip(TINY_VIT, write(tmp_path / 'a.pt', change), 'gelu')


def test_unexpected_tensors_are_listed_and_long_lists_are_counted(tmp_path):
    path = write(
        tmp_path / 'a.pt',
        lambda s: s.update({f'visual.adapter.{i}': torch.zeros(1) for i in range(30)}),
    )
    with pytest.raises(ValueError, match=r'30 unexpected:(?s:.*)adapter.0\n(?s:.*)and 10 more'):
        load_clip(TINY_VIT, path, 'gelu')


def test_another_text_width_names_both_shapes(tmp_path):
    path = write(tmp_path / 'a.pt', arch=replace(TINY_VIT, text_width=32))
    with pytest.raises(ValueError, match=r'text_projection: 32x16 in the file, 24x16 in tiny-vit'):
        load_clip(TINY_VIT, path, 'gelu')


def test_another_resolution_names_both_shapes(tmp_path):
    path = write(tmp_path / 'a.pt', arch=replace(TINY_VIT, image_size=64))
    with pytest.raises(ValueError, match=r'positional_embedding: 65x32 in the file, 17x32 in tiny'):
        load_clip(TINY_VIT, path, 'gelu')


@pytest.mark.parametrize(
    ('file', 'asked', 'kinds'),
    [
        (TINY_RESNET, TINY_VIT, (r'ModifiedResNet .*4x3x3x3', r'ViT .*32x3x8x8')),
        (TINY_VIT, TINY_RESNET, (r'ViT .*32x3x8x8', r'ModifiedResNet .*4x3x3x3')),
    ],
)
def test_resnet_weights_in_a_vit_name_both_kinds(file, asked, kinds, tmp_path):
    path = write(tmp_path / 'a.pt', arch=file)
    with pytest.raises(
        ValueError,
        match=f'weights of another architecture. They are of a {kinds[0]}.*is a {kinds[1]}',
    ):
        load_clip(asked, path, 'gelu')


def test_weights_of_a_known_architecture_are_recognised(tmp_path):
    save = dict(open_clip_twin(ARCHS['ViT-XS-8']).state_dict())
    torch.save(save, tmp_path / 'a.pt')
    with pytest.raises(ValueError, match="The file has the shapes of 'ViT-XS-8'"):
        load_clip('ViT-B-16', tmp_path / 'a.pt', 'gelu')


def test_own_file_of_another_architecture_lists_the_sizes(tmp_path):
    save_clip(CLIP(TINY_VIT), tmp_path / 'a.pt')
    with pytest.raises(ValueError, match=r"\('tiny-vit'\)(?s:.*)patch_size: 8 in the file, 16 in"):
        load_clip('ViT-B-16', tmp_path / 'a.pt')


def test_wrong_activation_is_an_error_not_a_warning(tmp_path):
    save_clip(CLIP(replace(TINY_VIT, activation='quick_gelu')), tmp_path / 'quick.pt')
    save_clip(CLIP(TINY_VIT), tmp_path / 'gelu.pt')
    with pytest.raises(ValueError, match="trained with 'quick_gelu', 'gelu' was asked for"):
        load_clip(TINY_VIT, tmp_path / 'quick.pt', activation='gelu')
    with pytest.raises(ValueError, match="trained with 'gelu', 'quick_gelu' was asked for"):
        load_clip(replace(TINY_VIT, activation='quick_gelu'), tmp_path / 'gelu.pt')
    with pytest.raises(ValueError, match="activation is 'relu'; legal: gelu, quick_gelu"):
        load_clip(TINY_VIT, tmp_path / 'gelu.pt', activation='relu')
    assert load_clip(TINY_VIT, tmp_path / 'quick.pt').arch.activation == 'quick_gelu'


def test_unrecorded_activation_must_be_stated(tmp_path):
    torch.save(open_clip_twin(ARCHS['ViT-XS-8']).state_dict(), tmp_path / 'a.pt')
    with pytest.raises(ValueError, match="does not record its activation.*'ViT-XS-8-quickgelu'"):
        load_clip('ViT-XS-8', tmp_path / 'a.pt')
    for name, activation in (('ViT-XS-8-gelu', 'gelu'), ('ViT-XS-8-quickgelu', 'quick_gelu')):
        model = load_clip(name, tmp_path / 'a.pt')
        assert model.arch.activation == activation
        kind = type(model.visual.blocks[0].mlp.gelu).__name__.lower()
        assert kind == activation.replace('_', '')
