"""`--amp` on a CPU: toy_inductive trains and is tested in bfloat16 about as in float32."""

import pytest
import torch
from mmengine.device import get_device

from mmseg_zsclip.apis.launch import build_runner, evaluate, load_config, set_steps, train
from mmseg_zsclip.models import OneStageSegmentor

STEPS = 16
pytestmark = pytest.mark.skipif(get_device() != 'cpu', reason='is about CPUs')


def in_this_process(*parts):
    return {
        f'{part}_dataloader.{key}': value
        for part in parts
        for key, value in (('num_workers', 0), ('persistent_workers', False))
    }


def toy_config(work_dir):
    """At a rate at which few steps take the loss to a third."""
    here = in_this_process('train', 'val', 'test')
    cfg = load_config(
        'toy_inductive',
        work_dir=work_dir,
        options={
            **here,
            'test_dataloader.dataset.length': 2,
            'val_dataloader.dataset.length': 2,  # the last step validates
            'train_cfg.val_interval': 10 * STEPS,
            'optim_wrapper.optimizer.lr': 0.01,
        },
    )
    set_steps(cfg, STEPS)
    return cfg


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """The same short training in float32 and in mixed precision."""
    folders = [tmp_path_factory.mktemp(name) for name in ('float32', 'amp')]
    return [train(toy_config(folder), amp=folder is folders[1]) for folder in folders]


def test_losses_are_near_those_of_float32(runs):
    exact, low = (torch.tensor(run.message_hub.get_scalar('train/loss').data[0]) for run in runs)
    assert len(low) == STEPS
    assert low[-1] < low[0] / 2
    assert not torch.equal(low, exact)
    torch.testing.assert_close(low, exact, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ('name', 'classes'),
    [
        ('toy_maskclip', 4),  # of the shipped weights: the same classes from torch to torch
        ('toy_inductive', 2),
    ],
)  # untrained: how many differs from torch to torch
def test_most_pixels_get_the_label_of_float32(name, classes, tmp_path):
    runner = build_runner(
        load_config(
            name,
            work_dir=tmp_path,
            options={**in_this_process('test'), 'test_dataloader.dataset.length': 2},
        )
    )
    model = runner.model
    model.init_weights()
    model.eval()
    for batch in runner.build_dataloader(runner.cfg.test_dataloader):
        with torch.no_grad():
            exact = model.test_step(batch)[0].pred_sem_seg.data.clone()
            with torch.autocast('cpu', dtype=torch.bfloat16):
                low = model.test_step(batch)[0]
        assert low.seg_logits.data.dtype == torch.float32
        assert len(exact.unique()) >= classes
        assert (low.pred_sem_seg.data == exact).float().mean() > 0.95


def test_evaluation_runs_in_mixed_precision(runs, tmp_path, monkeypatch):
    dtypes, predict = [], OneStageSegmentor.predict
    monkeypatch.setattr(
        OneStageSegmentor,
        'predict',
        lambda *args: (dtypes.append((torch.ones(1, 1) @ torch.ones(1, 1)).dtype), predict(*args))[
            1
        ],
    )
    for amp in (False, True):
        assert 'mIoU' in evaluate(
            toy_config(tmp_path), f'{runs[1].work_dir}/iter_{STEPS}.pth', amp=amp
        )
    assert dtypes == [torch.float32] * 2 + [torch.bfloat16] * 2
