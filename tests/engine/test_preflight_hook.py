"""A run looks at a sample of its data before it begins."""

import numpy as np
import pytest
import torch
from PIL import Image

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.launch import build_runner


def with_preflight(cfg, folder):
    cfg.default_hooks.preflight = dict(type='mmseg_zsclip.PreflightHook', files=3)
    cfg.log_level = 'INFO'
    for loader in ('train', 'val'):
        cfg[f'{loader}_dataloader'].dataset.data_root = str(folder)
    return build_runner(cfg)


def test_a_training_says_what_it_looked_at_and_draws_no_random_number(
    training, photo_folder, tmp_path
):
    runner = with_preflight(training(), photo_folder)
    hook = next(one for one in runner.hooks if type(one).__name__ == 'PreflightHook')
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    state = torch.get_rng_state()
    hook.before_train(runner)
    assert torch.equal(state, torch.get_rng_state())
    log = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    for where in ('training', 'validation'):
        assert f'preflight, {where} data: 3 of 4 photos are whole and 3 of 4 label files' in log


@pytest.mark.parametrize('part', ['img', 'ann'])
def test_data_that_is_wrong_stops_a_run_before_its_first_step(
    training, photo_folder, tmp_path, part
):
    folder = tmp_path / 'data'
    for name in ('img', 'ann'):
        (folder / name).mkdir(parents=True)
        for path in sorted((photo_folder / name).iterdir()):
            (folder / name / path.name).write_bytes(path.read_bytes())
    Image.fromarray(np.full((32, 48), 1, np.uint8)).save(folder / 'ann' / '0.png')
    if part == 'img':
        (folder / 'img' / '0.png').write_bytes(b'no photo')
    runner = with_preflight(training(), folder)
    message = '48 x 32 pixels, its photo' if part == 'ann' else '0.png'
    with pytest.raises(ValueError, match=f'training data: 1 of 3 photos are wrong(?s:.)*{message}'):
        runner.train()
