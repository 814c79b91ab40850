import pytest
import torch

from mmseg_zsclip.clip.vit import VisionTransformer
from mmseg_zsclip.experiments.pretraining import forward


@pytest.fixture
def visual():
    torch.manual_seed(0)
    tower = VisionTransformer(
        image_size=32, patch_size=8, width=32, layers=2, heads=2, output_dim=16
    )
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return tower


@pytest.mark.parametrize('size', [32, 48])
def test_class_embedding_without_idle_work_equals_the_tower(visual, size):
    img = torch.randn(2, 3, size, size)
    tokens = forward.to_last_block(visual, forward.embed_window(visual, img, None))
    expected = visual(img)
    dense, paths = forward.dense_embeddings(visual, tokens)
    assert torch.allclose(forward.image_embedding(visual, tokens), expected, atol=1e-4)
    assert torch.allclose(dense, expected, atol=1e-4)
    full = visual.project(visual.transformer(visual.embed(img)[0]))[:, 1:]
    assert torch.allclose(paths['last'], full, atol=1e-4)
    assert set(paths) == set(forward.PATHS)


def test_a_held_cls_token_waits_for_the_last_block(visual):
    tokens = forward.embed_window(visual, torch.randn(3, 3, 32, 32), None)
    plain = forward.to_last_block(visual, tokens)
    some = forward.to_last_block(visual, tokens, torch.tensor([True, False, True]))
    assert torch.equal(some[[0, 2], 0], tokens[[0, 2], 0])
    assert torch.equal(some[1], plain[1])
    assert not torch.equal(plain[0, 0], tokens[0, 0])
    assert torch.equal(some[:, 1:], plain[:, 1:]), 'one block before the last: patches are alike'


def test_a_crop_at_an_offset_gets_the_positions_of_that_window(visual):
    img = torch.randn(1, 3, 32, 32)
    whole = visual.embed(img)[0][:, 1:].unflatten(1, (4, 4))
    crop = forward.embed_window(visual, img[..., 8:24, 16:32], (1, 2))
    assert torch.allclose(crop[:, 1:].unflatten(1, (2, 2)), whole[:, 1:3, 2:4], atol=1e-5)
    assert torch.allclose(crop[:, 0], visual.embed(img)[0][:, 0], atol=1e-5)


def test_value_paths_do_not_look_at_other_patches(visual):
    tokens = torch.randn(1, 17, 32)
    changed = tokens.clone()
    changed[:, 5] = torch.randn(32)
    _, before = forward.dense_embeddings(visual, tokens)
    _, after = forward.dense_embeddings(visual, changed)
    others = [i for i in range(16) if i != 4]
    for name in ('value', 'block'):
        assert torch.equal(before[name][:, others], after[name][:, others])
        assert not torch.allclose(before[name][:, 4], after[name][:, 4])
    assert not torch.allclose(before['last'][:, others], after['last'][:, others])
