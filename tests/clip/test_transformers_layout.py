from dataclasses import replace

import pytest
import torch

from mmseg_zsclip.clip.checkpoint import load_clip
from mmseg_zsclip.clip.tokenizer import tokenize
from mmseg_zsclip.clip.transformers_layout import from_transformers, transformers_arch

from .conftest import TINY_VIT

TEXTS = ['a photo of a cat.', 'a red bus']


def hf_model(activation='quick_gelu'):
    from transformers import CLIPConfig, CLIPModel

    sizes = dict(hidden_act=activation, num_attention_heads=2, num_hidden_layers=2)
    text = dict(sizes, hidden_size=24, intermediate_size=96, vocab_size=49408, eos_token_id=49407)
    vision = dict(sizes, hidden_size=32, intermediate_size=128, image_size=32, patch_size=8)
    torch.manual_seed(0)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).eval()


def features(output):
    return output if isinstance(output, torch.Tensor) else output.pooler_output


@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
@torch.no_grad()
def test_equals_transformers_clip_through_its_folder(activation, tmp_path):
    theirs = hf_model(activation)
    theirs.save_pretrained(tmp_path)
    ours = load_clip(TINY_VIT, tmp_path)
    assert ours.arch.activation == activation
    tokens = tokenize(TEXTS)
    torch.testing.assert_close(
        ours.text(tokens), features(theirs.get_text_features(tokens)), rtol=1e-5, atol=1e-5
    )
    for size in ((32, 32), (40, 64)):
        img = torch.randn(2, 3, *size)
        out = theirs.vision_model(img, interpolate_pos_encoding=True)
        torch.testing.assert_close(
            ours.visual(img), theirs.visual_projection(out.pooler_output), rtol=1e-5, atol=1e-5
        )
        x, _ = ours.visual.embed(img)
        torch.testing.assert_close(
            ours.visual.transformer(x), out.last_hidden_state, rtol=1e-5, atol=1e-5
        )
    assert load_clip(None, tmp_path).arch.activation == activation


def test_transformers_folder_in_shards(tmp_path):
    theirs = hf_model()
    theirs.save_pretrained(tmp_path, max_shard_size='1MB')
    assert (tmp_path / 'model.safetensors.index.json').is_file()
    ours = load_clip(TINY_VIT, tmp_path)
    torch.testing.assert_close(ours.visual.proj, theirs.visual_projection.weight.T)


def test_transformers_file_alone_needs_its_activation_stated(tmp_path):
    hf_model('gelu').save_pretrained(tmp_path)
    with pytest.raises(ValueError, match='does not record its activation'):
        load_clip(TINY_VIT, tmp_path / 'model.safetensors')
    assert load_clip(TINY_VIT, tmp_path / 'model.safetensors', 'gelu').arch.activation == 'gelu'


def test_heads_that_shapes_cannot_show_are_compared(tmp_path):
    theirs = hf_model()
    theirs.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r'vision_heads: 2 in the file, 4 in tiny-vit'):
        load_clip(replace(TINY_VIT, vision_heads=4), tmp_path)


def test_transformers_config_of_another_model_or_mixed_activations():
    with pytest.raises(ValueError, match="model_type='siglip'; only 'clip'"):
        transformers_arch(dict(model_type='siglip'), 'x')
    config = hf_model().config.to_dict()
    config['text_config']['hidden_act'] = 'gelu'
    with pytest.raises(ValueError, match="hidden_act is 'quick_gelu' in the image tower but"):
        transformers_arch(config, 'x')


def test_sizes_that_a_config_leaves_out_are_transformers_own():
    from transformers import CLIPConfig

    full = transformers_arch(CLIPConfig().to_dict(), 'x')
    assert transformers_arch(dict(model_type='clip'), 'x') == full


def test_odd_mlp_widths_survive_the_ratio():
    config = hf_model().config.to_dict()
    for width in range(90, 130):
        config['vision_config'].update(intermediate_size=width, hidden_size=44)
        arch = transformers_arch(config, 'x')
        assert int(44 * arch.vision_mlp_ratio) == width


def test_incomplete_qkv_is_named():
    state = hf_model().state_dict()
    del state['text_model.encoder.layers.1.self_attn.k_proj.bias']
    with pytest.raises(ValueError, match=r'1.attn.in_proj_bias: the file has only q/v of q/k/v'):
        from_transformers(state)
