"""Hooks that turn silent failures into errors."""

from collections.abc import Collection, Sequence

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ..registry import HOOKS
from ..vocabulary.class_names import canonical, folded, split_names
from .run_identity import few


def bare_model(runner: Runner) -> nn.Module:
    """The runner's model without its wrappers: DDP's, and that of test-time augmentation."""
    model = runner.model
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def vocabularies(model: nn.Module) -> dict[str, nn.Module]:
    """The `Vocabulary` modules of a model, by the place of each: known by what hooks ask of them,
    as an engine turns without models."""
    return {name: part for name, part in model.named_modules() if hasattr(part, 'check_source')}


def vocabulary_of(model: nn.Module) -> nn.Module | None:
    """The `Vocabulary` that a model answers with, in other people's segmentors that of a head of
    ours; None where there is none."""
    own = getattr(model, 'vocabulary', None)
    return next(iter(vocabularies(model).values()), None) if own is None else own


def check_fit(module: nn.Module, checkpoint: dict, left_out: Collection[str] = ()) -> dict:
    """That a checkpoint has every tensor of a model, but those `left_out`, in its shape. Gives its
    tensors by the model's names.

    Raises:
        ValueError: it has not; what is missing or has another shape is listed.
    """
    saved = checkpoint.get('state_dict', checkpoint)
    saved = {key.removeprefix('module.'): value for key, value in saved.items()}
    model = {key: value for key, value in module.state_dict().items() if key not in left_out}
    missing = sorted(set(model) - set(saved))
    shapes = [
        f'{key}: checkpoint {tuple(saved[key].shape)}, model {tuple(model[key].shape)}'
        for key in sorted(set(model) & set(saved))
        if saved[key].shape != model[key].shape
    ]
    if missing or shapes:
        unexpected = sorted(set(saved) - set(model))
        raise ValueError(
            f'the checkpoint does not fit the model. Missing ({len(missing)}): '
            f'{few(missing, 8)}. Other shape ({len(shapes)}): {few(shapes, 8)}. Unexpected '
            f'({len(unexpected)}): {few(unexpected, 8)}. Use the config it was trained with; '
            'released files go through tools/model_converters first.'
        )
    return saved


@HOOKS.register_module()
class StrictLoadHook(Hook):
    """A checkpoint must fill the whole model, and be of its classes and its text: mmengine only
    warns and leaves the rest random, and text embeddings of other words have the same shape. What
    they were made from is saved with them, see `Vocabulary`; older checkpoints do not say.

    Args:
        new_classes: a checkpoint of other classes, templates or CLIP weights is taken all the same,
            its text embeddings left out and computed anew: fine-tuning on other words
            (`load_from`). A run that goes on keeps its own.

    Raises:
        ValueError: after loading, when a tensor of the model is missing from the checkpoint or has
            another shape there, which are listed; or when the classes that the checkpoint was
            trained on, or what its text embeddings were made from, are others: the first difference
            is named.
    """

    def __init__(self, new_classes: bool = False) -> None:
        self.new_classes = new_classes

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        module = bare_model(runner)
        self.check_text(runner, module, checkpoint)
        check_fit(module, checkpoint, self.left_out)

    def check_text(self, runner: Runner, model: nn.Module, checkpoint: dict) -> None:
        self.left_out = ()
        meta = checkpoint.get('meta') or {}
        state = checkpoint.get('state_dict', checkpoint)
        parts = vocabularies(model)
        try:
            self.check_classes(model, (meta.get('dataset_meta') or {}).get('classes'))
            for place, part in parts.items():
                saved = getattr(state, '_metadata', {}).get(place, {})
                part.check_source(saved.get('text') or {}, place)
        except ValueError:
            if not self.new_classes or getattr(runner, '_resume', False):
                raise
            self.left_out = {f'{name}.embeddings' for name in parts}
            for key in [key for key in state if key.removeprefix('module.') in self.left_out]:
                del state[key]
            for part in parts.values():
                if not part.computed:  # a test makes none of its own
                    part.init_weights()
            runner.logger.info(
                "the checkpoint's text embeddings are of other words or weights: the "
                "config's were computed"
            )

    @staticmethod
    def check_classes(model: nn.Module, theirs: Sequence[str] | None) -> None:
        ours = vocabulary_of(model)
        if ours is None or not theirs:
            return
        try:
            check_names(ours.classes, theirs, "checkpoint's training")
        except ValueError as error:
            raise ValueError(
                f'{error} To fine-tune on other words, give StrictLoadHook new_classes=True '
                '(--cfg-options custom_hooks.0.new_classes=True); to test on them, use '
                'SetClassesHook.'
            ) from None


def check_names(model: Sequence[str], data: Sequence[str], where: str) -> None:
    """That the classes of a model, synonyms by comma, are those of a data set in the same order.

    Raises:
        ValueError: they are not; the first difference is named.
    """
    for i in range(max(len(model), len(data))):
        ours = model[i] if i < len(model) else 'no class'
        theirs = data[i] if i < len(data) else 'no class'
        names = {folded(name) for name in split_names(ours)}
        if min(len(model), len(data)) <= i or folded(canonical(theirs)) not in names:
            raise ValueError(
                f'the classes of the model and of the {where} data differ first at {i}: '
                f'{canonical(ours)!r} in the model ({len(model)} classes), {canonical(theirs)!r} '
                f'in the data ({len(data)} classes). Give both the same list in the same order; '
                f"another name for one class is a synonym: 'name, other name'."
            )


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Model and data must name the same classes in the same order, in training, validation and
    test: another order scores as if nothing were right. A model without names is passed over.

    Raises:
        ValueError: when a loop begins; names the first difference.
    """

    priority = 'LOWEST'  # after SetClassesHook has changed the vocabulary of a test

    def check(self, runner: Runner, loop, where: str) -> None:
        ours = vocabulary_of(bare_model(runner))
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        theirs = getattr(dataset, 'metainfo', {}).get('classes')
        if ours is not None and theirs is not None:
            check_names(ours.classes, theirs, where)

    def before_train(self, runner: Runner) -> None:
        self.check(runner, runner.train_loop, 'training')
        self.check(runner, runner.val_loop, 'validation')

    def before_val(self, runner: Runner) -> None:
        self.check(runner, runner.val_loop, 'validation')

    def before_test(self, runner: Runner) -> None:
        self.check(runner, runner.test_loop, 'test')
