"""MMEngine's counter and torch.jit.trace on the models of the toy configs."""

import warnings

import pytest
import torch
from mmdet.models.dense_heads import MaskFormerHead
from mmengine.analysis import get_model_complexity_info
from mmengine.registry import init_default_scope

from mmseg_zsclip.apis.configs import shipped_configs
from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.registry import MODELS

CONFIGS = [path for path in shipped_configs() if path.stem.startswith('toy_')]


def model_of(config):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    cfg = load_config(config, weights=None).model
    if 'generator' in cfg:
        cfg.generator.checkpoint = None  # of a stage before, which nobody has trained here
    model = MODELS.build(cfg)
    model.init_weights()
    return model.eval()


def test_there_are_toy_configs():
    assert len(CONFIGS) > 10


@pytest.mark.parametrize('config', CONFIGS, ids=lambda path: path.stem)
@torch.no_grad()
def test_a_traced_model_runs_at_any_batch_and_is_counted(config):
    model = model_of(config)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # TracerWarning: sizes become constants, as they should
        traced = torch.jit.trace(model, torch.randn(2, 3, 96, 128), check_trace=False)
        counted = get_model_complexity_info(model, (3, 64, 64), show_table=False, show_arch=False)
    # mmdet's heads of queries count the samples of a batch in Python
    queries = any(isinstance(module, MaskFormerHead) for module in model.modules())
    for batch in (2,) if queries else (1, 2, 3):
        img = torch.randn(batch, 3, 96, 128)
        torch.testing.assert_close(traced(img), model(img), rtol=1e-4, atol=1e-4)
    assert counted['flops'] > 1e6
