"""Hooks that turn silent failures into errors."""
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ..registry import HOOKS


def bare_model(runner: Runner) -> nn.Module:
    """The runner's model without its wrappers: DDP's, and that of test-time augmentation."""
    model = runner.model
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """A checkpoint must fill the whole model: mmengine only warns and leaves the rest random.

    Raises:
        ValueError: after loading, when a tensor of the model is missing from the checkpoint or has
            another shape there; lists them.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        saved = checkpoint.get('state_dict', checkpoint)
        saved = {key.removeprefix('module.'): value for key, value in saved.items()}
        model = bare_model(runner).state_dict()
        missing = sorted(set(model) - set(saved))
        shapes = [f'{key}: checkpoint {tuple(saved[key].shape)}, model {tuple(model[key].shape)}'
                  for key in sorted(set(model) & set(saved)) if saved[key].shape != model[key].shape]
        if missing or shapes:
            unexpected = sorted(set(saved) - set(model))
            raise ValueError(
                f'the checkpoint does not fit the model. Missing ({len(missing)}): '
                f'{_few(missing)}. Other shape ({len(shapes)}): {_few(shapes)}. Unexpected '
                f'({len(unexpected)}): {_few(unexpected)}. Use the config it was trained with; '
                'released files go through tools/model_converters first.')


def _few(items: list[str], limit: int = 8) -> str:
    more = f', and {len(items) - limit} more' if len(items) > limit else ''
    return ', '.join(items[:limit]) + more if items else 'none'
