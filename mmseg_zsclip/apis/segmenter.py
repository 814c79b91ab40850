"""Photos and words in, label maps out: one call."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from numbers import Real
from pathlib import Path

import cv2
import numpy as np
import torch
from mmseg.structures import SegDataSample
from PIL import Image

from ..datasets.photo_pixels import photo_pixels
from ..engine.hooks import vocabulary_of
from ..models.segments import TASKS
from ..models.two_stage import TwoStageSegmentor
from ..models.vocabulary import OpenVocabulary
from ..toy import dataset as _toy  # noqa: F401  reads photos of the toy world, toy://...
from ..vocabulary.class_names import canonical
from ..vocabulary.labels import ignore_index
from ..vocabulary.lists import BACKGROUND
from ..vocabulary.thing_names import folded_names, load_things, thing_classes
from .building import built, in_scope, photo_pipeline
from .configs import what_is_missing
from .launch import load_config, set_weights
from .model_list import named_model
from .predictions import predict
from .segmentation import Segmentation, answer
from .words import Classes, Prompts, prompts_of, read_names

Photo = str | Path | np.ndarray | Image.Image
LONGEST = 16  # times its width, of a photo as the model sees it
LEAST = 32  # pixels of a side, of photos that the pipeline does not resize: a patch of any tower


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Lists of so many items, the last perhaps of fewer."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


class ZeroShotSegmenter:
    """Segments photos into classes that are named in the call.

        seg = ZeroShotSegmenter('toy')
        out = seg('photo.jpg', ['tree', 'sky, clouds', 'road'])
        out.labels, out.classes, out.overlay().save('overlay.png')

    Words are an argument of the call: nothing of the model changes, so that several threads can
    call one segmenter with several lists at once. The text embeddings of the last `cached` lists
    are kept. A photo is prepared as the config's test pipeline prepares it, and its labels are
    those of `zsclip test`.

    Args:
        model: a name of `zsclip models`, or a config: a path or the name of a shipped one.
        weights: the checkpoint of a model that is trained; of one that is not, CLIP's weights.
        device: CUDA where there is one, else the CPU, if left out.
        clip_weights: of every tower, in the place of the config's: a published tag,
            `hf-hub:org/name`, or a path.
        options: overrides of config entries, `{'model.test_cfg.mode': 'whole'}`.
        amp: mixed precision; on CUDA, and nowhere else, if left out.
        short_side: of photos as the model sees them, in pixels, in the place of the config's size:
            more shows smaller things. A model with windows needs no more memory for it.
        batch_size: photos a forward pass, of those that come out of the pipeline with one size.
        cached: lists of words whose embeddings are kept, at least 1.

    Raises:
        FileNotFoundError: no such model, with the nearest; no such file.
        ValueError: a model that is trained, without a checkpoint, with the command that makes it;
            weights of another architecture; a model of a fixed list of classes.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        clip_weights: str | None = None,
        options: dict | None = None,
        amp: bool | None = None,
        short_side: int | None = None,
        batch_size: int = 4,
        cached: int = 16,
    ) -> None:
        for name, value in (('batch_size', batch_size), ('cached', cached)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name} is {value!r}; legal values: a whole number from 1 on.')
        self.named = named_model(model)
        cfg = load_config(self.named.config, options=options)
        checkpoint = None if weights is None else str(weights)
        if cfg.get('optim_wrapper') is None and checkpoint:  # nothing is trained
            clip_weights, checkpoint = clip_weights or checkpoint, None
        if clip_weights is not None:
            set_weights(cfg, clip_weights)
        with what_is_missing(cfg), in_scope():
            self.model = built(cfg, checkpoint, str(model), self.named.checkpoint)
            self.pipeline = photo_pipeline(cfg, short_side)
        self.batch_size, self.cached, self.amp = batch_size, cached, amp
        self._views: OrderedDict[tuple, OpenVocabulary] = OrderedDict()
        self._lock = threading.Lock()
        self.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'))

    def to(self, device: str | torch.device) -> 'ZeroShotSegmenter':
        """Moves the model, which calls in other threads must not use meanwhile."""
        self.model.to(device)
        self._views.clear()
        return self

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the model can give, of 'semantic', 'instance' and 'panoptic'."""
        return TASKS if isinstance(self.model, TwoStageSegmentor) else TASKS[:1]

    def __call__(
        self,
        photos: Photo | Sequence[Photo],
        classes: Classes | None = None,
        background: bool | str | Sequence[str] | None = None,
        threshold: float = 0.0,
        tasks: Sequence[str] = ('semantic',),
        things: str | Sequence[str] | None = None,
    ) -> Segmentation | list[Segmentation]:
        """Segments a photo, or a list of them.

        Args:
            photos: a path, an RGB array (H, W, 3) uint8, a Pillow image, or a list of them; see
                `photo_pixels`.
            classes: names in a list, or in one string with ';' between them, synonyms by comma; a
                dict gives each class the texts of which the best counts; see `read_classes`. If
                left out, those of the config.
            background: True for a class 'background' of everything else, by the model's own words
                for it; or the words; False for none. If left out, only a single class gets one.
            threshold: pixels whose class has a smaller probability are ignored.
            tasks: 'instance' and 'panoptic' too, where `self.tasks` has them.
            things: classes of which each thing is a segment of its own, named as `classes` are; if
                left out as the config says, all if it says none.

        Raises:
            ValueError, TypeError: wrong classes (none, duplicate, longer than 77 tokens), photos
                (see `photo_pixels`), threshold, tasks or things.
            FileNotFoundError: no such photo.
        """
        single = not isinstance(photos, list | tuple)
        given = [photos] if single else photos
        if not given:
            raise ValueError('the list of photos is empty. Give at least one.')
        out = list(self.stream(given, classes, background, threshold, tasks, things))
        return out[0] if single else out

    def stream(
        self,
        photos: Iterable[Photo],
        classes: Classes | None = None,
        background: bool | str | Sequence[str] | None = None,
        threshold: float = 0.0,
        tasks: Sequence[str] = ('semantic',),
        things: str | Sequence[str] | None = None,
    ) -> Iterator[Segmentation]:
        """As a call, of any number of photos: no more than a batch of them is in memory."""
        self.check_call(threshold, tasks)
        prompts = self.prompts(classes, background)
        view = self.view(prompts, things)
        for batch in batches(photos, self.batch_size):
            yield from self.segmented(batch, view, prompts, threshold, tuple(tasks))

    def check_call(self, threshold: float, tasks: Sequence[str]) -> None:
        """Raises: see `__call__`."""
        if not (isinstance(threshold, Real) and 0 <= threshold <= 1):
            raise ValueError(f'threshold is {threshold!r}; legal values: a probability, 0 to 1.')
        named = isinstance(tasks, list | tuple | set) and all(one in self.tasks for one in tasks)
        if not (tasks and named):
            raise ValueError(
                f'tasks is {tasks!r}; this model ({type(self.model).__name__}) gives '
                f'{", ".join(self.tasks)}. `zsclip models` lists what others give.'
            )

    @property
    def own_classes(self) -> list[str]:
        """The classes of the config, synonyms by comma."""
        return list(vocabulary_of(self.model).classes)

    def prompts(
        self,
        classes: Classes | None = None,
        background: bool | str | Sequence[str] | None = None,
    ) -> Prompts:
        """The texts of a call; see `__call__`."""
        classes = self.own_classes if classes is None else classes
        return prompts_of(classes, background, self.named.background)

    def view(self, prompts: Prompts, things: str | Sequence[str] | None = None) -> OpenVocabulary:
        """The model with other words, which shares its weights; of the last lists it is kept."""
        things = None if things is None else tuple(read_names(things))
        key = prompts.texts, prompts.owner, things
        with self._lock:
            if key not in self._views:
                self._views[key] = self.new_view(prompts, things)
                while len(self._views) > self.cached:
                    self._views.popitem(last=False)
            self._views.move_to_end(key)
            return self._views[key]

    def new_view(self, prompts: Prompts, things: Sequence[str] | None) -> OpenVocabulary:
        """Classes that the model was not trained on are its unseen ones.

        Raises:
            ValueError: other classes than those of a model that cannot change them.
        """
        if not (hasattr(self.model, 'generator') or hasattr(self.model.decode_head, 'set_classes')):
            own = self.own_classes
            if list(prompts.texts) != own:
                raise ValueError(
                    f'this model knows the {len(own)} classes of its training and no others: '
                    f'{", ".join(map(canonical, own[:5]))}, ... Leave `classes` out for them, or '
                    'use a model of an open vocabulary (`zsclip models`).'
                )
            return self.model
        options = {}
        if isinstance(self.model, TwoStageSegmentor):
            options = dict(things=self.thing_names(prompts, things))
        words = self.model.vocabulary
        known = folded_names([words.classes[i] for i in words.seen])
        unseen = [canonical(text) for text in prompts.texts if not known & folded_names([text])]
        if len(unseen) == len(prompts.texts):  # nothing to set them apart from
            unseen = None
        return self.model.with_classes(list(prompts.texts), unseen, **options)

    def thing_names(self, prompts: Prompts, things: Sequence[str] | None) -> list[str]:
        """First names of the texts of things: of those that were named, else of the config's, else
        of all but the background."""
        names = self.model.thing_names if things is None else load_things(things, prompts.names)
        of = prompts.texts if things is None else [prompts.names[i] for i in prompts.owner]
        found = set(thing_classes(names, of))
        if things is None and BACKGROUND in prompts.names:
            background = prompts.names.index(BACKGROUND)
            found -= {i for i, owner in enumerate(prompts.owner) if owner == background}
        return [canonical(text) for i, text in enumerate(prompts.texts) if i in found]

    def segmented(
        self,
        photos: Sequence[Photo],
        view: OpenVocabulary,
        prompts: Prompts,
        threshold: float,
        tasks: tuple[str, ...],
    ) -> list[Segmentation]:
        """The photos of a batch; those that the model gets with one size go through it together."""
        pixels = [photo_pixels(photo) for photo in photos]
        ready = [self.prepared(one) for one in pixels]
        groups: dict[torch.Size, list[int]] = {}
        for i, (image, _) in enumerate(ready):
            groups.setdefault(image.shape, []).append(i)
        ignored = ignore_index(max(len(prompts.names), 2))
        owner = torch.tensor(prompts.owner)
        found = {}
        for rows in groups.values():
            data = dict(
                inputs=[ready[i][0] for i in rows], data_samples=[ready[i][1] for i in rows]
            )
            with torch.inference_mode(), self.precision():
                data = view.data_preprocessor(data, False)
                some = predict(view, data, tasks, owner, len(prompts.names), ignored, threshold)
            found.update(zip(rows, some, strict=True))
        return [
            answer(found[i], photo, pixels[i], prompts, ignored) for i, photo in enumerate(photos)
        ]

    def prepared(self, pixels: np.ndarray) -> tuple[torch.Tensor, SegDataSample]:
        """A photo (H, W, 3), BGR -> (3, h, w) as the test pipeline makes it, and its sample. One
        that is longer than `LONGEST` times its width, or smaller than a patch, is shown larger than
        it is."""
        shape = pixels.shape[:2]
        resizes = any('Resize' in type(step).__name__ for step in self.pipeline.transforms)
        least = max(max(shape) // LONGEST, 1 if resizes else LEAST)
        if min(shape) < least:  # or a Resize that keeps the aspect would leave no pixel
            size = max(shape[1], least), max(shape[0], least)
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        packed = self.pipeline(
            dict(
                img=pixels,
                img_shape=pixels.shape[:2],
                ori_shape=shape,
                img_path=None,
                seg_fields=[],
            )
        )
        return packed['inputs'], packed['data_samples']

    def precision(self) -> AbstractContextManager:
        """Autocast where mixed precision is on; older torch has none for every device."""
        device = self.device.type
        if not (device == 'cuda' if self.amp is None else self.amp):
            return nullcontext()
        return torch.autocast(device, torch.bfloat16 if device == 'cpu' else torch.float16)
