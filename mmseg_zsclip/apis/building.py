"""A config as a model that is ready to predict, and its test pipeline for one photo."""

import copy
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from ..checkpoints import read_checkpoint
from ..datasets.pipelines import config_pipelines
from ..engine.hooks import StrictLoadHook, check_fit, vocabularies
from ..engine.logs import quieten
from ..models.vocabulary import OpenVocabulary
from ..registry import MODELS

BUILDING = threading.RLock()
WIDEST = 4  # times the short side that one may give; longer photos are scaled down to it


def built(cfg: Config, checkpoint: str | None, name: str, made: str | None) -> OpenVocabulary:
    """The model in evaluation mode, on the CPU. Text embeddings of the config's own classes are not
    computed.

    Args:
        name: what the user calls the model, for errors.
        made: how its checkpoint is made, if that is known.

    Raises:
        ValueError: a model that is trained, without a checkpoint; a checkpoint of another model; a
            model whose classes cannot be changed.
    """
    cfg.model.train_cfg = None
    model = MODELS.build(cfg.model)
    if not hasattr(model, 'with_classes'):
        raise ValueError(
            f'{name} is a {type(model).__name__}, whose classes are those of its training. Use a '
            "model of ours: model.type='mmseg_zsclip.OneStageSegmentor', with a head that takes "
            'text.'
        )
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
        saved = (content.get('meta') or {}).get('dataset_meta') or {}
        StrictLoadHook.check_classes(model, saved.get('classes'))
        model.load_state_dict(check_fit(model, content), strict=False)
    else:
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        if trained:
            made = made or f'zsclip train {name}'
            raise ValueError(
                f'{name} needs a checkpoint: {trained:,} of its parameters come from training. '
                f'Make one ({made}), and give it: --weights FILE, in Python '
                f"ZeroShotSegmenter({name!r}, weights='FILE')."
            )
        for part in vocabularies(model).values():
            part.handed_in = True  # or the texts of a hundred names were embedded, and never used
        model.init_weights()
    model.requires_grad_(False)
    return model.eval()


def photo_pipeline(cfg: Config, short_side: int | None = None) -> Compose:
    """The steps of the config's test behind the loader of photos.

    Args:
        short_side: of what comes out, in pixels, in the place of the config's size.

    Raises:
        ValueError: the config has no test; a `short_side` below 1, or no Resize for it.
    """
    found = next(config_pipelines((cfg.get('test_dataloader') or {}).get('dataset')), None)
    if found is None:
        raise ValueError(
            f'{cfg.filename} has no test_dataloader, whose pipeline says how photos are prepared.'
        )
    steps = [dict(step) for step in found]
    if short_side is not None:
        sizes = [step for step in steps if str(step['type']).split('.')[-1] == 'Resize']
        if short_side < 1 or len(sizes) != 1:
            raise ValueError(
                f'short_side is {short_side!r}, and the test pipeline has {len(sizes)} Resize; '
                'legal: 1 pixel or more, and exactly one Resize, whose place it takes.'
            )
        sizes[0].update(scale=(WIDEST * short_side, short_side), keep_ratio=True)
    steps = Compose(steps).transforms
    return Compose([step for step in steps if not isinstance(step, LoadImageFromFile)])


def untrained(cfg: Config) -> OpenVocabulary:
    """The model as its training begins, but for `init_weights`; the stage before is not read."""
    model = copy.deepcopy(cfg.model)
    model.get('generator', {}).pop('checkpoint', None)
    with in_scope():
        return MODELS.build(model)


def try_to_build(cfg: Config) -> None:
    """Raises what is wrong with the model of `cfg`, which is `untrained`, or with its optimizer."""
    model = untrained(cfg)
    if cfg.get('optim_wrapper') is not None:
        with in_scope():
            build_optim_wrapper(model, cfg.optim_wrapper)


@contextmanager
def in_scope(name: str = 'mmseg') -> Iterator[None]:
    """MMEngine's default scope, and its logger quiet, while a model is built. Both are those of the
    whole process, so that of several threads one builds at a time."""
    with BUILDING, DefaultScope.overwrite_default_scope(name), quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what MMEngine says of each parameter that was initialised; warnings pass."""

    def warns(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    logger = MMLogger.get_current_instance()
    quieten(logger)
    logger.addFilter(warns)
    try:
        yield
    finally:
        logger.removeFilter(warns)
