"""Two processes that each keep a share of the weights train as two that keep them whole."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from mmengine.utils import digit_version
from torch import nn

from mmseg_zsclip.apis.launch import build_runner, load_config, train
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.engine.sharding import share_out

WHOLE, SHARED = 'mmseg_zsclip.ResumableRunner', 'mmseg_zsclip.ShardedRunner'
recent = pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.6'), reason='needs torch 2.6'
)


def config(folder, runner, steps):
    options = {
        'runner_type': runner,
        '+optim_wrapper.clip_grad': dict(max_norm=0.5),
        'param_scheduler': [dict(type='ConstantLR', factor=1.0)],
        'train_cfg.max_iters': steps,
        'train_cfg.val_interval': 2,
        'val_dataloader.dataset.length': 3,
        'default_hooks.checkpoint.interval': 2,
    }
    for loader in ('train_dataloader', 'val_dataloader'):
        options[f'{loader}.num_workers'] = 0
        options[f'{loader}.persistent_workers'] = False
    return load_config(
        'toy_fully', work_dir=folder, launcher='pytorch', weights='toy', options=options
    )


def run(rank, folder):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=4),
    )
    train(config(f'{folder}/whole', WHOLE, 4))
    train(config(f'{folder}/shared', SHARED, 2))
    runner = train(config(f'{folder}/shared', SHARED, 4), resume=True)
    train(config(f'{folder}/from_whole', SHARED, 4), resume=f'{folder}/whole/iter_2.pth')
    kept = {name: value.to_local().numel() for name, value in runner.model.named_parameters()}
    with open(f'{folder}/kept_{rank}.json', 'w') as file:
        json.dump(kept, file)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason='torch was built without gloo')
@pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.8'),
    reason='gloo takes no average of gradients before torch 2.8',
)
def test_shared_weights_train_stop_and_go_on_as_whole_ones(tmp_path):
    """Clipped gradients, a validation and a checkpoint in between; one that goes on from a
    checkpoint of whole weights; what each process keeps."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), CUDA_VISIBLE_DEVICES='')
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=env)
        for rank in range(2)
    ]
    assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    whole, shared, from_whole = (
        read_checkpoint(tmp_path / name / 'iter_4.pth')
        for name in ('whole', 'shared', 'from_whole')
    )
    kept = [json.loads((tmp_path / f'kept_{rank}.json').read_text()) for rank in range(2)]
    for name, own in kept[0].items():
        assert own + kept[1][name] == whole['state_dict'][name].numel()
        assert own < whole['state_dict'][name].numel() or own == 1
    for other in (shared, from_whole):
        torch.testing.assert_close(
            dict(other['state_dict']), dict(whole['state_dict']), rtol=0, atol=1e-6
        )
        assert other['state_dict']._metadata == whole['state_dict']._metadata
        torch.testing.assert_close(
            other['optimizer']['state'], whole['optimizer']['state'], rtol=1e-3, atol=1e-6
        )


@recent
def test_units_that_match_nothing_are_an_error():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"units, \['Block'\]; it has Sequential"):
        share_out(model, ['Block'])


def test_a_runner_that_is_none_is_named(tmp_path):
    cfg = load_config('toy_fully', work_dir=tmp_path, options=dict(runner_type='NoRunner'))
    with pytest.raises(ValueError, match="runner_type 'NoRunner' is no runner"):
        build_runner(cfg)


def test_an_old_torch_is_named(monkeypatch):
    monkeypatch.delattr('torch.distributed.fsdp.fully_shard', raising=False)
    with pytest.raises(RuntimeError, match=r'needs torch 2\.6 or later'):
        share_out(nn.Linear(2, 2), ['Linear'])


if __name__ == '__main__':
    run(int(sys.argv[1]), sys.argv[2])
