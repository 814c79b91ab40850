"""What the tests of benchmark.py's suites share."""

import pytest
import torch


@pytest.fixture
def setup(tool):
    """A small case of the module that a test's own `tool` is."""
    torch.manual_seed(0)
    return tool.Setup(runs=1, device='cpu', arch='ViT-XS-8', size=48)
