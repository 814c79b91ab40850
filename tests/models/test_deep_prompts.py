"""ZegCLIP's backbone: prompted, frozen or fine-tuned."""

import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.models.deep_prompts import DeepPromptedViT, prompted_blocks

ARCH = 'ViT-XS-8'


def build(**kwargs):
    torch.manual_seed(0)
    return DeepPromptedViT(ARCH, **kwargs).eval()


@pytest.fixture(scope='module')
def backbone():
    return build(num_prompts=4)


def eager(backbone, img, keep=False):
    """Eq. 3 as it is written: prompts are tokens of a block; their outputs are thrown away."""
    x, grid = backbone.embed(img)
    at = dict(zip(backbone.prompt_blocks, backbone.prompt_proj(backbone.prompts), strict=True))
    for i, block in enumerate(backbone.visual.blocks):
        prompts = at[i].expand(len(x), -1, -1) if i in at else x[:, :0]
        if keep:
            x = block(torch.cat([x[:, :1], prompts, x[:, 1:]], 1))
        else:
            x = block(torch.cat([x[:, :1], prompts, x[:, 1:]], 1))
            x = torch.cat([x[:, :1], x[:, 1 + prompts.shape[1] :]], 1)
    patches = x[:, 1:][:, -grid[0] * grid[1] :]
    x = backbone.prompt_norm(torch.cat([x[:, :1], patches], 1))
    x = F.normalize(backbone.visual.project(x), dim=-1)
    return x[:, 1:].transpose(1, 2).unflatten(2, grid), x[:, 0]


@pytest.mark.parametrize('size', [(48, 48), (40, 72), (96, 96)])
def test_shapes_and_norms_at_any_size(backbone, size):
    feat, cls = backbone(torch.randn(2, 3, *size))
    assert feat.shape == (2, 192, size[0] // 8, size[1] // 8)
    assert cls.shape == (2, 192)
    torch.testing.assert_close(feat.norm(dim=1), torch.ones(2, size[0] // 8, size[1] // 8))
    torch.testing.assert_close(cls.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize('blocks', ['all', 'first:2', 'last:1', [0, 3], 'shallow'])
def test_prompts_as_keys_and_values_equal_equation_3(blocks):
    backbone = build(num_prompts=3, prompt_blocks=blocks)
    assert len(backbone.prompts) == len(backbone.prompt_blocks)
    img = torch.randn(2, 3, 40, 48)
    expected = eager(backbone, img, keep=blocks == 'shallow')
    for ours, theirs in zip(backbone(img), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    grads = [
        torch.autograd.grad(feat.pow(3).sum() + cls.pow(3).sum(), backbone.prompts)[0]
        for feat, cls in (backbone(img), expected)
    ]
    torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-5)


def test_positions_kept_for_another_size_are_those_that_its_images_get():
    torch.manual_seed(0)
    plain, kept = (
        DeepPromptedViT('ViT-T-8', 'toy', position_mode='bilinear', image_size=size).eval()
        for size in (None, 96)
    )
    plain.init_weights()
    kept.init_weights()
    assert kept.visual.positional_embedding.shape == (12 * 12 + 1, 192)
    for name in ('prompts', 'prompt_proj', 'prompt_norm'):
        setattr(kept, name, getattr(plain, name))
    img = torch.randn(1, 3, 96, 96)
    for one, other in zip(kept(img), plain(img), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ('choice', 'expected'),
    [
        ('all', [0, 1, 2, 3, 4, 5]),
        ('first:1', [0]),
        ('first:6', [0, 1, 2, 3, 4, 5]),
        ('last:2', [4, 5]),
        ('shallow', [0]),
        ([3, 1], [1, 3]),
        ([-1, 5, 0], [0, 5]),
    ],
)
def test_where_prompts_go(choice, expected):
    assert prompted_blocks(choice, 6) == expected


@pytest.mark.parametrize(
    'choice', ['first:0', 'last:7', 'first', 'first:x', 'middle:2', 'all:3', '', 3]
)
def test_prompt_blocks_that_are_none_list_the_legal_values(choice):
    with pytest.raises(
        ValueError, match=f"prompt_blocks is {choice!r}; legal values: 'all', 'first:n'"
    ):
        prompted_blocks(choice, 6)


@pytest.mark.parametrize('choice', [[], [6], [0, -7]])
def test_prompt_blocks_outside_the_tower_are_an_error(choice):
    with pytest.raises(ValueError, match=r'prompt_blocks is \(.*legal values are 0 to 5 .* blocks'):
        prompted_blocks(choice, 6)


def trained(backbone):
    return {n for n, p in backbone.named_parameters() if p.requires_grad}


def test_only_prompts_are_trained_and_all_of_them_get_gradients(backbone):
    feat, cls = backbone.train()(torch.randn(1, 3, 48, 48))
    (feat.sum() + cls.sum()).backward()
    assert trained(backbone) == {n for n, p in backbone.named_parameters() if p.grad is not None}
    assert {n.split('.')[0] for n in trained(backbone)} == {'prompts', 'prompt_proj', 'prompt_norm'}
    backbone.eval()


def test_baseline_fix_is_clip_itself_and_builds_no_graph():
    backbone = build(num_prompts=0)
    assert not trained(backbone)
    img = torch.randn(2, 3, 48, 48)
    feat, cls = backbone(img)
    assert not feat.requires_grad
    assert not cls.requires_grad
    torch.testing.assert_close(cls, F.normalize(backbone.visual(img), dim=-1))


def test_baseline_ft_trains_the_whole_tower_and_leaves_nothing_idle():
    backbone = build(num_prompts=0, finetune=True)
    names = {n for n, _ in backbone.named_parameters()}
    assert trained(backbone) == names
    assert all(n.startswith('visual.') for n in names)
    feat, _ = backbone(torch.randn(1, 3, 48, 48))  # query='t' reads no image embedding
    feat.pow(3).sum().backward()
    assert {n for n, p in backbone.named_parameters() if p.grad is not None} == names


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(num_prompts=3),
        dict(num_prompts=3, prompt_blocks=[0, 3]),
        dict(num_prompts=3, prompt_blocks='shallow'),
        dict(num_prompts=3, finetune=True),
        dict(num_prompts=0, finetune=True),
    ],
)
def test_checkpointing_computes_blocks_twice_and_changes_no_gradient(kwargs):
    results, calls = [], []
    for with_cp in (False, True):
        backbone = build(dropout=0.5, with_cp=with_cp, **kwargs).train()
        calls.append(0)
        for block in backbone.visual.blocks:
            block.mlp.register_forward_pre_hook(lambda *_: calls.append(calls.pop() + 1))
        torch.manual_seed(1)
        feat, cls = backbone(torch.randn(2, 3, 48, 48))
        (feat.pow(3).sum() + cls.pow(3).sum()).backward()
        results.append(
            [feat, cls, torch.rand(1), *(p.grad for p in backbone.parameters() if p.requires_grad)]
        )
    assert calls == [6, 12]
    for plain, again in zip(*results, strict=True):
        torch.testing.assert_close(again, plain, rtol=1e-6, atol=1e-6)


def test_checkpointing_is_for_training_alone():
    backbone = build(num_prompts=3, with_cp=True)
    calls = []
    backbone.visual.blocks[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    feat, _ = backbone(torch.randn(1, 3, 48, 48))
    feat.pow(3).sum().backward()
    assert len(calls) == 1


@pytest.mark.parametrize('blocks', ['all', 'shallow'])
def test_out_indices_give_the_patch_tokens_of_those_blocks(blocks):
    backbone = build(num_prompts=3, prompt_blocks=blocks, out_indices=(1, -1))
    inputs = []  # of the block behind the first of them
    backbone.visual.blocks[2].ln_1.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    img = torch.randn(2, 3, 40, 48)
    first, last, cls = backbone(img)
    torch.testing.assert_close(first.flatten(2).transpose(1, 2), inputs[0][:, 1:31])
    last = backbone.prompt_norm(last.flatten(2).transpose(1, 2))
    last = F.normalize(backbone.visual.project(last), dim=-1).transpose(1, 2).unflatten(2, (5, 6))
    backbone.out_indices = ()
    for kept, joint in zip((last, cls), backbone(img), strict=True):
        torch.testing.assert_close(kept, joint, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch=ARCH, out_indices=(1, 6)), r'out_indices is \(1, 6\); legal values are 0 to 5'),
        (dict(arch='RN50'), "'RN50' is a ResNet and has no tokens to prompt"),
        (dict(arch=ARCH, num_prompts=-1), 'num_prompts is -1; give the tokens per block, or 0'),
        (
            dict(arch=ARCH, num_prompts=0, prompt_blocks='first:2'),
            "prompt_blocks is 'first:2', but num_prompts is 0",
        ),
        (dict(arch=ARCH, image_size=50), 'image_size is 50; give a multiple of the patch size, 8'),
    ],
)
def test_backbone_arguments(kwargs, message):
    with torch.device('meta'), pytest.raises(ValueError, match=message):
        DeepPromptedViT(**kwargs)
