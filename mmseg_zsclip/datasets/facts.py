"""What a data set says of itself to the transforms of its pipeline,
so that no list is told twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..vocabulary.class_names import canonical, folded
from ..vocabulary.lists import load_unseen
from .pipelines import within


@dataclass(frozen=True)
class Facts:
    """Classes of a data set.

    Args:
        source: the data set's name, for errors.
        classes: full class list, in the order of the labels that leave the loader.
        unseen: canonical names of the unseen classes; None where the data set does not say.
        stored: the classes of its files, where it keeps a part of them alone.
    """

    source: str
    classes: Sequence[str]
    unseen: Sequence[str] | None = None
    stored: Sequence[str] | None = None

    def settle_classes(
        self, who: str, given: Sequence[str] | None, stored: bool = False
    ) -> list[str]:
        """The class list of a part of the pipeline: `given`, else the data set's.

        Args:
            stored: the list of the files may be given too.

        Raises:
            ValueError: the two differ in their first names; names both.
        """
        if given is None:
            return list(self.classes)
        legal = self.classes, self.stored if stored and self.stored else self.classes
        if _keys(given) not in map(_keys, legal):
            raise ValueError(
                f'{who} is given {_short(given)}, but {self.source} has {_short(self.classes)}. '
                f'Leave its `classes` out, and it takes those of the data set; or give the data set'
                ' metainfo=dict(classes=...).'
            )
        return list(given)

    def settle_unseen(self, who: str, given: Sequence[str] | None) -> Sequence[str] | None:
        """Names of the unseen classes: `given`, else the data set's; None where none says.

        A data set without unseen classes contradicts nobody.

        Raises:
            ValueError: the two differ; names both.
        """
        if given is None:
            return self.unseen
        mine, theirs = sorted(load_unseen(given, self.classes)), sorted(self.unseen or ())
        if theirs and mine != theirs:
            raise ValueError(
                f'{who} is given unseen={mine}, but of {self.source} are unseen {theirs}. Leave '
                'its `unseen` out, and it takes those of the data set; to change them, give every '
                'data set (training, validation, test) metainfo=dict(unseen=...).'
            )
        return given


def known(names: Sequence[str] | None, who: str, what: str = 'classes') -> Sequence[str]:
    """The names.

    Raises:
        ValueError: they are None: neither the part `who` of a pipeline nor its data set was told.
    """
    if names is None:
        none = " ('none' where all are seen)" if what == 'unseen' else ''
        raise ValueError(
            f'{who} does not know the {what}{none}. Give its data set, if it is a '
            f'mmseg_zsclip.SegDataset, metainfo=dict({what}=...), or else {who} {what}=... .'
        )
    return names


def hand_on(transforms, facts: Facts) -> None:
    """Tells every transform that learns from its data set, those within others included."""
    for transform in within(transforms):
        if hasattr(transform, 'learn'):
            transform.learn(facts)


def _keys(names: Sequence[str]) -> list[str]:
    return [folded(canonical(name)) for name in names]


def _short(names: Sequence[str]) -> str:
    names = [canonical(name) for name in names]
    shown = ', '.join(names if len(names) < 7 else [*names[:5], '...', names[-1]])
    return f'{len(names)} classes ({shown})'
