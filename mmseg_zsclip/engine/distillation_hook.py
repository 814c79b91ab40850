"""The rounds of progressive distillation, as stages of one run."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .hooks import bare_model


@HOOKS.register_module()
class DistillationHook(Hook):
    """The student becomes the teacher when a round begins (MasQCLIP, Algorithm 1).

    The first round begins with the run, with whatever the student begins with. The teacher is saved
    with every checkpoint, so that a run that goes on in the middle of a round has the same one.

    Args:
        rounds: of equal length; 2 in the paper.
        fresh_optimizer: each round begins with an optimizer that remembers nothing, as in the
            release, where a round is a launch of its own.

    Raises:
        ValueError: no round, or less than an iteration a round.
        TypeError: a model without a teacher of its own.
    """

    KEY = 'distillation'

    def __init__(self, rounds: int = 2, fresh_optimizer: bool = False) -> None:
        if rounds < 1:
            raise ValueError(f'rounds is {rounds}; legal values: at least 1, 2 in the paper.')
        self.rounds = rounds
        self.fresh_optimizer = fresh_optimizer
        self.round = -1  # that which the teacher is of

    def before_train(self, runner: Runner) -> None:
        if self.rounds > runner.max_iters:
            raise ValueError(
                f'rounds is {self.rounds}, but training has {runner.max_iters} iterations. Train '
                'longer, or use fewer.'
            )
        model = bare_model(runner)
        if not hasattr(model, 'promote'):
            raise TypeError(
                f'{type(model).__name__} has no teacher to renew; use '
                "model.type='mmseg_zsclip.ProgressiveDistillation'."
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        now = runner.iter * self.rounds // runner.max_iters
        if now > self.round:
            bare_model(runner).promote()
            self.round = now
            if self.fresh_optimizer:
                runner.optim_wrapper.optimizer.state.clear()
            runner.logger.info(
                f'iteration {runner.iter}: round {now + 1} of {self.rounds}, the student is the '
                'teacher'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        teacher = bare_model(runner).teacher.state_dict()
        checkpoint[self.KEY] = dict(round=self.round, teacher=teacher)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume and self.KEY in checkpoint:
            bare_model(runner).teacher.load_state_dict(checkpoint[self.KEY]['teacher'])
            self.round = checkpoint[self.KEY]['round']
