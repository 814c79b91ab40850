"""Two processes give the losses and weights of one at equal global batch (frozen CLIP under DDP)."""
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import MODELS

STEPS = 3


def zegclip():
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='mmseg_zsclip.ZeroShotSegmentor',
        data_preprocessor=dict(type='SegDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3,
                               size=(48, 48)),
        backbone=dict(
            type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2, dropout=0.0),
        decode_head=dict(
            type='mmseg_zsclip.ZegCLIPHead', classes=['sky', 'road', 'tree', 'car'],
            unseen=['tree'], text=dict(arch='ViT-XS-8'), dropout=0.0)))
    model.init_weights()
    return model


def batches():
    """Four photos a step; photo i has i + 1 class bands, so that processes count unequal masks."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        yield [(torch.randn(3, 48, 48, generator=generator),
                torch.tensor([0, 1, 3])[torch.arange(48) * (i % 3 + 1) // 48].expand(1, 48, 48))
               for i in range(4)]


def run(rank, world, folder):
    torch.set_num_threads(1)
    model = zegclip()
    if world > 1:
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(world))
        dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank,
                                world_size=world)
        model = MMDistributedDataParallel(model)  # find_unused_parameters is False
    optim = build_optim_wrapper(model, dict(
        optimizer=dict(type='SGD', lr=0.1),
        constructor='mmseg_zsclip.StrictOptimWrapperConstructor'))
    losses = []
    for batch in batches():
        share = batch[rank * 4 // world:(rank + 1) * 4 // world]
        data = dict(inputs=[x for x, _ in share], data_samples=[
            SegDataSample(gt_sem_seg=PixelData(data=y), metainfo=dict(img_shape=(48, 48)))
            for _, y in share])
        log = model.train_step(data, optim)
        value = torch.stack([log['decode.loss_focal'], log['decode.loss_dice']]).detach()
        if world > 1:
            dist.all_reduce(value)
            value /= world
        losses.append(value)
    if rank == 0:
        weights = getattr(model, 'module', model).state_dict()
        torch.save((torch.stack(losses), weights), f'{folder}/{world}.pt')
    if world > 1:
        dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason='torch was built without gloo')
def test_two_processes_equal_one_and_no_parameter_is_unused(tmp_path):
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), '2', str(tmp_path)], env=env)
             for rank in range(2)]
    run(0, 1, tmp_path)
    assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    (one, weights), (two, weights2) = (torch.load(tmp_path / f'{n}.pt') for n in (1, 2))
    torch.testing.assert_close(two, one, rtol=1e-4, atol=0)
    for key, value in weights.items():
        torch.testing.assert_close(weights2[key], value, rtol=1e-3, atol=1e-5, msg=key)


if __name__ == '__main__':
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
