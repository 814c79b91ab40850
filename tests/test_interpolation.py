"""Interpolation as a matrix: it chains, and every row is made of the lines that its strip names."""

import torch

from mmseg_zsclip.interpolation import interpolation, row_strips


def test_matrices_chain():
    torch.testing.assert_close(
        interpolation([4, 9, 6]), interpolation([9, 6]) @ interpolation([4, 9])
    )
    torch.testing.assert_close(interpolation([5, 5]), torch.eye(5))


def test_strips_together_are_the_whole():
    down, lines = interpolation([5, 17]), torch.randn(5, 3)
    parts = [down[rows, used] @ lines[used] for rows, used in row_strips(down, 4)]
    assert [len(part) for part in parts] == [4, 4, 4, 4, 1]
    torch.testing.assert_close(torch.cat(parts), down @ lines)
