"""`torch.compile` takes a method as one graph. Its back end is left out:
that needs a C++ compiler."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmseg_zsclip.registry import MODELS

pytestmark = pytest.mark.usefixtures('whole_graphs')
ARCH = 'ViT-XS-8'
METHODS = dict(
    zegclip=('DeepPromptedViT', {}, 'ZegCLIPHead', {}),
    frugal=('DeepPromptedViT', dict(with_cp=True), 'ZegCLIPHead', {}),
    stages=(
        'DeepPromptedViT',
        dict(out_indices=(0, -1)),
        'ZegCLIPHead',
        dict(use_stages=2, in_channels=192),
    ),
    maskclip=('MaskCLIPViT', {}, 'MaskCLIPHead', {}),
)


@pytest.fixture
def model(request):
    init_default_scope('mmseg')
    torch.compiler.reset()
    torch.manual_seed(0)
    backbone, options, head, head_options = METHODS[request.param]
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            backbone=dict(type=f'mmseg_zsclip.{backbone}', arch=ARCH, **options),
            decode_head=dict(
                type=f'mmseg_zsclip.{head}',
                classes=['sky', 'road', 'car'],
                text=dict(arch=ARCH),
                **head_options,
            ),
        )
    )
    model.init_weights()
    return model


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('model', METHODS, indirect=True)
def test_a_method_is_one_graph(model, training):
    model.train(training)
    img = torch.randn(2, 3, 48, 48)
    fast = torch.compile(lambda x: model(x, mode='tensor'), backend='eager', fullgraph=True)
    torch.manual_seed(1)
    expected = model(img, mode='tensor')
    torch.manual_seed(1)
    torch.testing.assert_close(fast(img), expected)
    if training and expected.requires_grad:
        fast(img).sum().backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
