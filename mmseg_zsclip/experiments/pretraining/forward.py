"""CLIP's towers walked for training: image embeddings without idle work, and dense features."""

import torch
from torch import Tensor

PATHS = ('value', 'block', 'last')


def embed_window(visual, img: Tensor, offset: tuple[int, int] | None) -> Tensor:
    """`visual.embed`, or the same with the positions of a window of the pre-training grid.

    A crop smaller than the grid then looks to the tower as the same pixels do in a larger image.

    Args:
        img: (B, 3, H, W), normalised.
        offset: row and column of the window in the position grid; None = positions are resized.
    """
    if offset is None:
        return visual.embed(img)[0]
    x, (h, w) = visual.patchify(img)
    side = round((visual.positional_embedding.shape[0] - 1) ** 0.5)
    grid = visual.positional_embedding[1:].unflatten(0, (side, side))
    window = grid[offset[0] : offset[0] + h, offset[1] : offset[1] + w].flatten(0, 1)
    return visual.assemble(x, torch.cat([visual.positional_embedding[:1], window]))


def to_last_block(visual, tokens: Tensor, held: Tensor | None = None) -> Tensor:
    """All blocks but the last.

    A small tower left to itself gathers what it needs in the CLS token long before the last
    block, whose attention then does nothing. An image that is `held` ((B,) bool) keeps its class
    token as it began, so that the last block has to gather.
    """
    for block in visual.blocks[:-1]:
        began, tokens = tokens[:, :1], block(tokens)
        if held is not None:
            cls = torch.where(held[:, None, None], began.to(tokens.dtype), tokens[:, :1])
            tokens = torch.cat([cls, tokens[:, 1:]], dim=1)
    return tokens


def image_embedding(visual, tokens: Tensor) -> Tensor:
    """Input of the last block (B, 1 + N, D) -> image embedding (B, d).

    Equals the tower's own output; queries and the MLP of the patches, on which it does not depend,
    are not computed.
    """
    return visual.project(visual.blocks[-1].cross(tokens[:, :1], [tokens])[:, 0])


def dense_embeddings(visual, tokens: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Image embedding (B, d) and patch features (B, N, d) by path, from the last block's input.

    'value': out_proj(V) alone. 'block': MaskCLIP's path of section 3.2, the last block without
    attention: v = out_proj(V) + x, v + mlp(ln_2(v)). 'last': the unmodified last block.
    """
    block = visual.blocks[-1]
    q, k, v = block.attn.inputs(block.ln_1(tokens))
    value = block.attn.out_proj(v[:, 1:])
    attended = tokens + block.attn.attend(*map(block.attn.split_heads, (q, k, v)))
    last = attended + block.mlp(block.ln_2(attended))
    alone = tokens[:, 1:] + value
    alone = alone + block.mlp(block.ln_2(alone))
    paths = dict(value=value, block=alone, last=last[:, 1:])
    return visual.project(last[:, 0]), {name: visual.project(x) for name, x in paths.items()}
