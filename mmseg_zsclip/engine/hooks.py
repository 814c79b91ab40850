"""Hooks that turn silent failures into errors."""
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ..datasets.vocabulary import canonical
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


def folded(name: str) -> str:
    """A class name without what spelling varies: case, spaces, hyphens, underscores."""
    return ''.join(c for c in name.lower() if c not in ' -_')


def check_names(model: Sequence[str], data: Sequence[str], where: str) -> None:
    """That the classes of a model, synonyms by comma, are those of a data set in the same order.

    Raises:
        ValueError: they are not; the first difference is named.
    """
    for i in range(max(len(model), len(data))):
        ours = model[i] if i < len(model) else 'no class'
        theirs = data[i] if i < len(data) else 'no class'
        names = {folded(name.strip()) for name in ours.split(',')}
        if min(len(model), len(data)) <= i or folded(canonical(theirs)) not in names:
            raise ValueError(
                f'the classes of the model and of the {where} data differ first at {i}: '
                f'{canonical(ours)!r} in the model ({len(model)} classes), {canonical(theirs)!r} in '
                f'the data ({len(data)} classes). Give both the same list in the same order; '
                f"another name for one class is a synonym: 'name, other name'.")


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Model and data must name the same classes in the same order, in training, validation and
    test: another order scores as if nothing were right. A head without names is passed over.

    Raises:
        ValueError: when a loop begins; names the first difference.
    """

    priority = 'LOWEST'  # after SetClassesHook has changed the vocabulary of a test

    def check(self, runner: Runner, loop, where: str) -> None:
        head = getattr(bare_model(runner), 'decode_head', None)
        ours = getattr(head, 'classes', None)
        if ours is None and hasattr(head, 'class_embeddings'):
            ours = head.class_embeddings.classes
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        theirs = getattr(dataset, 'metainfo', {}).get('classes')
        if ours is not None and theirs is not None:
            check_names(ours, theirs, where)

    def before_train(self, runner: Runner) -> None:
        self.check(runner, runner.train_loop, 'training')
        self.check(runner, runner.val_loop, 'validation')

    def before_val(self, runner: Runner) -> None:
        self.check(runner, runner.val_loop, 'validation')

    def before_test(self, runner: Runner) -> None:
        self.check(runner, runner.test_loop, 'test')
