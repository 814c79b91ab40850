"""Models of two stages do on a GPU what they do on a CPU."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmseg_zsclip.apis import find_config
from mmseg_zsclip.registry import DATASETS, MODELS

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU: compares its results with the CPU's"
)


def built(name):
    init_default_scope('mmseg')
    cfg = Config.fromfile(find_config(name))
    cfg.model.generator.pop('checkpoint', None)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model, cfg


def samples(cfg, count=2):
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, length=count))
    return pseudo_collate([dataset[i] for i in range(count)])


@pytest.mark.parametrize('name', ['toy_proposals', 'toy_maft'])
def test_a_gpu_predicts_what_a_cpu_does(name):
    model, cfg = built(name)
    model.eval()
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, length=2))
    batch = pseudo_collate([dataset[i] for i in range(2)])
    want = model.test_step(copy.deepcopy(batch))
    with torch.backends.cudnn.flags(allow_tf32=False):  # its convolutions keep three digits
        got = copy.deepcopy(model).cuda().test_step(batch)
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(
            ours.seg_logits.data.cpu(), theirs.seg_logits.data, rtol=1e-3, atol=1e-3
        )
        same = ours.pred_sem_seg.data.cpu() == theirs.pred_sem_seg.data
        assert same.double().mean() > 0.99


@pytest.mark.parametrize('precision', [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize('name', ['toy_proposals', 'toy_maft'])
def test_a_gpu_trains(name, precision):
    model, cfg = built(name)
    model = model.cuda().train()
    data = model.data_preprocessor(samples(cfg), True)
    with torch.autocast('cuda', precision, enabled=precision != torch.float32):
        losses = model.loss(**data)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert torch.isfinite(total)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)
