"""The two-stage segmentor: proposal generator -> mask classifier -> fusion, each chosen by config.

Source: MAFT, section 3, the "frozen CLIP" paradigm. What flows between the parts is `Proposals`;
see `given_proposals` and `mask_classifiers` for what a generator and a classifier are.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData, PixelData
from mmseg.models.segmentors import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from ..clip.prompts import cosines
from ..datasets.transforms.load_instances import INSTANCES
from ..masks import class_maps
from ..registry import MODELS
from ..vocabulary.labels import check_labels, legal_ignore
from ..vocabulary.lists import canonical, load_classes
from ..vocabulary.thing_names import load_things, thing_classes
from .encoders import freeze
from .fusion import semantic_labels, semantic_scores
from .mask_ops import photo_masks
from .proposals import Proposals, check_proposals
from .score_rows import kept_part
from .segmentor import check_statistics, finite_or_named
from .segments import check_tasks, instances, panoptic_ids
from .vocabulary import OpenVocabulary, Vocabulary, check_one_clip, copy_of_modules, shallow_copy


def input_labels(labels: Tensor, meta: Mapping, size: tuple[int, int], ignored: int) -> Tensor:
    """A label map (h, w) of the photo -> (H, W) of the image as the model gets it, nearest; the
    padding is ignored."""
    rows, columns, flip = kept_part(meta, size)
    inner = rows.stop - rows.start, columns.stop - columns.start
    labels = F.interpolate(labels[None, None].double(), inner, mode='nearest')[0].to(labels.dtype)
    out = labels.new_full(size, ignored)
    out[rows, columns] = (labels.flip(flip) if flip else labels)[0]
    return out


def instances_of(sample: SegDataSample, things: bool) -> Tensor | None:
    """The numbers of things (h, w) that go with a sample's labels, where it has and `things` wants
    them."""
    given = sample.metainfo.get(INSTANCES) if things else None
    return None if given is None else torch.as_tensor(given.copy())


@MODELS.register_module()
class TwoStageSegmentor(OpenVocabulary, BaseSegmentor):
    """Proposals, what CLIP says of each, and a fusion of the two.

    Trains the generator, on masks of the seen classes; the classifier is frozen. Images are
    normalised with CLIP's statistics; a generator with others is given its own,
    and 0 in the padding.

    `test_cfg`: `keep_scores=False` predicts labels alone: the scores of every class at every pixel
    are never made. `tasks`, of 'semantic' (the default), 'instance' and 'panoptic', is what a photo
    gets; `top=100` instances, panoptic segments by `score_threshold=0.3` and
    `overlap_threshold=0.3`, see `segments`. `resize_logits=True` resizes masks to the photo as
    logits, as MasQCLIP's release does where it makes segments. `keep_proposals=True` gives
    samples their `proposals`, `masks` (P, h, w) of the photo and `scores` (P, C).

    Args:
        generator: config of a proposal generator, see `given_proposals`.
        classifier: config of a mask classifier, see `mask_classifiers`.
        classes, unseen: as in `Vocabulary`.
        things: names of the classes of which each thing is a segment of its own, the rest is stuff;
            all if left out.
        text: `arch`, `weights`, `templates` and `synonyms` of the text tower, see `Vocabulary`.
        fusion: `Ensemble()`, CLIP alone, by default; or `ZegFormerEnsemble`, `UpperBound`.
        scale: of the cosines, 100 in the paper; the learned one of a small CLIP is lower.
        empty_class: what an image without proposals is, by name;
            if left out its pixels are ignored.
        Others: see mmseg's `BaseSegmentor`; its tools give an empty `train_cfg` and `pretrained`.

    Raises:
        TypeError: arguments that are none.
        ValueError: a `scale` that is not positive, an `empty_class` or a thing that is no class, a
            `test_cfg` as `check_tasks` says; by `init_weights`, classifier and text of two CLIPs,
            image statistics that are not CLIP's, or a stage 1 of other classes.
    """

    def __init__(
        self,
        generator: dict,
        classifier: dict,
        classes: str | Sequence[str],
        text: dict,
        unseen: str | Sequence[str] | None = None,
        things: str | Sequence[str] | None = None,
        fusion: dict | None = None,
        scale: float = 100.0,
        empty_class: str | None = None,
        data_preprocessor: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
        **of_mmseg,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        unknown = [
            key
            for key, value in of_mmseg.items()
            if key not in ('train_cfg', 'pretrained') or value
        ]
        if unknown:
            raise TypeError(f'{type(self).__name__} knows no {", ".join(unknown)}.')
        if not (isinstance(scale, (int, float)) and 0 < scale < float('inf')):
            raise ValueError(
                f'scale is {scale!r}; it must be a positive number, 100 for an OpenAI CLIP.'
            )
        self.class_embeddings = Vocabulary(classes, unseen=unseen, least=2, **text)
        self.generator = MODELS.build(generator)
        self.classifier = MODELS.build(classifier)
        self.fusion = MODELS.build(fusion or dict(type='mmseg_zsclip.Ensemble'))
        self.scale = scale
        self.empty_class = empty_class
        self.test_cfg = ConfigDict(test_cfg or {})
        check_tasks(self.test_cfg)
        self.thing_names = load_things(things, self.vocabulary.classes)
        self.align_corners = False
        freeze(self.classifier)
        self.follow_vocabulary()

    def train(self, mode: bool = True) -> 'TwoStageSegmentor':
        """The classifier stays in evaluation mode: CLIP's batch norms keep their statistics."""
        super().train(mode)
        self.classifier.eval()
        return self

    def follow_vocabulary(self) -> None:
        super().follow_vocabulary()
        self.ignored = legal_ignore(self.num_classes)
        self.things = thing_classes(self.thing_names, self.vocabulary.classes)
        self.nothing = self.ignored
        if self.empty_class is not None:
            names = self.vocabulary.names
            if canonical(str(self.empty_class)) not in names:
                raise ValueError(
                    f'empty_class is {self.empty_class!r}, which is none of the '
                    f'{len(names)} classes ({", ".join(names[:5])}, ...). Name one of '
                    'them, or None to ignore the pixels of an image without proposals.'
                )
            self.nothing = names.index(canonical(self.empty_class))

    def set_classes(
        self,
        classes: str | Sequence[str],
        unseen: str | Sequence[str] | None = None,
        things: str | Sequence[str] | None = None,
        **options,
    ) -> None:
        """Change the vocabulary, see `Vocabulary.set_classes`. Without `things` the names given
        before are things, or all if none were."""
        names = self.thing_names if things is None else load_things(things, load_classes(classes))
        super().set_classes(classes, unseen, **options)
        self.thing_names = names
        self.follow_vocabulary()

    def init_weights(self) -> None:
        super().init_weights()
        check_statistics(getattr(self.classifier, 'statistics', None), self.data_preprocessor)
        if hasattr(self.generator, 'check_classes'):
            self.generator.check_classes(self.vocabulary.names)

    def sharing_weights(self) -> 'TwoStageSegmentor':
        view = shallow_copy(self)
        view.class_embeddings = copy_of_modules(self.class_embeddings)
        view.generator = copy_of_modules(self.generator)  # text may be handed to its parts
        return view

    def check_trainable(self, classifier: type) -> None:
        """That a method can train the classifier on the generator's masks.

        Raises:
            TypeError: another classifier.
            ValueError: a generator that knows whole photos alone.
        """
        if not isinstance(self.classifier, classifier):
            legal = classifier.__subclasses__() or [classifier]
            raise TypeError(
                f'the classifier is {type(self.classifier).__name__}, which {type(self).__name__} '
                f'does not train; legal: {", ".join(one.__name__ for one in legal)}.'
            )
        if getattr(self.generator, 'of_whole_photos', False):
            raise ValueError(
                f'{type(self.generator).__name__} has the masks of whole photos, not of '
                'training crops. Train with a generator that sees the image.'
            )

    def as_generator_sees(self, img: Tensor, kept: Sequence[tuple[slice, slice]]) -> Tensor:
        """Images that the data_preprocessor normalised, with the generator's statistics."""
        wanted = self.generator.statistics
        if wanted is None:
            return img
        mean, std = (img.new_tensor(values)[:, None, None] for values in wanted)
        ours = self.data_preprocessor
        if getattr(ours, '_enable_normalize', False):
            img = img * ours.std.to(img) + ours.mean.to(img)
        img, out = (img - mean) / std, torch.zeros_like(img)
        for one, row, (rows, columns) in zip(img, out, kept, strict=True):
            row[:, rows, columns] = one[:, rows, columns]
        return out

    def places(self, img: Tensor, data_samples: Sequence) -> tuple[list, list]:
        """Metadata of samples, and rows and columns of each image (B, 3, H, W) that are no
        padding."""
        metas = [sample.metainfo for sample in data_samples]
        return metas, [kept_part(meta, tuple(img.shape[2:]))[:2] for meta in metas]

    def propose(
        self,
        img: Tensor,
        data_samples: Sequence,
        of_photos: bool = True,
        text: Tensor | None = None,
    ) -> tuple[list[Proposals], list[tuple[slice, slice]]]:
        """Checked proposals of images (B, 3, H, W), and what of each is no padding.

        Args:
            of_photos: label maps are of the photos, as in a test; else of what the model gets.
            text: embeddings for the generator, those of all classes if left out.
        """
        size = tuple(img.shape[2:])
        metas, kept = self.places(img, data_samples)
        labels = None
        if self.generator.needs_labels:
            labels = [sample.gt_sem_seg.data[0] for sample in data_samples]
            if of_photos:
                labels = [
                    input_labels(one, meta, size, self.ignored)
                    for one, meta in zip(labels, metas, strict=True)
                ]
        text = self.vocabulary() if text is None else text
        proposals = self.generator(self.as_generator_sees(img, kept), metas, text, labels)
        for i, one in enumerate(proposals):
            for values in (one.masks, one.object_scores, one.class_scores):
                if values is not None and len(one):
                    most = values.amax().reshape(1, 1, 1, 1)  # NaN where one of them is
                    finite_or_named(most, img[i : i + 1], metas[i:])
        check_proposals(proposals, img, len(text))
        return proposals, kept

    def logits(self, embeddings: Tensor, text: Tensor) -> Tensor:
        """Embeddings (P, d) -> `scale` times their cosines with text (C, d), or (C, S, d) for the
        best of S synonyms: (P, C) float32."""
        check_one_clip(embeddings.shape[1], text.shape[-1])
        return cosines(self.scale * F.normalize(embeddings.float(), dim=-1), text)

    def class_scores(self, embeddings: Tensor) -> Tensor:
        """What CLIP says of proposals: embeddings (P, d) -> (P, C) in [0, 1]."""
        return self.logits(embeddings, self.vocabulary()).softmax(dim=1)  # MAFT, Eq. 1

    def fused(
        self, img: Tensor, data_samples: Sequence, of_photos: bool = True
    ) -> list[tuple[Tensor, Tensor]]:
        """Of each image the scores (P, C) of its proposals, and their masks (P, h, w) of the
        photo, or of what the model gets."""
        proposals, kept = self.propose(img, data_samples, of_photos)
        embeddings = self.classifier(img, [one.masks for one in proposals], kept)
        out = []
        for one, rows, place, sample in zip(proposals, embeddings, kept, data_samples, strict=True):
            scores = self.class_scores(rows)
            masks = one.masks
            if of_photos:
                masks = photo_masks(
                    masks, sample.metainfo, self.test_cfg.get('resize_logits', False)
                )
            if getattr(self.fusion, 'needs_labels', False):
                scores = self.fusion(masks, sample.gt_sem_seg.data[0], self.num_classes)
            else:
                scores = self.fusion(scores, one, self.unseen, place)
            finite_or_named(scores[None, ..., None], img[None, len(out)], [sample.metainfo])
            out.append((scores, masks))
        return out

    def offsets(self, scores: Tensor) -> Tensor | None:
        """What the map of each class loses, (C,), where the fusion wants seen classes lowered."""
        less = getattr(self.fusion, 'seen_offset', 0.0)
        if not less:
            return None
        out = scores.new_zeros(self.num_classes)
        out[self.seen] = less
        return out

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """Samples with what `test_cfg.tasks` asks for, at the photos' size. An image without
        proposals has scores of 0, no instance, and a panoptic map of void.

        semantic: `pred_sem_seg` (1, h, w) and, unless `keep_scores=False`, `seg_logits`.
        instance: `pred_instances`, see `instances`. panoptic: `pred_panoptic_seg`, whose `sem_seg`
        (1, h, w) are `panoptic_ids`. mmseg's and mmdet's visualisers draw them.
        """
        data_samples = data_samples or self.bare_samples(inputs)
        options = self.test_cfg
        tasks = options.get('tasks', ['semantic'])
        for sample, (scores, masks) in zip(
            data_samples, self.fused(inputs, data_samples), strict=True
        ):
            if options.get('keep_proposals', False):
                sample.proposals = InstanceData(masks=masks, scores=scores)
            if 'semantic' in tasks:
                if options.get('keep_scores', True):
                    sample.seg_logits = PixelData(
                        data=semantic_scores(scores, masks, self.offsets(scores))
                    )
                labels = semantic_labels(scores, masks, self.nothing, self.offsets(scores))
                sample.pred_sem_seg = PixelData(data=labels[None])
            self.add_segments(sample, scores, masks, tasks)
        return data_samples

    def add_segments(
        self, sample: SegDataSample, scores: Tensor, masks: Tensor, tasks: Sequence[str]
    ) -> None:
        """Instances and panoptic segments, where `tasks` has them, from scores (P, C) and masks
        (P, h, w) of the photo; see `predict`."""
        options = self.test_cfg
        if 'instance' in tasks:
            sample.pred_instances = instances(scores, masks, self.things, options.get('top', 100))
        if 'panoptic' in tasks:
            limits = (options.get(f'{name}_threshold', 0.3) for name in ('score', 'overlap'))
            ids = panoptic_ids(scores, masks, self.things, *limits)
            sample.pred_panoptic_seg = PixelData(sem_seg=ids[None])

    def probabilities(self, scores: Tensor) -> Tensor:
        """Scores (C, ...) of a photo -> [0, 1]: sums over proposals can be more."""
        return scores.clamp(0, 1)

    @property
    def learnt(self) -> list[int]:
        """Label values of the classes that the losses know."""
        return self.seen

    def targets(self, data_samples: Sequence, things: bool = True) -> list[tuple[Tensor, Tensor]]:
        """Of each image the masks (K, H, W) of what is there, and (K,) which of the `learnt`
        classes each is. Samples with an `instance_map` (see `LoadInstances`) have a mask for each
        thing, unless `things` is False.

        Raises:
            ValueError: a label that is no class, or of an unseen one ("ground-truth leak").
        """
        labels = [sample.gt_sem_seg.data[0] for sample in data_samples]
        hidden = sorted({*range(self.num_classes)} - {*self.learnt})
        for one in labels:
            check_labels(one, self.vocabulary.classes, hidden, self.ignored, 'inductive')
        maps = [
            class_maps(one, self.ignored, instances_of(sample, things))
            for one, sample in zip(labels, data_samples, strict=True)
        ]
        learnt = torch.tensor(self.learnt, device=labels[0].device)
        return [(masks, torch.searchsorted(learnt, classes)) for masks, classes in maps]

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """The generator's losses, on the `learnt` classes alone.

        Raises:
            TypeError: a generator that does not train; "ground-truth leak", see `targets`.
        """
        if not hasattr(self.generator, 'loss'):
            raise TypeError(
                f'{type(self.generator).__name__} has nothing to train. Use '
                'QueryProposals, or evaluate without training.'
            )
        return self.generator_loss(inputs, data_samples, self.targets(data_samples))

    def generator_loss(
        self, inputs: Tensor, data_samples: list, targets: Sequence[tuple[Tensor, Tensor]]
    ) -> dict[str, Tensor]:
        """The generator's losses on `targets`."""
        metas, kept = self.places(inputs, data_samples)
        img = self.as_generator_sees(inputs, kept)
        return self.generator.loss(img, metas, self.vocabulary()[self.learnt], targets)

    def bare_samples(self, inputs: Tensor) -> list:
        size = tuple(map(int, inputs.shape[2:]))  # torch.jit.trace gives tensors
        return [SegDataSample(metainfo=dict(img_shape=size, ori_shape=size)) for _ in inputs]

    def extract_feat(self, inputs: Tensor) -> list[Proposals]:
        """The proposals of images (B, 3, H, W)."""
        return self.propose(inputs, self.bare_samples(inputs))[0]

    def encode_decode(self, inputs: Tensor, batch_data_samples: list) -> Tensor:
        """Scores (B, C, H, W) at the model's input size."""
        return torch.stack(
            [
                semantic_scores(scores, masks, self.offsets(scores))
                for scores, masks in self.fused(inputs, self.bare_samples(inputs))
            ]
        )

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.encode_decode(inputs, data_samples)
