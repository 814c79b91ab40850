import pytest
import torch

from mmseg_zsclip.clip.tokenizer import token_count, tokenize


def test_equals_open_clip():
    import open_clip

    texts = ['a photo of a cat.', 'Ein Hähnchen, $5 & more', '', 'naïve café’s']
    assert torch.equal(tokenize(texts), open_clip.tokenize(texts))
    assert tokenize(texts, 16).shape == (4, 16)


def test_nothing_is_cut_silently():
    fits = ' '.join(['dog'] * 75)
    assert tokenize([fits])[0, 76] == 49407
    assert token_count(fits + ' dog') == 78
    with pytest.raises(ValueError, match=r"'dog dog .*' has 78 tokens; CLIP reads at most 77"):
        tokenize(['cat', fits + ' dog'])


def test_a_single_string_is_an_error():
    with pytest.raises(TypeError, match=r"single string 'cat'; write \[text\]"):
        tokenize('cat')
