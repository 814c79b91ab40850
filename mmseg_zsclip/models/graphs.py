"""What of a model goes into a graph of its own: tensors in, tensors out, and the vocabulary among
what goes in. `apis/onnx_files.py` writes such graphs."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..clip.prompts import cosines
from .dense_attention import SelfCalibrated
from .ip_clip import IPCLIP, IPCLIPViT, visible_to_copies
from .mask_ops import visible_patches
from .maskclip import MaskCLIPHead
from .segmentor import OneStageSegmentor
from .two_stage import TwoStageSegmentor
from .vocabulary import OpenVocabulary, Vocabulary, copy_of_modules
from .zegclip import ZegCLIPHead

LEGAL = (
    'MaskCLIP and ZegCLIP (a OneStageSegmentor with a MaskCLIPHead or a ZegCLIPHead), and IP-CLIP '
    'given masks (a TwoStageSegmentor whose classifier is an IPCLIPViT or an IPCLIPResNet)'
)


def class_texts(vocabulary: Vocabulary) -> Tensor:
    """The texts of each class, of which the best counts: (C, S, d), L2-normalised. S is that of the
    class with most; another one has its first again in the place of what it lacks."""
    rows = vocabulary.embeddings
    rows = rows[:, None] if rows.dim() == 2 else rows
    classes, start = list(rows), vocabulary.background_start
    if start is not None:
        end = start + 1 + len(rows) - len(vocabulary.classes)
        classes[start:end] = [rows[start:end].flatten(0, 1)]
    most = max(map(len, classes))
    return torch.stack([one[[*range(len(one)), *[0] * (most - len(one))]] for one in classes])


class Graph(nn.Module):
    """The part of a model between a photo and scores, in evaluation mode.

    Photos are (B, 3, H, W) RGB in [0, 255], not normalised; text embeddings need not be either. A
    subclass says what goes in and out, beside the photo: `axes`, the names of the dimensions that
    are free, of every input in the order of `forward`; and what `words` a vocabulary is.

    Args:
        model: shared, not copied.
    """

    axes: ClassVar[dict[str, dict[int, str]]] = {
        'image': {0: 'batch', 2: 'height', 3: 'width'},
        'text': {0: 'classes', 1: 'texts'},
    }

    def __init__(self, model: OpenVocabulary) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def normalised(self, image: Tensor) -> Tensor:
        """As the model's data_preprocessor makes of BGR what the network sees."""
        ours = self.model.data_preprocessor
        image = image if ours.channel_conversion else image.flip(1)
        return (image - ours.mean) / ours.std if ours._enable_normalize else image

    def comparable(self, scores: Tensor) -> Tensor:
        """Scores of which another program's differ by rounding alone."""
        return scores

    def words(self, vocabulary: Vocabulary) -> dict[str, Tensor]:
        """What of the inputs a vocabulary gives."""
        return dict(text=class_texts(vocabulary))


class MaskCLIPGraph(Graph):
    """MaskCLIP with a ViT or a ResNet: image and text (C, S, d), of whose S texts the best counts,
    to scores (B, C, H, W) whose softmax is the confidence."""

    def __init__(self, model: OneStageSegmentor) -> None:
        super().__init__(model)
        self.head = copy_of_modules(model.decode_head)
        self.head.class_embeddings.background_start = None  # texts of one class, as any others
        self.head.class_embeddings.computed = True

    def logits(self, image: Tensor, text: Tensor) -> Tensor:
        """The head's scores at the size of the image: (B, C, H, W)."""
        maps = self.model.extract_feat(self.normalised(image))
        text = {'class_embeddings.embeddings': F.normalize(text, dim=-1)}
        return F.interpolate(
            functional_call(self.head, text, (maps,)),
            image.shape[2:],
            mode='bilinear',
            align_corners=self.model.align_corners,
        )

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        scores = self.logits(image, text)
        return self.head.finish(scores) if self.head.finish else scores

    def comparable(self, scores: Tensor) -> Tensor:
        """With key smoothing the confidences: logarithms of tiny ones magnify rounding."""
        return scores.softmax(dim=1) if self.head.finish else scores


class ZegCLIPGraph(MaskCLIPGraph):
    """ZegCLIP: image, text (C, d) and offset (C,), which each class's scores lose, to scores
    (B, C, H, W): sigmoids, or the softmax over classes, less the offset."""

    axes = Graph.axes | {'text': {0: 'classes'}, 'offset': {0: 'classes'}}

    def forward(self, image: Tensor, text: Tensor, offset: Tensor) -> Tensor:
        return self.head.score(self.logits(image, text)) - offset[:, None, None]

    def comparable(self, scores: Tensor) -> Tensor:
        return scores

    def words(self, vocabulary: Vocabulary) -> dict[str, Tensor]:
        offset = vocabulary.embeddings.new_zeros(len(vocabulary.classes))
        if vocabulary.unseen:
            offset[vocabulary.seen] = self.head.seen_offset
        return dict(text=vocabulary.embeddings, offset=offset)


class IPCLIPGraph(Graph):
    """IP-CLIP of masks that come from elsewhere: image, text (C, S, d) and masks (B, P, H, W) in
    [0, 1], to what CLIP says of each (B, P, C), which sums to 1 over classes."""

    axes = Graph.axes | {'masks': {0: 'batch', 1: 'masks', 2: 'height', 3: 'width'}}

    def forward(self, image: Tensor, text: Tensor, masks: Tensor) -> Tensor:
        classifier = self.model.classifier
        x, grid = classifier.start(classifier.resized(self.normalised(image)))
        visible = visible_patches(masks, grid)
        if isinstance(classifier, IPCLIPViT):  # a graph has no loop: all proposals in one part
            rows = classifier.of_masks(x, [visible_to_copies(visible)])
        else:
            rows = classifier.of_proposals(x, visible)
        logits = cosines(F.normalize(rows, dim=-1), F.normalize(text, dim=-1))
        return (self.model.scale * logits).softmax(dim=-1)  # MAFT, Eq. 1


def graph_of(model: nn.Module) -> Graph:
    """The graph of a model.

    Raises:
        ValueError: a model, or a setting of it, that no graph can have; names those that can.
    """
    two_stages = isinstance(model, TwoStageSegmentor)
    if two_stages and isinstance(model.classifier, IPCLIP):
        return IPCLIPGraph(model)
    part = model.classifier if two_stages else getattr(model, 'decode_head', None)
    graph = GRAPHS.get(type(part)) if isinstance(model, OneStageSegmentor) else None
    if graph is None:
        raise ValueError(
            f'a {type(model).__name__} with a {type(part).__name__} cannot be exported; '
            f'legal: {LEGAL}.'
        )
    if model.test_cfg.get('pamr') is not None:
        raise ValueError(
            f'test_cfg.pamr is {dict(model.test_cfg.pamr)}, which refines scores by the photo and '
            'cannot be exported. Leave it out: --cfg-options model.test_cfg.pamr=None'
        )
    calibrated = isinstance(getattr(model.backbone, 'attention', None), SelfCalibrated)
    if calibrated:
        raise ValueError(
            "attention 'sc' cannot be exported: it repairs outliers one by one. Legal: every other "
            'attention of MaskCLIPViT.'
        )
    return graph(model)


GRAPHS = {MaskCLIPHead: MaskCLIPGraph, ZegCLIPHead: ZegCLIPGraph}

__all__ = ['Graph', 'class_texts', 'graph_of']
