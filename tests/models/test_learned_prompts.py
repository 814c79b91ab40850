"""Learned contexts through a frozen text tower: exact, cheap, and not needed to predict."""

import pytest
import torch

from mmseg_zsclip.clip.checkpoint import load_text
from mmseg_zsclip.clip.tokenizer import token_ids, tokenize
from mmseg_zsclip.models.learned_prompts import LearnedPrompts, packed

NAMES = ['sky, heaven', 'a red and white dog', 'tree', 'road']


@pytest.fixture
def prompts():
    def make(classes=NAMES, arch='ViT-T-8', weights='toy', read=True, **options):
        torch.manual_seed(0)
        built = LearnedPrompts(classes, arch, weights, **options)
        if read:
            built.init_weights()
        return built

    return make


def one_by_one(prompts):
    """Each prompt alone, as long as CLIP reads: [start, context, name, end, padding]."""
    tower, length = prompts.teacher, prompts.contexts.shape[1]
    out = []
    for name in prompts.names:
        tokens = tokenize([name], tower.context_length - length)
        words = tower.embed(tokens)
        rows = [
            torch.cat([words[:, :1], context[None], words[:, 1:]], dim=1)
            for context in prompts.contexts
        ]
        out.append(tower.encode(torch.cat(rows), tokens.argmax(dim=1) + length))
    return torch.stack(out)


@pytest.mark.parametrize('most', [1, 8, 512])
def test_packed_prompts_are_those_that_go_through_the_tower_one_by_one(prompts, most):
    words = prompts(contexts=3, length=5, most=most).double()
    found, expected = words.through_tower(), one_by_one(words)
    assert found.shape == (4, 3, 192)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(expected)
    ours, theirs = (
        torch.autograd.grad((weight * one).sum(), words.contexts)[0] for one in (found, expected)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_150_names_are_a_fraction_of_450_prompts(prompts):
    words = prompts('ade150', weights=None, read=False)
    (names,) = packed(words.tokens, 9, 512)
    tokens = 3 * (9 + len(names.ids))
    assert tokens == 1029
    longest = 9 + max(map(len, words.tokens))
    assert tokens < 450 * longest / 5


def test_a_sequence_holds_at_most_so_many_tokens_of_whole_names():
    names = [[1, 9], [2, 3, 9], [4, 9], [5, 6, 7, 8, 9]]
    packs = packed(names, 6, 4)
    assert [one.ids.tolist() for one in packs] == [[1, 9], [2, 3, 9], [4, 9], [5, 6, 7, 8, 9]]
    (both, last) = packed(names[:3], 6, 5)
    assert both.place.tolist() == [6, 7, 6, 7, 8]
    assert both.owner.tolist() == [0, 0, 1, 1, 1]
    assert both.ends.tolist() == [1, 4]
    assert last.ids.tolist() == [4, 9]


def test_gradients_reach_the_contexts_and_nothing_of_the_tower(prompts):
    words = prompts().train()
    words().square().sum().backward()
    assert (words.contexts.grad.abs().sum(dim=(1, 2)) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in words.teacher.parameters())
    assert [name for name, _ in words.named_parameters()] == ['contexts']


def test_contexts_begin_apart_and_a_class_is_called_by_its_first_name(prompts):
    words = prompts()
    assert words.names[0] == 'sky'
    first, second, third = words().unbind(dim=1)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)
    renamed = prompts(['sky', *NAMES[1:]])
    torch.testing.assert_close(words(), renamed())


def test_stored_embeddings_follow_the_contexts(prompts):
    words = prompts().train()
    words().sum().backward()
    with torch.no_grad():
        words.contexts -= words.contexts.grad
    assert not torch.allclose(words.embeddings, words.through_tower())
    torch.testing.assert_close(words.eval()(), words.through_tower())
    words.train()()
    with torch.no_grad():
        words.contexts.mul_(2)
    torch.testing.assert_close(words.state_dict()['embeddings'], words.through_tower().detach())


def test_a_state_dict_needs_no_tower(prompts):
    state = prompts().state_dict()
    assert sorted(state) == ['contexts', 'embeddings']
    other = prompts(read=False)
    other.load_state_dict(state)
    assert other.teacher is None
    torch.testing.assert_close(other.eval()(), state['embeddings'])
    assert other.state_dict()['embeddings'].equal(state['embeddings'])


def test_a_state_dict_of_other_words_is_refused(prompts):
    state = prompts().state_dict()
    with pytest.raises(ValueError, match=r"made from classes 'road', the config's are from 'car'"):
        prompts([*NAMES[:3], 'car'], read=False).load_state_dict(state)


def test_the_fixed_prompt_is_the_towers_output_as_it_is(prompts):
    words = prompts(contexts=None).train()
    tower = load_text('ViT-T-8', 'toy')
    row = tower(tokenize(['a photo of a tree.']))[0]
    torch.testing.assert_close(words()[2, 0], row)
    assert words().shape == (4, 1, 192)
    assert not list(words.parameters())
    assert words.source['templates'] == 'single'


def test_the_tower_goes_where_the_model_goes(prompts):
    words = prompts().double()
    assert words.teacher.ln_final.weight.dtype == torch.double


def test_training_without_a_tower(prompts):
    with pytest.raises(RuntimeError, match=r'text tower of ViT-T-8.*call model.init_weights\(\)'):
        prompts(read=False).train()()


def test_predicting_before_anything_was_computed(prompts):
    with pytest.raises(RuntimeError, match='of 4 classes were never computed'):
        prompts(read=False).eval()()


@pytest.mark.parametrize(
    'options', [dict(contexts=0), dict(contexts=-3), dict(contexts=1.5), dict(length=0)]
)
def test_fewer_than_one_context_or_token(prompts, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name} is {value}; at least 1 is needed'):
        prompts(**options)


def test_a_name_that_is_longer_than_its_prompt_leaves_room_for(prompts):
    name = ' '.join(['dog'] * 60)
    assert len(token_ids(name)) == 60
    prompts([name, 'cat'], length=15, read=False)
    with pytest.raises(ValueError, match=r"name 'dog dog.*' has 60 tokens; a context of 16"):
        prompts([name, 'cat'], length=16, read=False)


def test_a_text_tower_of_another_width_than_the_contexts(prompts):
    words = prompts('voc20', 'ViT-B-32', None, read=False)
    with pytest.raises(ValueError, match='text tower is 128 channels wide, the contexts are 512'):
        words.use_tower(load_text('ViT-T-8', 'toy'))


def test_the_vocabulary_is_fixed(prompts):
    with pytest.raises(TypeError, match='learned together with a head of fixed classes'):
        prompts().set_classes(['cat', 'dog'])
