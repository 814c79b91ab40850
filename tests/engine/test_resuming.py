"""A run that was killed, moved or damaged goes on, or says why not."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.launch import build_runner, train
from mmseg_zsclip.checkpoints import read_checkpoint
from mmseg_zsclip.engine import RunError, WholeCheckpointHook
from mmseg_zsclip.engine.resuming import saved_checkpoints
from mmseg_zsclip.engine.run_identity import run_config


class Killed(BaseException):
    """Ends a run as a kill would: nothing catches it."""


def run(cfg, **how):
    return train(copy.deepcopy(cfg), **how)


def kill_after(cfg, steps, monkeypatch):
    """Trains `steps` iterations of a run that is meant to be longer."""
    original = WholeCheckpointHook.after_train_iter

    def die(hook, runner, *args, **kwargs):
        original(hook, runner, *args, **kwargs)
        if runner.iter + 1 == steps:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(WholeCheckpointHook, 'after_train_iter', die)
        with pytest.raises(Killed):
            run(cfg)


def saved(folder, step):
    return read_checkpoint(Path(folder) / f'iter_{step}.pth')


def tensors(content):
    if isinstance(content, torch.Tensor):
        return [content]
    inner = content.values() if isinstance(content, dict) else content
    return [t for one in inner for t in tensors(one)] if isinstance(content, dict | list) else []


@pytest.mark.parametrize(
    'loader', [{}, dict(num_workers=2), dict(num_workers=2, persistent_workers=True)]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    training, tmp_path, monkeypatch, same, loader
):
    run(training(folder=tmp_path / 'whole', **loader))
    cfg = training(folder=tmp_path / 'cut', **loader)
    kill_after(cfg, 4, monkeypatch)
    run(cfg, resume=True)
    whole, cut = saved(tmp_path / 'whole', 6), saved(tmp_path / 'cut', 6)
    for key in ('state_dict', 'optimizer', 'random_states'):
        pairs = list(zip(tensors(whole[key]), tensors(cut[key]), strict=True))
        assert pairs
        assert all(same(one, other) for one, other in pairs), key


def test_the_newest_that_loads_is_taken_whatever_last_checkpoint_says(
    training, tmp_path, monkeypatch
):
    cfg = training(every=1)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 3
    kill_after(cfg, 4, monkeypatch)
    folder = Path(cfg.work_dir)
    assert (folder / 'last_checkpoint').read_text() == 'iter_4.pth'
    (folder / 'iter_4.pth').write_bytes((folder / 'iter_4.pth').read_bytes()[:5000])
    (folder / 'iter_10.pth').write_bytes(b'')  # the newest by number, not by name
    for note in ('', '/elsewhere/iter_9.pth', 'nothing.pth'):
        (folder / 'last_checkpoint').write_text(note)
        copied = tmp_path / 'moved'
        shutil.copytree(folder, copied)
        moved = training(every=1, folder=copied)
        moved.log_level = 'WARNING'
        runner = run(moved, resume=True)
        assert runner._load_from == str(copied / 'iter_3.pth')
        shutil.rmtree(copied)


def test_checkpoints_of_which_none_loads_are_an_error_that_lists_them(training, monkeypatch):
    cfg = training()
    kill_after(cfg, 4, monkeypatch)
    (Path(cfg.work_dir) / 'iter_4.pth').write_bytes(b'PK')
    with pytest.raises(RunError, match=r'no checkpoint in .* loads: iter_4.pth'):
        run(cfg, resume=True)


def test_no_kill_while_saving_leaves_a_folder_without_a_whole_checkpoint(training, monkeypatch):
    import mmseg_zsclip.engine.checkpoint_hook as home

    cfg = training(steps=6, every=2)
    whole_file, moments = home.whole_file, []

    def cut(at):
        def half(path, *args):
            moments.append(path)
            if len(moments) == at:
                Path(path).with_name(f'.{Path(path).name}.partial').write_bytes(b'half')
                raise Killed
            return whole_file(path, *args)

        return half

    for at in range(2, 6):  # second checkpoint, its note, the third, its note
        moments.clear()
        shutil.rmtree(cfg.work_dir, ignore_errors=True)
        with monkeypatch.context() as patch:
            patch.setattr(home, 'whole_file', cut(at))
            with pytest.raises(Killed):
                run(cfg)
        runner = run(cfg, resume=True)
        assert runner._resume
        assert runner.iter == 6
        assert [path.name for path in Path(cfg.work_dir).glob('iter_*')] == ['iter_6.pth'], at


def test_another_runs_weights_are_refused_with_the_difference(training, monkeypatch):
    cfg = training()
    run(cfg)
    other = training()
    other.optim_wrapper.optimizer.lr = 0.5
    with pytest.raises(RunError, match=r'another config: optim_wrapper.optimizer.lr: 0.01 -> 0.5'):
        run(other, resume=True)
    with monkeypatch.context() as patch:  # B begins, and is killed before it saves
        patch.setattr(WholeCheckpointHook, 'after_train_iter', _die)
        with pytest.raises(Killed):
            run(other)
    with pytest.raises(
        RunError,
        match=r'saved nothing that loads; iter_6.pth is of an earlier run '
        r'\(optim_wrapper.optimizer.lr: 0.01 -> 0.5\)',
    ):
        run(other, resume=True)
    with pytest.raises(RunError, match='another config'):
        run(other, resume=str(Path(cfg.work_dir) / 'iter_6.pth'))


def _die(*args, **kwargs):
    raise Killed


def test_what_decides_no_training_may_change_when_a_run_goes_on(training):
    one, other = training(), training(steps=600)
    other.train_dataloader.update(num_workers=2, persistent_workers=True)
    other.train_dataloader.dataset.data_root = '/elsewhere'
    other.train_cfg.val_interval = 7
    other.default_hooks.logger.interval = 9
    other.launcher = 'pytorch'
    assert run_config(one) == run_config(other)
    other.train_dataloader.batch_size = 3
    assert run_config(one) != run_config(other)


def test_a_finished_run_says_so_and_draws_no_batch(training, caplog):
    cfg = training()
    cfg.log_level = 'WARNING'
    run(cfg)
    runner = run(cfg, resume=True)
    log = ''.join(path.read_text() for path in Path(runner.work_dir).rglob('*.log'))
    assert 'finished at iteration 6 of 6; nothing to do' in log


@pytest.mark.parametrize(
    'schedule',
    [
        [dict(type='PolyLR', power=0.9, eta_min=1e-6)],
        [dict(type='CosineAnnealingLR', eta_min=0.0)],
        [dict(type='LinearLR', start_factor=0.1, begin=0, end=3), dict(type='PolyLR', begin=3)],
        [dict(type='LinearLR', start_factor=1e-3, begin=0, end=12)],
    ],
)
def test_a_longer_resumed_run_has_the_rates_of_a_run_of_that_length(
    training, tmp_path, monkeypatch, schedule
):
    def rates(cfg, **how):
        seen = {}

        def note(hook, runner, *args, **kwargs):
            seen[runner.iter] = [g['lr'] for g in runner.optim_wrapper.param_groups]

        with monkeypatch.context() as patch:
            patch.setattr(WholeCheckpointHook, 'before_train_iter', note)
            run(cfg, **how)
        return seen

    def config(steps, folder):
        cfg = training(steps=steps, folder=tmp_path / folder)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.param_scheduler = [
            dict(dict(by_epoch=False, end=steps), **one) for one in copy.deepcopy(schedule)
        ]
        if 'CosineAnnealingLR' in str(schedule):
            cfg.param_scheduler[0].T_max = steps
        return cfg

    whole = rates(config(8, 'whole'))
    run(config(4, 'grown'))
    grown = rates(config(8, 'grown'), resume=True)
    assert sorted(grown) == [4, 5, 6, 7]
    assert grown == {step: whole[step] for step in grown}


def test_a_run_of_another_seed_keeps_the_seed_it_began_with(training, monkeypatch):
    cfg = training()
    cfg.pop('randomness')  # as in a config that says nothing of it
    kill_after(cfg, 4, monkeypatch)
    seed = saved(cfg.work_dir, 4)['meta']['seed']
    assert run(cfg, resume=True).seed == seed


def test_a_checkpoints_config_text_is_not_executed(training, monkeypatch, tmp_path):
    cfg = training()
    kill_after(cfg, 4, monkeypatch)
    path = Path(cfg.work_dir) / 'iter_4.pth'
    content = read_checkpoint(path)
    content['meta']['config'] = f'open({str(tmp_path / "written")!r}, "w")'
    torch.save(content, path)
    run(cfg, resume=True)
    assert not (tmp_path / 'written').exists()


def test_the_best_checkpoint_is_replaced_after_the_new_one_is_there(training, tmp_path):
    cfg = training()
    cfg.default_hooks.checkpoint.update(save_best='mIoU')
    run(cfg)
    folder = Path(cfg.work_dir)
    assert len(list(folder.glob('best_*'))) == 1
    copied = tmp_path / 'copy'
    shutil.copytree(folder, copied)
    longer = training(steps=9, folder=copied)
    longer.default_hooks.checkpoint.update(save_best='aAcc', rule='greater')
    run(longer, resume=True)
    assert len(list(folder.glob('best_*'))) == 1  # a copy removes nothing of the original


def test_checkpoints_are_ordered_by_number(tmp_path):
    for name in (
        'iter_9.pth',
        'iter_10.pth',
        'iter_x.pth',
        'epoch_11.pth',
        '.iter_12.pth.1.partial',
    ):
        (tmp_path / name).touch()
    assert [path.name for path in saved_checkpoints(tmp_path, 'iter_{}.pth')] == [
        'iter_10.pth',
        'iter_9.pth',
    ]


def test_an_interval_may_be_a_share_of_the_training(training):
    cfg = training(steps=20)
    cfg.default_hooks.checkpoint.interval = 0.1
    runner = build_runner(cfg)
    hook = next(one for one in runner.hooks if isinstance(one, WholeCheckpointHook))
    assert hook.share == 0.1
    for wrong in (0.0, 1.5, -0.1):
        with pytest.raises(ValueError, match='legal values: an int, or a fraction'):
            WholeCheckpointHook(wrong)


def test_a_stock_hook_becomes_ours_under_our_runner(training):
    cfg = training()
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'
    assert any(isinstance(one, WholeCheckpointHook) for one in build_runner(cfg).hooks)


def test_a_damaged_note_of_the_run_is_named(training, monkeypatch):
    cfg = training()
    kill_after(cfg, 4, monkeypatch)
    note = Path(cfg.work_dir) / 'run.json'
    assert json.loads(note.read_text())['config']
    note.write_text('{')
    with pytest.raises(RunError, match=r'run.json does not say which run.*Delete it'):
        run(cfg, resume=True)
