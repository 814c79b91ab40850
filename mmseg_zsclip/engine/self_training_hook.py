"""When a self-trained segmentor changes from one source of pseudo-labels to the next."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .hooks import bare_model


@HOOKS.register_module()
class SelfTrainingHook(Hook):
    """Switches the `phase` of `SelfTrainedSegmentor` or `SelfTrainedMAFT` from `before` to `after`
    at an iteration.

    The phase follows from the iteration alone, so that a resumed run is in the right one. The
    checkpoint says where the switch is, and a resumed run keeps it there even when its length, of
    which `switch` may be a fraction, has changed.

    Args:
        switch: an iteration (int), or a fraction of all iterations (float, 0 to 1). MaskCLIP+ uses
            0.1 (section 4), ZegCLIP's transductive setting 0.5.
        before, after: phases, see the model's class.

    Raises:
        ValueError: a switch below 0, a fraction above 1, or a switch behind the last iteration.
        TypeError: a model without phases.
    """

    KEY = 'self_training'

    def __init__(self, switch: float = 0.1, before: str = 'guided', after: str = 'self') -> None:
        if switch < 0 or (isinstance(switch, float) and switch > 1):
            raise ValueError(
                f'switch is {switch}; legal values: an iteration (an int from 0), or a '
                'fraction of all iterations (a float from 0.0 to 1.0).'
            )
        self.switch = switch
        self.before = before
        self.after = after
        self.at = None

    def before_train(self, runner: Runner) -> None:
        if self.at is None:
            share = isinstance(self.switch, float)
            self.at = round(self.switch * runner.max_iters) if share else self.switch
        if self.at > runner.max_iters:
            raise ValueError(
                f'switch is {self.at}, but training ends at {runner.max_iters} '
                'iterations, so nothing would switch. Use an earlier one, or a '
                'fraction.'
            )
        model = bare_model(runner)
        if not hasattr(model, 'phase'):
            raise TypeError(
                f'{type(model).__name__} has no phases; use '
                "model.type='mmseg_zsclip.SelfTrainedSegmentor' or 'mmseg_zsclip.SelfTrainedMAFT'."
            )
        runner.logger.info(
            f'pseudo-labels: {self.before} before iteration {self.at}, then {self.after}'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        phase = self.before if runner.iter < self.at else self.after
        model = bare_model(runner)
        if model.phase != phase:
            runner.logger.info(
                f'iteration {runner.iter}: pseudo-labels are now {phase!r}, were {model.phase!r}'
            )
            model.phase = phase

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint[self.KEY] = dict(switch=self.at, phase=bare_model(runner).phase)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume and self.KEY in checkpoint:
            self.at = checkpoint[self.KEY]['switch']
