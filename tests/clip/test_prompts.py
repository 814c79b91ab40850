import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip.clip.archs import published
from mmseg_zsclip.clip.checkpoint import load_text
from mmseg_zsclip.clip.download import DownloadError, fetch_published
from mmseg_zsclip.clip.model import build_text
from mmseg_zsclip.clip.prompts import (
    TEMPLATES,
    class_embeddings,
    cosines,
    get_templates,
    joined_rows,
    known_words,
)
from mmseg_zsclip.clip.tokenizer import tokenize
from mmseg_zsclip.vocabulary.class_names import class_synonyms
from mmseg_zsclip.vocabulary.lists import canonical, load_classes, vocabularies

from .conftest import TINY_VIT

SHARED = (
    Path(os.environ.get('ZSCLIP_SHARED', Path(__file__).resolve().parents[3] / 'shared'))
    / 'data'
    / 'clip_vitb16'
)


@pytest.fixture(scope='module')
def tower():
    torch.manual_seed(0)
    return build_text(TINY_VIT)


@torch.no_grad()
def embed(tower, sentence):
    return F.normalize(tower(tokenize([sentence]))[0], dim=-1)


@pytest.mark.parametrize(
    ('name', 'count'),
    [
        ('none', 1),
        ('single', 1),
        ('imagenet', 80),
        ('vild', 85),
        ('vild14', 14),
        ('zegclip', 1),
        ('zegclip15', 15),
    ],
)
def test_template_sets_have_their_published_sizes(name, count):
    templates = get_templates(name)
    assert len(set(templates)) == len(templates) == count
    assert get_templates(list(templates)) == templates


def test_vild14_is_mmsegs_vild():
    pytest.importorskip('mmseg_zsclip.compat')
    from mmseg.utils import get_predefined_templates

    assert get_templates('vild14') == tuple(get_predefined_templates('vild'))
    assert set(get_templates('imagenet')) == set(get_predefined_templates('imagenet'))


def test_a_name_is_the_normalised_mean_of_normalised_sentences(tower):
    out = class_embeddings(tower, ['cat', 'red bus'], ['a {}.', 'the {} there', '{}'])
    sentences = ('a red bus.', 'the red bus there', 'red bus')
    expected = torch.stack([embed(tower, sentence) for sentence in sentences])
    torch.testing.assert_close(out[1], F.normalize(expected.mean(0), dim=-1))
    assert out.shape == (2, 16)
    assert out.dtype == torch.float32
    assert not out.requires_grad
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(2))


def test_synonyms_are_averaged(tower):
    both = class_embeddings(tower, [' cat,  kitten '])[0]
    cat, kitten = class_embeddings(tower, ['cat', 'kitten'])
    torch.testing.assert_close(both, F.normalize(cat + kitten, dim=-1))


def test_joined_synonyms_are_one_sentence(tower):
    both = class_embeddings(tower, [' cat,  kitten '], ['a {}.'], synonyms='joined')[0]
    torch.testing.assert_close(both, embed(tower, 'a cat, kitten.'))


def test_unnormalised_synonyms_weigh_by_their_length(tower):
    both = class_embeddings(tower, ['cat, kitten'], ['{}'], synonyms='unnormalised')[0]
    rows = tower(tokenize(['cat', 'kitten'])).mean(dim=0)
    torch.testing.assert_close(both, F.normalize(rows, dim=0))
    assert not torch.allclose(both, class_embeddings(tower, ['cat, kitten'], ['{}'])[0])


def test_every_synonym_keeps_its_row_and_the_best_one_counts(tower):
    names = ['cat, kitten, tom', 'dog']
    rows = class_embeddings(tower, names, ['a {}.'], synonyms='max')
    alone = class_embeddings(tower, ['cat', 'kitten', 'tom', 'dog'], ['a {}.'])
    torch.testing.assert_close(rows[0], alone[:3])
    torch.testing.assert_close(rows[1], alone[3].expand(3, -1))
    x = F.normalize(torch.randn(5, 2, alone.shape[1]), dim=-1)
    each = x @ alone.T
    expected = torch.stack([each[..., :3].amax(dim=-1), each[..., 3]], dim=-1)
    torch.testing.assert_close(cosines(x, rows), expected)
    both = cosines(x, joined_rows(alone[3:], rows))
    torch.testing.assert_close(both, torch.cat([each[..., 3:], expected], dim=-1))


def test_unknown_way_with_synonyms(tower):
    with pytest.raises(ValueError, match="synonyms is 'best'; legal values: mean, joined"):
        class_embeddings(tower, ['cat'], synonyms='best')


def test_rows_follow_the_names_and_chunks_change_nothing(tower):
    names = ['cat', 'dog, puppy', 'a red bus', 'tree']
    whole = class_embeddings(tower, names, 'vild14')
    torch.testing.assert_close(class_embeddings(tower, names, 'vild14', chunk=3), whole)
    torch.testing.assert_close(class_embeddings(tower, names[::-1], 'vild14'), whole.flip(0))
    torch.testing.assert_close(class_embeddings(tower, names[2:3], 'vild14'), whole[2:3])


def test_memory_stays_that_of_a_chunk_with_many_classes(tower):
    sizes = []
    hook = tower.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    class_embeddings(tower, [f'class {i}' for i in range(847)], 'single', chunk=100)
    hook.remove()
    assert max(sizes) == 100
    assert sum(sizes) == 847


def test_braces_in_a_name_are_text(tower):
    torch.testing.assert_close(
        class_embeddings(tower, ['a {x} b'], ['the {}'])[0], embed(tower, 'the a {x} b')
    )


def test_autocast_does_not_lower_the_precision(tower):
    with torch.autocast('cpu', torch.bfloat16):
        low = class_embeddings(tower, ['cat'])
    assert torch.equal(low, class_embeddings(tower, ['cat']))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ([], 'holds no class'),
        (['cat', ''], r"class 1 is empty \(''\)"),
        (['cat', ' , dog'], "class 1, ' , dog', has an empty synonym"),
        (['cat', 'dog', 'Cat , kitten'], "'Cat' names both class 0 and class 2"),
        (['cat, kitten, CAT'], 'has a synonym twice'),
        (['dog ' * 80], "'a photo of a dog dog .*' has 87 tokens; CLIP reads at most 77"),
    ],
)
def test_bad_names_are_named(tower, names, message):
    with pytest.raises(ValueError, match=message):
        class_embeddings(tower, names)


def test_names_of_another_type(tower):
    with pytest.raises(TypeError, match='class 1 is 3 \\(int\\)'):
        class_embeddings(tower, ['cat', 3])
    with pytest.raises(TypeError, match=r"single string 'cat'; write \[name\]"):
        class_embeddings(tower, 'cat')


@pytest.mark.parametrize(
    ('templates', 'message'),
    [
        ('vlid', "unknown template set 'vlid'; legal: none, single"),
        ([], 'templates is empty'),
        (['a photo'], "'a photo' has 0 '{}'"),
        (['{} of {}'], "'{} of {}' has 2 '{}'"),
    ],
)
def test_bad_templates_are_named(tower, templates, message):
    with pytest.raises(ValueError, match=message):
        class_embeddings(tower, ['cat'], templates)


def test_bad_chunk(tower):
    with pytest.raises(ValueError, match='chunk is 0'):
        class_embeddings(tower, ['cat'], chunk=0)


@pytest.mark.parametrize('name', vocabularies())
def test_every_shipped_class_list_can_be_embedded(name):
    tokens = [part for synonyms in class_synonyms(load_classes(name)) for part in synonyms]
    longest = max(get_templates('vild'), key=len)
    tokenize([longest.replace('{}', part) for part in tokens])


def load_shared(name):
    if not SHARED.is_dir():
        pytest.skip(f'no {SHARED}; set ZSCLIP_SHARED to the folder with data/clip_vitb16')
    rows = torch.from_numpy(np.load(SHARED / f'{name}.npy').astype(np.float32))
    return F.normalize(rows, dim=-1)


def first_names(classes):
    return [canonical(name) for name in load_classes(classes)]


def test_published_rows_follow_our_class_order():
    """Needs no weights: equal names in two lists must have equal published rows."""
    voc, coco = load_shared('voc12_single'), load_shared('coco_single')
    voc_names, coco_names = first_names('voc20'), first_names('coco_stuff171')
    similar = voc @ coco.T
    same = [(i, coco_names.index(name)) for i, name in enumerate(voc_names) if name in coco_names]
    assert len(same) == 14
    for i, j in same:
        assert similar[i, j] > 0.999, voc_names[i]
    assert similar.argmax(1)[0] == coco_names.index('airplane')
    assert torch.equal((coco @ load_shared('coco_multi').T).argmax(1), torch.arange(171))


@pytest.mark.parametrize(
    ('rows', 'classes', 'templates'),
    [
        ('voc12_single', 'voc20', 'zegclip'),
        ('coco_single', 'coco_stuff171', 'zegclip'),
        ('coco_multi', 'coco_stuff171', 'zegclip15'),
    ],
)
def test_names_order_and_templates_reproduce_the_published_embeddings(
    rows, classes, templates, monkeypatch
):
    expected = load_shared(rows)
    monkeypatch.setenv('ZSCLIP_OFFLINE', '1')
    try:
        path = fetch_published(published('ViT-B-16', 'openai'))
    except DownloadError as error:
        pytest.skip(f"OpenAI's ViT-B/16 weights are not in the cache: {error}")
    tower = load_text('ViT-B-16-quickgelu', path)
    ours = class_embeddings(tower, first_names(classes), templates)
    assert (ours * expected).sum(-1).min() > 0.999


def narrow_tower(text):
    """A text tower that was trained on these words alone."""
    tower = build_text(TINY_VIT)
    known = torch.zeros(49408, dtype=torch.bool)
    known[tokenize([text]).flatten()] = True
    with torch.no_grad():
        tower.token_embedding.weight[~known] = 0
    return tower


def test_words_that_a_small_tower_never_saw_are_named_once():
    tower = narrow_tower('cat red bus parasol')
    with pytest.warns(UserWarning, match='class names hold words') as caught:
        out = class_embeddings(tower, ['cat, kitten', 'red bus', 'Zebra crossing', 'parasol'])
    (warning,) = caught
    assert "nothing to it: 'kitten', 'Zebra', 'crossing'. " in str(warning.message)
    assert 'known_words(load_text(arch, weights)) lists' in str(warning.message)
    assert out.isfinite().all()
    with pytest.warns(UserWarning, match=r', \.\.\. \(\d+ in all\)'):
        class_embeddings(tower, load_classes('ade150'))


def test_unknown_words_of_templates_do_not_warn(tower):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        class_embeddings(narrow_tower('cat red bus'), ['cat', 'Red bus'], 'imagenet')
        class_embeddings(tower, ['anything'])


def test_known_words_can_be_listed(tower):
    assert (
        {'cat', 'red', 'bus', 'paras-', 'ol'}
        <= set(known_words(narrow_tower('cat red bus parasol')))
        <= {'cat', 'red', 'bus', 'paras-', 'ol', '!-'}
    )
    assert len(known_words(tower)) > 49000


def test_all_sets_are_tested():
    assert set(TEMPLATES) == {
        'none',
        'single',
        'imagenet',
        'vild',
        'vild14',
        'zegclip',
        'zegclip15',
    }
