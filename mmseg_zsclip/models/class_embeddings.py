"""The vocabulary of a model: class names turned into text embeddings, replaceable at run time."""
from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from ..clip.archs import resolve_arch
from ..clip.checkpoint import load_text
from ..clip.prompts import class_embeddings
from ..vocabulary.lists import load_classes


def check_one_clip(image: int, text: int) -> None:
    """That features of the image tower and text embeddings have one width.

    Raises:
        ValueError: they are of two CLIPs.
    """
    if image != text:
        raise ValueError(f'features have {image} channels, text embeddings {text}: image and text '
                         'tower must be of one CLIP. Give backbone and text the same arch and '
                         'weights.')


class ClassEmbeddings(BaseModule):
    """Text embeddings (C, d) of a class list, L2-normalised: names x templates, averaged.

    They are computed once by `init_weights` and saved with the model, so that a trained checkpoint
    needs no CLIP file; the text tower is not kept.

    Args:
        classes: a shipped list ('voc20'), a text file, or the names; synonyms by comma.
        arch: CLIP architecture, as the image tower's.
        weights: CLIP weights, as the image tower's; None leaves the text tower random.
        templates: name of a prompt set, or the templates themselves.
    """

    def __init__(self, classes: str | Sequence[str], arch: str, weights: str | None = None,
                 templates: str | Sequence[str] = 'single') -> None:
        super().__init__()
        self.classes = load_classes(classes)
        self.arch = resolve_arch(arch, weights)  # as the image tower: the file is read once
        self.weights = weights
        self.templates = templates
        self.computed = False
        self.register_buffer('embeddings', torch.zeros(len(self.classes), self.arch.embed_dim))

    def init_weights(self) -> None:
        super().init_weights()
        self.set_classes(self.classes)

    def set_classes(self, classes: str | Sequence[str]) -> None:
        """Change the vocabulary; needs the CLIP weights, and nothing else is rebuilt."""
        self.classes = load_classes(classes)
        text = load_text(self.arch, self.weights).to(self.embeddings.device)
        self.embeddings = class_embeddings(text, self.classes, self.templates)
        self.computed = True
        print_log(f'text embeddings of {len(self.classes)} classes from {self.arch.name} '
                  f'({self.weights or "random weights"})', logger='current')

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        saved = state_dict.get(f'{prefix}embeddings')
        self.computed |= saved is not None and saved.shape == self.embeddings.shape

    def forward(self) -> Tensor:
        """(C, d) float32, L2-normalised."""
        if not self.computed:
            raise RuntimeError(
                f'the text embeddings of {len(self.classes)} classes were never computed; call '
                'model.init_weights(), or load a checkpoint trained on these classes.')
        return self.embeddings
