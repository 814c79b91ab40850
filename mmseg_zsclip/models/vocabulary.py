"""The vocabulary of a model: class names, which of them are unseen, and their text embeddings."""

from collections.abc import Mapping, Sequence
from copy import copy
from logging import FileHandler
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger, print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..clip.archs import resolve_arch
from ..clip.checkpoint import load_text
from ..clip.prompts import class_embeddings
from ..datasets.base import distinct_colours
from ..vocabulary.class_names import canonical, class_synonyms
from ..vocabulary.lists import BACKGROUND, load_classes, load_unseen, split_indices
from .text_source import check_text_source, text_source

Module = TypeVar('Module', bound=nn.Module)


def check_not_given(options: Mapping, *names: str) -> None:
    """That a head's config leaves out what follows from its words and its CLIP.

    Raises:
        ValueError: it is given, as other heads of mmseg want it.
    """
    for name in names:
        if name in options:
            raise ValueError(
                f'{name}={options[name]!r} is given, but this head takes it from `classes` and its '
                'CLIP. Leave it out.'
            )


def check_one_clip(image: int, text: int) -> None:
    """That features of the image tower and text embeddings have one width.

    Raises:
        ValueError: they are of two CLIPs.
    """
    if image != text:
        raise ValueError(
            f'features have {image} channels, text embeddings {text}: image and text '
            'tower must be of one CLIP. Give backbone and text the same arch and '
            'weights.'
        )


def text_rows(
    classes: Sequence[str], background: str | Sequence[str]
) -> tuple[list[str], int | None]:
    """Names to embed, and where those of the background begin (None where there are none).

    Raises:
        ValueError: no class is called 'background', or a background name is a class as well.
    """
    names, background = [canonical(name) for name in classes], load_classes(background)
    if BACKGROUND not in names:
        raise ValueError(
            f'background={background} needs a class to stand for, but no class '
            f"is called 'background'. Add it to the {len(names)} classes."
        )
    both = sorted(set(names) & {canonical(name) for name in background})
    if both:
        raise ValueError(
            f'{both} are classes and background names at once: no pixel could tell '
            'which. Take them out of background.'
        )
    start = names.index(BACKGROUND)
    return [*classes[:start], *background, *classes[start + 1 :]], start


class ClassList(NamedTuple):
    """Checked names: of the C classes with their synonyms, of the R texts to embed, label values of
    the seen and the unseen classes, and the first row of the background's names, if it has some."""

    classes: list[str]
    rows: list[str]
    seen: list[int]
    unseen: list[int]
    background_start: int | None


def _say_source(module: 'Vocabulary', state_dict: dict, prefix: str, metadata: dict) -> None:
    metadata['text'] = module.source


class Vocabulary(BaseModule):
    """The classes of a model and their text embeddings: names x templates, averaged, L2-normalised.

    The embeddings (R, d) are computed once by `init_weights` and saved with the model, so that a
    trained checkpoint needs no CLIP file; the text tower is not kept. R is the number C of classes,
    unless several names stand for the background. A state dict says in its metadata what they were
    made from; those of other names, templates or CLIP weights are refused, however they are loaded.

    Args:
        classes: a shipped list ('voc20'), a text file, or the names; synonyms by comma.
        arch: CLIP architecture, as the image tower's.
        weights: CLIP weights, as the image tower's; None leaves the text tower random.
        templates: name of a prompt set, or the templates themselves.
        unseen: names of the unseen classes, or a shipped split ('voc20').
        background: names, or a shipped list ('background26'), that together are the class called
            'background'. They outlast a change of the classes.
        synonyms: 'mean' of the embeddings of a class's names, 'joined' in one sentence, or 'max', a
            row for each, of which the best counts: embeddings are then (R, S, d). See
            `class_embeddings`.
        least: 2 where the best class wins: a single one would take every pixel.

    Raises:
        ValueError: unknown names, too few classes.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        arch: str,
        weights: str | None = None,
        templates: str | Sequence[str] = 'single',
        unseen: str | Sequence[str] | None = None,
        background: str | Sequence[str] | None = None,
        synonyms: str = 'mean',
        least: int = 1,
    ) -> None:
        super().__init__()
        self.arch = resolve_arch(arch, weights)  # as the image tower: the file is read once
        self.weights = weights
        self.templates = templates
        self.synonyms = synonyms
        self.least = least
        self.background = None
        self.computed = False
        self.handed_in = False
        names = self._checked(classes, unseen, background)
        self.register_buffer('embeddings', torch.zeros(self._shape(names.rows)))
        self.register_buffer('seen_row', None, persistent=False)
        self._take(names, background)
        self._register_state_dict_hook(_say_source)

    @property
    def source(self) -> dict:
        """See `text_source`. Of embeddings that were handed in, the names are all that is known."""
        if self.handed_in:
            return dict(classes=list(self.rows))
        return text_source(self.rows, self.templates, self.arch.name, self.weights, self.synonyms)

    @property
    def names(self) -> list[str]:
        """The first name of every class."""
        return list(map(canonical, self.classes))

    def init_weights(self) -> None:
        super().init_weights()
        if not self.handed_in:
            self.embeddings, self.computed = self._embedded(self.rows), True

    def set_classes(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str] | None = None,
        background: str | Sequence[str] | None = None,
        embeddings: Tensor | None = None,
    ) -> None:
        """Change the vocabulary; nothing is rebuilt.

        Args:
            classes, unseen, background: see the class. Without `background`, the names given before
                go on standing for a class called 'background', if there is one.
            embeddings: (R, d) text embeddings of the classes' names in their order, or (R, S, d)
                where the best of S synonyms counts; if left out they are computed, for which the
                CLIP weights are needed.

        Raises:
            ValueError: as the constructor; embeddings of another shape, not finite, or zero. The
                vocabulary is then as it was.
        """
        names = self._checked(classes, unseen, background)
        if embeddings is None:
            self.embeddings = self._embedded(names.rows)
        else:
            self.embeddings = self._normalised(embeddings, names.rows)
        self.computed, self.handed_in = True, embeddings is not None
        self._take(names, background)

    def set_embeddings(self, embeddings: Tensor) -> None:
        """Take text embeddings (R, d) that were made elsewhere, for the same names."""
        self.set_classes(self.classes, [self.names[i] for i in self.unseen], embeddings=embeddings)

    def forward(self) -> Tensor:
        """(R, d), or (R, S, d) with `synonyms='max'`; float32, L2-normalised."""
        if not self.computed:
            raise RuntimeError(
                f'the text embeddings of {len(self.classes)} classes were never computed; call '
                'model.init_weights(), or load a checkpoint trained on these classes.'
            )
        return self.embeddings

    def one_text(self) -> int:
        """d, for a head that knows one text a class.

        Raises:
            ValueError: there are several, `synonyms='max'`.
        """
        if self.embeddings.dim() == 3:
            raise ValueError(
                "synonyms is 'max', but this head knows one text a class. Use 'mean' or 'joined'; "
                'MaskCLIPHead and TwoStageSegmentor take the best of several.'
            )
        return self.embeddings.shape[1]

    def _shape(self, rows: Sequence[str]) -> tuple[int, ...]:
        if self.synonyms != 'max':
            return len(rows), self.arch.embed_dim
        return len(rows), max(map(len, class_synonyms(rows))), self.arch.embed_dim

    def _checked(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str] | None,
        background: str | Sequence[str] | None,
    ) -> ClassList:
        names = load_classes(classes)
        if len(names) < self.least:
            raise ValueError(
                f'{names[0]!r} is the only class, so every pixel would be it. Add what '
                "else may be there, e.g. a class 'background' with "
                "background=['sky', 'wall', ...]."
            )
        if background is None and BACKGROUND in map(canonical, names):
            background = self.background
        rows, start = text_rows(names, background) if background else (names, None)
        seen, unseen = map(list, split_indices(names, load_unseen(unseen)))
        return ClassList(names, rows, seen, unseen, start)

    def _take(self, names: ClassList, background: str | Sequence[str] | None) -> None:
        self.classes, self.rows, self.seen, self.unseen, self.background_start = names
        self.background = background or self.background
        row = torch.full((len(self.classes),), -1)
        row[self.seen] = torch.arange(len(self.seen))
        self.seen_row = row.to(self.embeddings.device)

    def _embedded(self, rows: Sequence[str]) -> Tensor:
        text = load_text(self.arch, self.weights).to(self.embeddings.device)
        embeddings = class_embeddings(text, rows, self.templates, synonyms=self.synonyms)
        print_log(
            f'text embeddings of {len(rows)} names from {self.arch.name} '
            f'({self.weights or "random weights"})',
            logger='current',
        )
        return embeddings

    def _normalised(self, given: Tensor, rows: Sequence[str]) -> Tensor:
        """Embeddings that were handed in -> float32, of length 1."""
        given = torch.as_tensor(given).detach().to(self.embeddings.device, torch.float32)
        shape = self._shape(rows)
        if len(shape) == 3 and given.shape == (shape[0], shape[2]):
            given = given[:, None].expand(shape)
        if given.shape != shape:
            raise ValueError(
                f'embeddings have shape {tuple(given.shape)}; {len(rows)} names and '
                f'{self.arch.name} need {shape}. Give one row a name, '
                'in their order, of the same CLIP as the image tower.'
            )
        length = given.norm(dim=-1)
        for i in (~(length.isfinite() & (length > 0))).nonzero()[:1, 0].tolist():
            raise ValueError(
                f'the embedding of {rows[i]!r} (row {i}) is zero or not finite. Compute it anew.'
            )
        return F.normalize(given, dim=-1)

    def check_source(self, saved: Mapping, place: str) -> None:
        """That embeddings of the source `saved` may become this part's, see `check_text_source`."""
        check_text_source(self.source, saved, place)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args) -> None:
        saved = state_dict.get(f'{prefix}embeddings')
        if saved is not None:
            self.check_source(local_metadata.get('text') or {}, prefix.rstrip('.'))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)
        self.computed |= saved is not None and saved.shape == self.embeddings.shape


class HasVocabulary:
    """What a segmentor with a changeable vocabulary offers, and a head of its own does; hooks,
    tools and metrics ask the model, never its head."""

    folds_background = False  # scores of several names for the background become one class's

    @property
    def vocabulary(self) -> Vocabulary:
        return self.class_embeddings

    @property
    def seen(self) -> list[int]:
        """Label values of the classes that training may see."""
        return self.vocabulary.seen

    @property
    def unseen(self) -> list[int]:
        """Label values of the other classes."""
        return self.vocabulary.unseen

    def set_classes(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str] | None = None,
        background: str | Sequence[str] | None = None,
        embeddings: Tensor | None = None,
    ) -> None:
        """Change the vocabulary, see `Vocabulary.set_classes`. Nothing is rebuilt.

        Raises:
            ValueError: as there; `background`, where the method has no such names.
        """
        if background is not None and not self.folds_background:
            raise ValueError(
                f'background={background!r}: {type(self).__name__} knows one text a '
                "class. Write the names as synonyms, 'background, sky, wall'; "
                'MaskCLIPHead takes them apart.'
            )
        self.vocabulary.set_classes(classes, unseen, background, embeddings)
        self.follow_vocabulary()

    def set_embeddings(self, embeddings: Tensor) -> None:
        """Take text embeddings (R, d) that were made elsewhere, for the same names."""
        self.vocabulary.set_embeddings(embeddings)

    def follow_vocabulary(self) -> None:
        """Whatever else depends on the number of classes."""
        self.num_classes = self.out_channels = len(self.vocabulary.classes)


def shallow_copy(module: Module) -> Module:
    """A module with the parameters, buffers and submodules of another,
    to be replaced in it alone."""
    out = copy(module)
    for name in ('_parameters', '_buffers', '_modules', '_non_persistent_buffers_set'):
        out.__dict__[name] = copy(module.__dict__[name])
    return out


def copy_of_modules(module: Module) -> Module:
    """As `shallow_copy`, and its submodules are such copies too; no parameter is copied."""
    out = shallow_copy(module)
    for name, child in module._modules.items():
        out._modules[name] = child and copy_of_modules(child)
    return out


class OpenVocabulary(HasVocabulary):
    """A segmentor whose vocabulary is an argument."""

    def _dump_init_info(self) -> None:
        """MMEngine's two lines of each parameter, for a log file; a terminal gets none."""
        if any(isinstance(one, FileHandler) for one in MMLogger.get_current_instance().handlers):
            super()._dump_init_info()

    def follow_vocabulary(self) -> None:
        super().follow_vocabulary()
        self.dataset_meta = dict(
            classes=tuple(self.vocabulary.names), palette=distinct_colours(self.num_classes)
        )

    def with_classes(
        self, classes: str | Sequence[str], unseen: str | Sequence[str] | None = None, **options
    ) -> 'OpenVocabulary':
        """This model with other words: what `set_classes` makes of it, and it stays as it is.

        Every weight is shared, none is copied. So a vocabulary can be the argument of a call,
        `inference_model(model.with_classes(words), photo)`, and calls with several can run in
        several threads at once, where `set_classes` would mix them.
        """
        view = self.sharing_weights()
        view.set_classes(classes, unseen, **options)
        return view

    def sharing_weights(self) -> 'OpenVocabulary':
        """A copy with the same parameters, which can be given another vocabulary."""
        raise NotImplementedError
