"""One segmenter of the toy model for all tests of this folder."""

import pytest

from mmseg_zsclip.apis import ZeroShotSegmenter


@pytest.fixture(scope='session')
def seg():
    return ZeroShotSegmenter('toy', device='cpu')
