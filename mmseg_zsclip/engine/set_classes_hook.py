"""Tests a trained model on another vocabulary than the one it was trained with."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .hooks import bare_model


@HOOKS.register_module()
class SetClassesHook(Hook):
    """Gives the model another vocabulary before testing, once its checkpoint is loaded; nothing is
    rebuilt (cross-data evaluation, ZegCLIP's table 7). Training and validation keep their own.

    Args:
        classes, unseen: see the segmentor's `set_classes`. Its text tower's weights are needed.
        things: of a model of two stages, see its `set_classes`.

    Raises:
        ValueError: when testing begins, classes other than the test data's.
        TypeError: a model whose vocabulary is fixed.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str] = 'none',
        things: str | Sequence[str] | None = None,
    ) -> None:
        self.classes = classes
        self.unseen = unseen
        self.options = {} if things is None else dict(things=things)

    def before_test(self, runner: Runner) -> None:
        model = bare_model(runner)
        if not hasattr(model, 'set_classes'):
            raise TypeError(
                f'{type(model).__name__} has a fixed vocabulary; use '
                "model.type='mmseg_zsclip.OneStageSegmentor'."
            )
        model.set_classes(self.classes, self.unseen, **self.options)
        asked = len(runner.test_dataloader.dataset.metainfo['classes'])
        if model.num_classes != asked:
            raise ValueError(
                f'SetClassesHook: classes={self.classes!r} are {model.num_classes} classes, the '
                f'test data has {asked}. Name the list of the test data.'
            )
