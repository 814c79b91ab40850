import pytest
import torch
import torch.nn.functional as F

from mmseg_zsclip import models
from mmseg_zsclip.models.vocabulary import Vocabulary
from mmseg_zsclip.models.zegclip import ZegCLIPHead

NAMES = ['sky, heaven', 'background', 'tree']
BACKGROUND = ['wall', 'road', 'grass']


@pytest.fixture
def words():
    return Vocabulary(NAMES, 'ViT-XS-8', unseen=['heaven'])


def rows(count):
    return torch.randn(count, 192)


@pytest.mark.parametrize('head', ['MaskCLIPHead', 'ZegCLIPHead', 'PixelTextHead', 'MTACLIPHead'])
def test_a_number_of_classes_as_other_heads_want_it_is_refused(head):
    required = dict(
        MaskCLIPHead=dict(text=dict(arch='ViT-XS-8')),
        ZegCLIPHead=dict(text=dict(arch='ViT-XS-8')),
        PixelTextHead=dict(fpn={}),
        MTACLIPHead=dict(loss_cls={}),
    )[head]
    with pytest.raises(ValueError, match='num_classes=3 is given, but .*Leave it out'):
        getattr(models, head)(NAMES, num_classes=3, **required)


def test_names_seen_and_unseen_are_facts_of_one_object(words):
    assert (words.names, words.seen, words.unseen) == (['sky', 'background', 'tree'], [1, 2], [0])
    assert words.seen_row.tolist() == [-1, 0, 1]


def test_several_names_of_the_background_are_rows_of_one_class():
    words = Vocabulary(NAMES, 'ViT-XS-8', background=BACKGROUND)
    assert words.rows == [NAMES[0], *BACKGROUND, 'tree']
    assert (words.background_start, len(words.classes), len(words.embeddings)) == (1, 3, 5)


def test_embeddings_that_were_handed_in_need_no_clip_and_have_length_1(words):
    words.set_embeddings(3 * rows(3))
    torch.testing.assert_close(words().norm(dim=1), torch.ones(3))
    assert words.unseen == [0]


def test_init_weights_leaves_embeddings_that_were_handed_in(words):
    given = rows(3)
    words.set_embeddings(given)
    words.init_weights()
    torch.testing.assert_close(words(), F.normalize(given))
    words.set_classes(NAMES)  # computed again, and then by init_weights too
    assert not words.handed_in


def test_numpy_and_half_precision_are_taken(words):
    words.set_embeddings(rows(3).half().numpy())
    assert words().dtype == torch.float32


def test_words_with_their_embeddings(words):
    words.set_classes(['cat', 'dog'], unseen=['dog'], embeddings=rows(2))
    assert (words.classes, words.unseen, words().shape) == (['cat', 'dog'], [1], (2, 192))


@pytest.mark.parametrize('shape', [(2, 192), (3, 64), (3,)])
def test_embeddings_of_another_shape(words, shape):
    with pytest.raises(ValueError, match=r'shape \(.*3 names and ViT-XS-8 need \(3, 192\)'):
        words.set_embeddings(torch.ones(shape))
    assert not words.computed


@pytest.mark.parametrize('value', [0.0, float('nan'), float('inf')])
def test_embeddings_that_are_zero_or_not_finite(words, value):
    broken = rows(3)
    broken[2] = value
    with pytest.raises(ValueError, match=r"embedding of 'tree' \(row 2\) is zero or not finite"):
        words.set_embeddings(broken)


def test_a_refused_vocabulary_changes_nothing(words):
    words.set_embeddings(rows(3))
    before = words().clone()
    with pytest.raises(ValueError, match="unseen class 'cow'"):
        words.set_classes(['cat', 'dog'], unseen=['cow'])
    with pytest.raises(ValueError, match='shape'):
        words.set_classes(['cat', 'dog'], embeddings=rows(3))
    assert words.classes == NAMES
    assert torch.equal(words(), before)


def test_the_state_says_whether_synonyms_were_joined(words):
    joined = Vocabulary(NAMES, 'ViT-XS-8', synonyms='joined')
    words.init_weights()
    with pytest.raises(ValueError, match="from synonyms 'mean', the config's are from 'joined'"):
        joined.load_state_dict(words.state_dict())


def test_of_each_synonym_a_row(words):
    several = Vocabulary(NAMES, 'ViT-XS-8', synonyms='max')
    assert several.embeddings.shape == (3, 2, 192)
    for one in (several, words):
        torch.manual_seed(0)  # the text tower is random
        one.init_weights()
    torch.testing.assert_close(several()[1:, 0], words()[1:])
    torch.testing.assert_close(F.normalize(several()[0].mean(dim=0), dim=0), words()[0])
    other = Vocabulary(NAMES, 'ViT-XS-8', synonyms='max')
    other.load_state_dict(several.state_dict())
    assert torch.equal(other(), several())
    with pytest.raises(ValueError, match="from synonyms 'mean', the config's are from 'max'"):
        several.load_state_dict(words.state_dict())


def test_rows_of_synonyms_may_be_handed_in_or_one_for_all_of_them():
    words = Vocabulary(NAMES, 'ViT-XS-8', synonyms='max')
    given = torch.randn(3, 2, 192)
    words.set_embeddings(given)
    torch.testing.assert_close(words(), F.normalize(given, dim=-1))
    words.set_embeddings(given[:, 0])
    torch.testing.assert_close(words()[:, 1], F.normalize(given[:, 0], dim=-1))
    with pytest.raises(ValueError, match=r'have shape \(3, 5, 192\); .* need \(3, 2, 192\)'):
        words.set_embeddings(torch.randn(3, 5, 192))
    given[1, 1] = 0
    with pytest.raises(ValueError, match=r"embedding of 'background' \(row 1\) is zero"):
        words.set_embeddings(given)


def test_a_head_of_one_text_a_class_says_so():
    with pytest.raises(ValueError, match="synonyms is 'max', but this head knows one text"):
        ZegCLIPHead(NAMES, dict(arch='ViT-XS-8', synonyms='max'))


def test_never_computed(words):
    with pytest.raises(RuntimeError, match='of 3 classes were never computed'):
        words()


def test_a_single_class_where_the_best_one_wins():
    with pytest.raises(ValueError, match="'cat' is the only class"):
        Vocabulary(['cat'], 'ViT-XS-8', least=2)


def test_background_names_where_a_class_has_one_text():
    head = ZegCLIPHead(NAMES, dict(arch='ViT-XS-8'))
    with pytest.raises(ValueError, match='ZegCLIPHead knows one text a class.*as synonyms'):
        head.set_classes(NAMES, background=BACKGROUND)


def test_embeddings_may_be_an_input_of_an_exported_graph(words):
    """As ONNX needs it: nothing in `forward` asks for values."""
    words.set_embeddings(rows(3))
    given = F.normalize(rows(3))
    out = torch.func.functional_call(words, {'embeddings': given}, ())
    assert out is given
