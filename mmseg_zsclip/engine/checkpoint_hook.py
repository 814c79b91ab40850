"""Checkpoints that are whole or absent, of which one is always left, and from which a run goes on
as if it had never stopped."""

import os
from collections import deque
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmengine.runner.loops import BaseLoop

from ..files import whole_file
from ..registry import HOOKS
from .hooks import bare_model
from .random_states import ReplayedBatches, random_states, set_random_states
from .resuming import LAST, check_run, checkpoint_place, find_resumable
from .run_identity import RunError, few, new_run, run_config, write_run
from .schedules import Schedules


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """MMEngine's, whose arguments it takes, with files that are written whole or not at all: the
    new one first, then the oldest is removed. `last_checkpoint` holds a name, not a path.

    A checkpoint also holds the states of the random generators of every process and the run's
    config, as plain data. A run that goes on takes the newest checkpoint of its own that loads (see
    `find_resumable`), puts the generators back and keeps the config's schedules, its length
    included. Weights that are not finite are not saved. In another place than a local disk files
    are MMEngine's own.

    Args:
        interval: iterations (or epochs, `by_epoch`) between two checkpoints; a fraction is that
            part of the training: 0.1 saves ten times.
        save_best: also `hIoU` and this package's other metrics, which need no `rule`.

    Raises:
        ValueError: an interval that is neither.
        RunError: see `find_resumable` and `check_run`; weights that are not finite.
        WriteError: see `whole_file`.
    """

    _default_greater_keys = (*CheckpointHook._default_greater_keys, 'hIoU', 'PQ', 'AP50')

    def __init__(self, interval: float = -1, **kwargs) -> None:
        share = isinstance(interval, float)
        if not (0 < interval <= 1 if share else isinstance(interval, int)):
            raise ValueError(
                f'interval of the checkpoints is {interval!r}; legal values: an int, or '
                'a fraction of the training (a float above 0.0, at most 1.0).'
            )
        self.share = interval if share else None
        super().__init__(-1 if share else interval, **kwargs)
        self.run = self.states = self.schedules = self.saved = self.bytes = None
        self.validating = self.gathered = None
        self.local = True

    def before_run(self, runner: Runner) -> None:
        """Chooses the checkpoint, where the runner was asked to go on and not from which."""
        training = isinstance(runner._train_loop, BaseLoop)
        place = checkpoint_place(runner.cfg)
        if training and runner._resume and runner._load_from is None and place is not None:
            found = find_resumable(*place, run_config(runner.cfg))
            runner._resume = found is not None
            runner._load_from = found and str(found[0])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if not runner._resume or not isinstance(checkpoint.get('meta'), dict):
            return
        checkpoint['meta'].pop('config', None)  # MMEngine would execute it
        self.run = checkpoint['meta'].get('run')
        check_run(runner._load_from, self.run, run_config(runner.cfg))
        self.states = checkpoint.get('random_states')
        self.saved = checkpoint.get('param_schedulers')
        self.schedules = Schedules(runner)

    def before_train(self, runner: Runner) -> None:
        self._follow_moved_folder(runner)
        super().before_train(runner)
        self.local = isinstance(self.file_backend, LocalBackend)
        if self.share is not None:
            total = runner.max_epochs if self.by_epoch else runner.max_iters
            self.interval = max(int(self.share * total + 1e-6), 1)
        if self.run is None:
            self.run = new_run(run_config(runner.cfg))
        if is_main_process() and self.local:
            write_run(Path(self.out_dir), self.run)
        if runner.iter or runner.epoch:
            self._go_on(runner)

    def _follow_moved_folder(self, runner: Runner) -> None:
        # or a copied run would remove the best checkpoint of the one that it was copied from
        place = checkpoint_place(runner.cfg)
        for key, value in list(runner.message_hub.runtime_info.items()):
            if place and value and (key == 'last_ckpt' or key.startswith('best_ckpt')):
                runner.message_hub.update_info(
                    key, str(place[0] / os.path.basename(str(value).replace('\\', '/')))
                )

    def _go_on(self, runner: Runner) -> None:
        if self.saved is not None and self.schedules.differ(self.saved):
            self.schedules.replay(runner)
            runner.logger.info("schedules are the config's, not the checkpoint's")
        loop = runner.train_loop
        over = runner.iter >= runner.max_iters
        if over:
            runner.logger.warning(
                f'finished at iteration {runner.iter} of {runner.max_iters}; nothing to do. Test '
                'it, or go on with a larger train_cfg.max_iters.'
            )
        if hasattr(loop, 'dataloader_iterator'):
            loop.dataloader_iterator = ReplayedBatches(
                loop.dataloader_iterator, runner.iter, lambda: self._restore(runner), over
            )

    def before_train_epoch(self, runner: Runner) -> None:
        if not hasattr(runner.train_loop, 'dataloader_iterator'):
            self._restore(runner)

    def _restore(self, runner: Runner) -> None:
        states, self.states = self.states, None
        if states is None:
            return
        if len(states) != get_world_size():
            runner.logger.warning(
                f'{get_world_size()} processes go on where {len(states)} were: random numbers are '
                'others than without the stop'
            )
            return
        set_random_states(states[get_rank()])

    def before_val(self, runner: Runner) -> None:
        self.validating = random_states()

    def after_val(self, runner: Runner) -> None:
        # Validation draws numbers, and a run that goes on behind it does not validate again.
        set_random_states(self.validating)
        self.validating = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        weights = checkpoint['state_dict']
        broken = [
            name
            for name, _ in bare_model(runner).named_parameters()
            if name in weights and not torch.isfinite(weights[name]).all()
        ]
        if broken:
            raise RunError(
                f'iteration {checkpoint["meta"]["iter"]}: not saved, because weights are not '
                f'finite: {few(broken)}. Go on with --resume from the checkpoint before, at a '
                'lower learning rate.'
            )
        checkpoint['meta']['run'] = self.run
        checkpoint['random_states'] = self.gathered
        self.bytes = _bytes(checkpoint)

    def save_now(self, runner: Runner, done: int) -> Path | None:
        """Saves after `done` whole iterations, if that was not done, and returns the file. None
        where checkpoints are counted in epochs, of which half a one cannot go on."""
        if self.by_epoch:
            return None
        name = self.filename_tmpl.format(done)
        if self.last_ckpt is None or os.path.basename(str(self.last_ckpt)) != name:
            self._save_checkpoint_with_step(runner, done, dict(epoch=runner.epoch, iter=done))
        return Path(self.last_ckpt)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self.gathered = all_gather_object(self.validating or random_states())
        if not self.local:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        outdated = []
        if self.max_keep_ckpts > 0:
            steps = [one for one in self.keep_ckpt_ids if one != step] + [step]
            outdated = steps[: -self.max_keep_ckpts]
            self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :], self.max_keep_ckpts)
            # With those that are to go: should this process end before,
            # the resumed one removes them.
            runner.message_hub.update_info('keep_ckpt_ids', steps)
        name = self.filename_tmpl.format(step)
        path = Path(self.out_dir) / name
        runner.message_hub.update_info('last_ckpt', str(path))
        self.write(
            runner,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            **self.args,
        )
        self.last_ckpt = str(path)
        if is_main_process():
            with whole_file(Path(runner.work_dir) / LAST) as partial:
                partial.write_text(os.path.relpath(path, runner.work_dir))
            for one in outdated:
                (Path(self.out_dir) / self.filename_tmpl.format(one)).unlink(missing_ok=True)

    def write(self, runner: Runner, name: str, **how) -> None:
        """Writes the runner's state to `name` in the folder of checkpoints."""
        if hasattr(runner, 'gather'):
            runner.gather()  # of `ShardedRunner`
        if not is_main_process():
            return
        with whole_file(Path(self.out_dir) / name, lambda: self.bytes) as partial:
            runner.save_checkpoint(self.out_dir, partial.name, **how)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        self.gathered = all_gather_object(self.validating or random_states())
        if not self.local or not self.save_best:
            super()._save_best_checkpoint(runner, metrics)
            return
        self.file_backend, backend = _LateRemoval(self.file_backend), self.file_backend
        try:
            super()._save_best_checkpoint(_WholeSaver(self, runner), metrics)
            removed = self.file_backend.removed
        finally:
            self.file_backend = backend
        kept = {
            str(value)
            for key, value in runner.message_hub.runtime_info.items()
            if key.startswith('best_ckpt')
        }
        for path in removed:
            if str(path) not in kept:
                backend.remove(path)


class _LateRemoval:
    """A file backend that only notes what is to be removed: the new file comes first."""

    def __init__(self, backend) -> None:
        self.backend, self.removed = backend, []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)


class _WholeSaver:
    """A runner whose checkpoints are written whole."""

    def __init__(self, hook: WholeCheckpointHook, runner: Runner) -> None:
        self.hook, self.runner = hook, runner

    def __getattr__(self, name: str):
        return getattr(self.runner, name)

    def save_checkpoint(self, out_dir: str, filename: str, **how) -> None:
        if filename.endswith('.partial'):  # from `write` itself
            self.runner.save_checkpoint(out_dir, filename, **how)
        else:
            self.hook.write(self.runner, filename, **how)


def _bytes(content) -> int:
    """Of all tensors."""
    if isinstance(content, torch.Tensor):
        return content.numel() * content.element_size()
    if isinstance(content, dict):
        return sum(map(_bytes, content.values()))
    return sum(map(_bytes, content)) if isinstance(content, list | tuple) else 0
