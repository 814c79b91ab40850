"""Mask AP50 of instances, against a COCO json or the samples' own."""

import contextlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePath

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from ..datasets.transforms.load_instances import INSTANCES
from ..masks import class_maps
from ..registry import METRICS
from ..vocabulary.class_names import canonical, folded, split_names
from ..vocabulary.labels import ignore_index
from ..vocabulary.lists import load_unseen
from ..vocabulary.thing_names import folded_names, load_things, thing_classes
from .areas import write_arrays
from .matches import InstanceMatches, matches_of


def read_truth(path: str | Path):
    """A COCO json with instances, as pycocotools has it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is none, has no instance, or two images of one name.
    """
    from pycocotools.coco import COCO

    if not Path(path).is_file():
        raise FileNotFoundError(
            f'the COCO json {path} of InstanceAPMetric does not exist. The converter of the data '
            'set writes it (tools/dataset_converters), or give ann_file.'
        )
    truth = COCO()
    try:
        truth.dataset = json.loads(Path(path).read_text(encoding='utf-8'))
        names = [PurePath(one['file_name']).stem for one in truth.dataset['images']]
        masks = [one for one in truth.dataset['annotations'] if one.get('segmentation')]
        categories = [one['name'] for one in truth.dataset['categories']]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is no COCO json ({type(error).__name__}: {error}). Legal: {{"images", '
            '"annotations", "categories"}}.'
        ) from error
    if not masks or not categories:
        raise ValueError(
            f'{path} has {len(masks)} masks of {len(categories)} categories: AP50 needs instances. '
            'A data set of label maps alone has none; use its semantic metric.'
        )
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise ValueError(
            f'{path} lists {len(twins)} names of images twice, the first {twins[0]!r}: which masks '
            'are whose is not known. Give each image a name of its own.'
        )
    truth.dataset['annotations'] = masks
    for i, one in enumerate(masks, 1):
        one['id'] = i  # of 0 pycocotools would say that it was not found
        one.setdefault('iscrowd', 0)
        one.setdefault('area', 1.0)  # asked for, though instances of every area count
    with quiet():
        truth.createIndex()
    return truth


def quiet():
    """pycocotools prints what it does."""
    return contextlib.redirect_stdout(io.StringIO())


def categories_of(truth, classes: Sequence[str], rows: Sequence[int], where: str) -> list[int]:
    """The category ids of classes, found by name: mmdet's `OVCocoMetric` counts them by order, and
    is silently wrong where `classes` are not in that of the ids.

    Raises:
        ValueError: a class without category.
    """
    by_name = {folded(one['name']): one['id'] for one in truth.dataset['categories']}
    out = [
        next((by_name[k] for k in map(folded, split_names(classes[i])) if k in by_name), None)
        for i in rows
    ]
    missing = [canonical(classes[i]) for i, one in zip(rows, out, strict=True) if one is None]
    if missing:
        raise ValueError(
            f'{len(missing)} of {len(rows)} classes are no category of {where}: '
            f'{", ".join(missing[:5])}; its categories are {", ".join(list(by_name)[:5])} '
            '... Give the data set the classes of the json, or name the stuff by metainfo things.'
        )
    return out


def rle(masks: Tensor) -> list[dict]:
    """Masks (N, h, w) as pycocotools codes them."""
    from pycocotools import mask as coco

    masks = np.asfortranarray(masks.permute(1, 2, 0).cpu().numpy().astype(np.uint8))
    return coco.encode(masks) if masks.shape[2] else []


def own_truth(sample: dict, ignored: int) -> list[tuple[dict, int]]:
    """Code and class of each thing of a sample, by its labels and instance map.

    Raises:
        ValueError: it has no instance map.
    """
    numbers = sample.get(INSTANCES)
    if numbers is None:
        raise ValueError(
            f'{sample["img_path"]} has no instance map. Put LoadInstances and '
            f"PackSegInputs(meta_keys=(..., '{INSTANCES}')) into the pipeline, or give the metric "
            'an ann_file.'
        )
    labels, numbers = sample['gt_sem_seg']['data'][0].cpu(), torch.as_tensor(numbers.copy())
    masks, classes = class_maps(labels.where(numbers > 0, ignored), ignored, numbers)
    return list(zip(rle(masks), classes.tolist(), strict=True))


def truth_of_samples(results: list, classes: Sequence[str]):
    """What `own_truth` found in all samples, as pycocotools has it."""
    from pycocotools.coco import COCO

    truth = COCO()
    things = [(image, *thing) for image, *_, own in results for thing in own]
    truth.dataset = dict(
        # height and width are asked for, but a code has its own
        images=[dict(id=one[0], height=0, width=0) for one in results],
        categories=[dict(id=i, name=canonical(name)) for i, name in enumerate(classes)],
        annotations=[
            dict(id=i, image_id=image, segmentation=code, category_id=label, iscrowd=0, area=1.0)
            for i, (image, code, label) in enumerate(things, 1)
        ],
    )
    with quiet():
        truth.createIndex()
    return truth


@METRICS.register_module()
class InstanceAPMetric(BaseMetric):
    """`AP50`, and where it is known which classes are unseen `AP50(base)` and `AP50(novel)`, in
    percent.

    With all classes in one vocabulary these are the generalized numbers of MasQCLIP's table 2; with
    the base or the novel ones alone, and their json, the constrained ones. Of the data set are the
    classes, those `unseen`, which are novel, and the `things`, all where it does not say.

    Args:
        ann_file: COCO json; images are found by their file's name without folder and ending. If
            left out, the truth are the samples' labels and `instance_map` (see `LoadInstances`).
        unseen: the novel classes, as `load_unseen` takes them; by default the data set's, which
            cannot be all of its classes.
        matches_file: also write what was found in every image there, an `InstanceMatches`.
        collect_device, prefix: see mmengine's `BaseMetric`.

    Raises:
        FileNotFoundError: no such json.
        ValueError: see `read_truth` and `categories_of`; by `process`, a sample without instances,
            a photo that the json does not list, or, without one, has no instance map.
    """

    def __init__(
        self,
        ann_file: str | None = None,
        unseen: str | Sequence[str] | None = None,
        matches_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ann_file = ann_file
        self.unseen = None if unseen is None else load_unseen(unseen)
        self.matches_file = matches_file
        if ann_file is not None:
            self.truth = read_truth(ann_file)
            self.ids = {PurePath(one['file_name']).stem: i for i, one in self.truth.imgs.items()}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Each sample has `pred_instances` and `img_path`."""
        for sample in data_samples:
            photo = PurePath(sample['img_path']).stem
            if 'pred_instances' not in sample:
                raise ValueError(
                    f'{photo} has no instances. Test a two-stage model with '
                    "model.test_cfg.tasks=['semantic','instance']."
                )
            if self.ann_file is None:
                ignored = ignore_index(len(self.dataset_meta['classes']))
                image, own = str(sample['img_path']), own_truth(sample, ignored)
            elif photo in self.ids:
                image, own = self.ids[photo], []
            else:
                raise ValueError(
                    f'{self.ann_file} lists {len(self.ids)} images, none of them called {photo!r}. '
                    'Give the json of these photos.'
                )
            found = sample['pred_instances']
            self.results.append(
                (
                    image,
                    rle(found['masks']),
                    found['scores'].tolist(),
                    found['labels'].tolist(),
                    own,
                )
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        meta = self.dataset_meta
        classes, names = meta['classes'], meta.get('things')
        things = thing_classes(load_things(names, classes), classes)
        if self.ann_file is None:
            self.truth, ids = truth_of_samples(results, classes), things
        else:
            ids = categories_of(self.truth, classes, things, self.ann_file)
        names = [canonical(classes[i]) for i in things]
        by_label = dict(zip(things, ids, strict=True))
        matches = self._matches(results, by_label, names, self._novel(things))
        if self.matches_file:
            write_arrays(self.matches_file, **asdict(matches))
        return matches.scores

    def _novel(self, things: Sequence[int]) -> np.ndarray:
        """Which of the things are novel, (C,) bool; (0,) where nobody says.

        Raises:
            ValueError: `unseen` names what is no class.
        """
        classes, unseen = self.dataset_meta['classes'], self.unseen
        if unseen is None and self.dataset_meta.get('unseen') is not None:
            unseen = load_unseen(self.dataset_meta['unseen'])
        if unseen is None:
            return np.zeros(0, dtype=bool)
        given = set(map(folded, unseen))
        strangers = sorted(given - folded_names(classes))
        if strangers:
            raise ValueError(
                f'unseen names {", ".join(strangers)}, which are no classes of the data set. Name '
                f'some of {", ".join(map(canonical, classes[:5]))} ...'
            )
        return np.array([bool(given & folded_names([classes[i]])) for i in things], dtype=bool)

    def _matches(
        self, results: list, ids: dict[int, int], names: list[str], novel: np.ndarray
    ) -> InstanceMatches:
        """What pycocotools matches of each class; `ids` are category ids by label."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        rows = [
            dict(image_id=image, category_id=ids[label], segmentation=mask, score=score)
            for image, masks, scores, labels, _ in results
            for mask, score, label in zip(masks, scores, labels, strict=True)
            if label in ids
        ]
        found = COCO()
        found.dataset = dict(
            self.truth.dataset,
            annotations=[dict(row, id=i, iscrowd=0, area=1.0) for i, row in enumerate(rows, 1)],
        )
        images = sorted({one[0] for one in results})
        if len(images) < len(self.truth.imgs):
            print_log(f'AP50: of {len(images)} of {len(self.truth.imgs)} images', logger='current')
        measure = COCOeval(self.truth, found, 'segm')
        measure.params.catIds = list(ids.values())
        measure.params.imgIds = images
        measure.params.iouThrs = np.array([0.5])
        measure.params.areaRng, measure.params.areaRngLbl = [[0, 1e10]], ['all']
        measure.params.maxDets = [100]
        with quiet():
            found.createIndex()
            measure.evaluate()
        count = len(images)
        places = np.searchsorted(measure.params.catIds, list(ids.values()))  # it sorts them
        found = [one for i in places for one in measure.evalImgs[i * count : (i + 1) * count]]
        return matches_of(found, count, names, novel)
