"""Which models the page offers, and those that are in memory."""

import threading
from collections import OrderedDict
from collections.abc import Mapping

from ..apis.model_list import MODELS, named_model
from ..apis.segmenter import ZeroShotSegmenter

LOADED = 3  # models in memory


class Offers:
    """The models of `zsclip models`, and others whose checkpoint is given.

    Args:
        weights: name of a model, or a config's -> checkpoint, or CLIP's weights; see
            `ZeroShotSegmenter`.

    Raises:
        ConfigNotFoundError: no such model.
    """

    def __init__(self, weights: Mapping[str, str] | None = None) -> None:
        self.weights = dict(weights or {})
        for name in self.weights:
            named_model(name)
        self._loaded: OrderedDict[str, ZeroShotSegmenter] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def choices(self) -> list[tuple[str, str]]:
        """(what is shown, name): first those whose weights are given, then those that need nothing,
        then those that are downloaded at their first use, then those that need a checkpoint."""
        names = [*self.weights, *(name for name in MODELS if name not in self.weights)]
        return [(self.shown(name), name) for name in sorted(names, key=self.effort)]

    def effort(self, name: str) -> tuple[bool, bool, bool]:
        """What there is to do before the model runs, as a key for sorting."""
        row, given = named_model(name), name in self.weights
        return not given, bool(row.checkpoint) and not given, bool(row.download) and not given

    def shown(self, name: str) -> str:
        row = named_model(name)
        parts = [name, row.method, '' if name in self.weights else f'needs {row.needs}']
        return ', '.join(part for part in parts if part and part != 'needs nothing')

    def segmenter(self, name: str) -> ZeroShotSegmenter:
        """The model, from memory if it is one of the last `LOADED`.

        Raises:
            ValueError: it needs a checkpoint; with the command that makes it, and how it is given.
        """
        with self._lock:
            if name not in self._loaded:
                row = named_model(name)
                if row.checkpoint and name not in self.weights:
                    raise ValueError(
                        f'{name} needs a checkpoint ({row.checkpoint}). Start the page with '
                        f'`zsclip demo --weights {name}=FILE`, or choose another model.'
                    )
                self._loaded[name] = ZeroShotSegmenter(name, self.weights.get(name))
                while len(self._loaded) > LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(name)
            return self._loaded[name]
