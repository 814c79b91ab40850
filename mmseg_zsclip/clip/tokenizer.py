"""CLIP's byte-pair tokenizer: open_clip's, except that nothing is ever cut off silently."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .archs import import_open_clip


@lru_cache(maxsize=1)
def _encoder():
    return import_open_clip().SimpleTokenizer()


def token_ids(text: str) -> list[int]:
    """Ids of a text's tokens, without start-of-text and end-of-text."""
    return _encoder().encode(text)


def token_text(index: int) -> str:
    """A token as text; one inside a word ends in '-', start-of-text and end-of-text are ''."""
    encoder = _encoder()
    if index >= encoder.sot_token_id:
        return ''
    text = encoder.decode([index])
    return text.strip() if text.endswith(' ') else f'{text}-'


def token_count(text: str) -> int:
    """Tokens of a text, start-of-text and end-of-text included."""
    return len(token_ids(text)) + 2


def tokenize(texts: Sequence[str], context_length: int = 77) -> Tensor:
    """Texts to token ids, (B, context_length) int64: start, text, end-of-text, zeros.

    Raises:
        TypeError: a single string instead of a list of them.
        ValueError: a text is longer than `context_length` tokens; names it and its token count.
    """
    if isinstance(texts, str):
        raise TypeError(
            f'tokenize takes a list of texts, got the single string {texts!r}; write [text]'
        )
    encoder = _encoder()
    rows = torch.zeros(len(texts), context_length, dtype=torch.int64)
    for row, text in zip(rows, texts, strict=True):
        ids = [encoder.sot_token_id, *encoder.encode(text), encoder.eot_token_id]
        if len(ids) > context_length:
            raise ValueError(
                f'the text {text!r} has {len(ids)} tokens; CLIP reads at most '
                f'{context_length} (start and end included). Shorten it.'
            )
        row[: len(ids)] = torch.tensor(ids)
    return rows
