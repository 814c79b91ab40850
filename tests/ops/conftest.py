"""These tests measure our ops even where a full mmcv is installed."""

import sys

import pytest

from mmseg_zsclip import ops


@pytest.fixture(autouse=True)
def _our_ops(monkeypatch):
    import mmcv.ops  # noqa: F401  after mmseg_zsclip: mmcv-lite cannot import its ops alone

    module = ops.build_module()
    for name, wrapper in list(sys.modules.items()):
        if name.startswith('mmcv.ops.') and hasattr(wrapper, 'ext_module'):
            monkeypatch.setattr(wrapper, 'ext_module', module)
