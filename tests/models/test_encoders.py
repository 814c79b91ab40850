import pytest
import torch

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.clip.archs import CLIPArch, get_arch
from mmseg_zsclip.clip.checkpoint import save_clip
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.models import DeepPromptedViT, MaskCLIPResNet, MaskCLIPViT
from mmseg_zsclip.models.encoders import CLIPResNet, CLIPVisionTransformer

TINY_RN = CLIPArch('RN-tiny', 32, 64, (1, 1, 1, 1), 8, None, 4, 16, 2, 1)


def trained(module):
    return {name for name, p in module.named_parameters() if p.requires_grad}


def test_vit_maps_are_the_blocks_outputs():
    model = CLIPVisionTransformer('ViT-XS-8', out_indices=(1, -1)).eval()
    img = torch.randn(2, 3, 48, 80)
    first, last = model(img)
    x, grid = model.visual.embed(img)
    outs = []
    for block in model.visual.blocks:
        x = block(x)
        outs.append(x[:, 1:].transpose(1, 2).unflatten(2, grid))
    assert grid == (6, 10)
    torch.testing.assert_close(first, outs[1])
    torch.testing.assert_close(last, outs[5])


def test_resnet_maps_have_strides_4_to_32():
    maps = CLIPResNet(TINY_RN).eval()(torch.randn(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (32, 16, 24),
        (64, 8, 12),
        (128, 4, 6),
        (256, 2, 3),
    ]


@pytest.mark.parametrize(
    'model',
    [
        CLIPVisionTransformer('ViT-XS-8', out_indices=(1, 3)),
        CLIPResNet(TINY_RN, out_indices=(1, 2)),
    ],
)
def test_every_trained_parameter_gets_a_gradient_so_ddp_needs_no_unused_search(model):
    sum(m.sum() for m in model.train()(torch.randn(2, 3, 64, 64))).backward()
    assert trained(model) == {n for n, p in model.named_parameters() if p.grad is not None}


def test_frozen_vit_stages():
    model = CLIPVisionTransformer('ViT-XS-8', frozen_stages=2)
    assert {n.split('.')[3] for n in trained(model)} == {'2', '3', '4', '5'}
    everything = CLIPVisionTransformer('ViT-XS-8', frozen_stages=6)
    assert not trained(everything)


def test_frozen_resnet_keeps_its_batch_statistics():
    model = CLIPResNet(TINY_RN, frozen_stages=1).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model(torch.randn(2, 3, 64, 64))
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed
    assert all(k.startswith(('visual.layer2', 'visual.layer3', 'visual.layer4')) for k in changed)
    assert trained(model) == {
        n
        for n in trained(model)
        if n.startswith('visual.layer') and not n.startswith('visual.layer1')
    }


@pytest.mark.parametrize('cls', [CLIPVisionTransformer, CLIPResNet])
@pytest.mark.parametrize('indices', [(), (9,), (-7,)])
def test_out_indices_outside_the_tower(cls, indices):
    arch = 'ViT-XS-8' if cls is CLIPVisionTransformer else TINY_RN
    with pytest.raises(ValueError, match='out_indices is .* legal values are 0 to'):
        cls(arch, out_indices=indices)


def test_frozen_stages_outside_the_tower():
    with pytest.raises(ValueError, match='frozen_stages is 7; legal values: -1'):
        CLIPVisionTransformer('ViT-XS-8', frozen_stages=7)


def test_tower_of_the_other_kind_names_the_right_class():
    with pytest.raises(ValueError, match='use CLIPResNet'):
        CLIPVisionTransformer(TINY_RN)
    with pytest.raises(ValueError, match='use CLIPVisionTransformer'):
        CLIPResNet('ViT-XS-8')


def test_init_weights_reads_the_file_and_half_files_become_float32(tmp_path):
    clip = CLIP(get_arch('ViT-XS-8'))
    save_clip(clip, tmp_path / 'clip.pt', half=True)
    model = CLIPVisionTransformer('ViT-XS-8', weights=str(tmp_path / 'clip.pt'))
    model.init_weights()
    for name, value in model.visual.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, clip.visual.state_dict()[name].half().float())


def test_quickgelu_weights_in_a_gelu_tower_are_an_error(tmp_path):
    save_clip(CLIP(get_arch('ViT-XS-8-quickgelu')), tmp_path / 'clip.pt')
    model = CLIPVisionTransformer('ViT-XS-8', weights=str(tmp_path / 'clip.pt'))
    with pytest.raises(ValueError, match=r"trained with 'quick_gelu', but.*'ViT-XS-8-quickgelu'"):
        model.init_weights()


def test_published_tag_brings_its_activation():
    with torch.device('meta'):
        assert CLIPVisionTransformer('ViT-B-16', 'openai').arch.activation == 'quick_gelu'
        laion = CLIPVisionTransformer('ViT-B-16', 'laion2b_s34b_b88k', out_indices=(11,))
    assert laion.arch.activation == 'gelu'


@pytest.mark.parametrize('build', [CLIPVisionTransformer, MaskCLIPViT, DeepPromptedViT])
def test_a_tower_whose_weights_were_never_read_does_not_run_at_random(build, tmp_path):
    save_clip(CLIP(get_arch('ViT-XS-8')), tmp_path / 'clip.pt')
    named = dict(arch='ViT-XS-8', weights=str(tmp_path / 'clip.pt'))
    img = torch.randn(1, 3, 32, 32)
    model = build(**named).eval()
    with pytest.raises(RuntimeError, match=r'never read.*init_weights\(\)'):
        model(img)
    model.init_weights()
    expected = model(img)
    restored = build(**named).eval()
    part = {k: v for k, v in model.state_dict().items() if k != 'visual.proj'}
    restored.load_state_dict(part, strict=False)
    with pytest.raises(RuntimeError, match='never read'):
        restored(img)
    restored.load_state_dict(model.state_dict())
    torch.testing.assert_close(restored(img), expected)


def test_a_resnet_tower_whose_weights_were_never_read_does_not_run_at_random(tmp_path):
    save_clip(CLIP(TINY_RN), tmp_path / 'clip.pt')
    for build in (CLIPResNet, MaskCLIPResNet):
        model = build(TINY_RN, str(tmp_path / 'clip.pt')).eval()
        with pytest.raises(RuntimeError, match=r'init_weights\(\)'):
            model(torch.randn(1, 3, 64, 64))
        model.init_weights()
        model(torch.randn(1, 3, 64, 64))
