"""The metric of generalised zero-shot segmentation: seen, unseen, and their harmonic mean."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from prettytable import PrettyTable
from torch import Tensor

from ..datasets.facts import Facts
from ..datasets.label_files import write_label_file
from ..datasets.output_names import OutputNames
from ..registry import METRICS
from ..vocabulary.labels import UNLABELLED, ignore_index
from ..vocabulary.lists import canonical, load_unseen, split_indices
from .areas import write_areas
from .scores import checked_prediction, class_scores, pixel_areas, summarise


@METRICS.register_module()
class ZeroShotIoUMetric(BaseMetric):
    """`pAcc`, `mAcc`, `mIoU`, the same with `(S)` and `(U)`, and `hIoU`, in percent.

    All come from one argmax over all classes. `pAcc(S)` is over pixels whose true class is
    seen. Classes in neither ground truth nor prediction are left out of means and named in the
    log. After `evaluate`, `per_class` holds one dict a class: `name`, `group` ('S' or
    'U'), `IoU` and `Acc` in percent, or None where the class has no pixel.

    Args:
        unseen: unseen classes, as `load_unseen` takes them; by default those of the data set
            (`metainfo['unseen']`). `'none'` reports no `(S)`, `(U)` and `hIoU`,
            whatever the data set.
        novel_only: also report `novel_only_mIoU`: pixels of unseen classes only, and an argmax
            over the unseen classes only (some papers' easier "unseen" number; never compare it
            with `mIoU(U)`). Needs `seg_logits` of all classes.
        output_dir: write every prediction there as PNG, 16-bit where 255 is a class; where the
            data set reduces the zero label, values begin with 1, as its files do. Sub-folders of
            the photos are kept, see `OutputNames`.
        format_only: write the predictions and score nothing (no ground truth).
        areas_file: also write every image's pixel areas there, see `write_areas`.
        collect_device: see mmengine's `BaseMetric`.
        prefix: see mmengine's `BaseMetric`.

    Raises:
        ValueError: an unseen name that is no class of the data set, other unseen classes than the
            data set's, values outside the classes,
            `format_only` without `output_dir`, two photos whose predictions would be one file;
            scores of NaN or infinity, and predictions that are no label map (the image is
            named); a photo without labels that is to be scored.
    """

    def __init__(
        self,
        unseen: str | Sequence[str] | None = None,
        novel_only: bool = False,
        output_dir: str | None = None,
        format_only: bool = False,
        areas_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and not output_dir:
            raise ValueError(
                'ZeroShotIoUMetric: format_only=True writes predictions, but output_dir is'
                f' {output_dir!r}. Name a folder.'
            )
        self.given = None if unseen is None else load_unseen(unseen)
        self.unseen = ()  # label values; known with the data set
        self.novel_only = novel_only
        self.output_dir = output_dir
        self.format_only = format_only
        self.areas_file = areas_file
        self.per_class = []
        self.names = OutputNames()  # the data set's own, where our launcher runs the test

    @property
    def dataset_meta(self) -> dict | None:
        """Of the data set that is scored: `classes` and, where it has any, `unseen`."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        self._dataset_meta = meta
        facts = Facts('the data set', meta['classes'], meta.get('unseen'))
        asked = self.given != []  # 'none' asks for no (S) and (U), which contradicts nobody
        names = facts.settle_unseen('ZeroShotIoUMetric', self.given) if asked else ()
        _, self.unseen = split_indices(meta['classes'], names or ())

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch; each sample has `pred_sem_seg` and `gt_sem_seg`,
        `data` (1, H, W)."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            if 'pred_sem_seg' not in sample:
                raise ValueError(
                    f'{sample.get("img_path", "a sample")} has no prediction of classes. A '
                    "two-stage model makes one where model.test_cfg.tasks has 'semantic', which "
                    'is also what it does where tasks is left out.'
                )
            pred = checked_prediction(
                sample['pred_sem_seg']['data'],
                sample.get('seg_logits', {}).get('data'),
                sample.get('img_path') or 'an image',
            )
            if self.output_dir:
                self._save(pred, sample, num_classes)
            photo = sample.get('img_path') if self.output_dir else None
            if self.format_only:
                self.results.append((None, None, photo))
                continue
            label = _labels(sample).to(pred.device)
            ignore = ignore_index(num_classes)
            areas = pixel_areas(pred, label, num_classes, ignore)
            novel = self._novel_areas(sample, label, ignore) if self.novel_only else None
            self.results.append((areas.int().cpu(), novel, photo))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores of the whole data set from every image's areas."""
        for *_, photo in results if self.output_dir else ():
            self.names.name(photo)  # raises where another process wrote the same file
        if self.format_only:
            print_log(f'predictions are in {self.output_dir}', 'current')
            return {}
        classes = [canonical(name) for name in self.dataset_meta['classes']]
        if self.areas_file:
            write_areas(
                self.areas_file,
                torch.stack([image[0] for image in results]).numpy(),
                classes,
                self.unseen,
            )
        areas = _total(results, 0)
        out = summarise(areas, self.unseen)
        self._log_classes(classes, areas)
        if self.unseen and 'hIoU' not in out:
            print_log(
                'no pixel of the seen or of the unseen classes was found: hIoU is not defined.',
                'current',
                level=30,
            )
        if self.novel_only:
            iou, _ = class_scores(_total(results, 1)[:, list(self.unseen)])
            if not np.isnan(iou).all():
                out['novel_only_mIoU'] = float(np.nanmean(iou))
        return out

    def _novel_areas(self, sample: dict, label: Tensor, ignore: int) -> Tensor:
        """Areas (3, C) with seen pixels ignored and seen classes forbidden."""
        classes, unseen = self.dataset_meta['classes'], self.unseen
        logits = sample.get('seg_logits', {}).get('data')
        if not unseen or logits is None or len(logits) != len(classes):
            shape = None if logits is None else tuple(logits.shape)
            raise ValueError(
                f'novel_only=True needs unseen classes (got {len(unseen)}) and seg_logits of all'
                f' {len(classes)} classes (got shape {shape}). Set novel_only=False.'
            )
        rows = torch.tensor(unseen, device=label.device)
        pred = rows[logits.to(label.device)[rows].argmax(0)]
        label = torch.where(torch.isin(label, rows), label, ignore)
        return pixel_areas(pred, label, len(classes), ignore).int().cpu()

    def _log_classes(self, classes: list[str], areas: np.ndarray) -> None:
        iou, acc = class_scores(areas)
        table = PrettyTable(['Class', 'S/U', 'IoU', 'Acc'], align='r')
        self.per_class = []
        for i, name in enumerate(classes):
            group = 'U' if i in self.unseen else 'S'
            values = [None if np.isnan(v) else float(v) for v in (iou[i], acc[i])]
            self.per_class.append(dict(name=name, group=group, IoU=values[0], Acc=values[1]))
            table.add_row([name, group, *('-' if v is None else f'{v:.2f}' for v in values)])
        print_log(f'per class results (percent):\n{table.get_string()}', 'current')
        absent = [row['name'] for row in self.per_class if row['IoU'] is None]
        if absent:
            print_log(
                f'{len(absent)} of {len(classes)} classes are in neither ground truth nor'
                f' prediction and are left out of the means: {", ".join(absent)}',
                'current',
            )

    def _save(self, pred: Tensor, sample: dict, num_classes: int) -> None:
        first = int(bool(sample.get('reduce_zero_label', False)))
        wide = num_classes - 1 + first >= ignore_index(1)
        low, high = (int(value) for value in pred.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f'{sample["img_path"]}: the prediction holds {low if low < 0 else high}; legal: 0 '
                f'to {num_classes - 1} ({num_classes} classes). Do the model and the data set have '
                'the same class list?'
            )
        values = (pred.cpu().numpy() + first).astype(np.uint16 if wide else np.uint8)
        write_label_file(
            values,
            self.names.place(self.output_dir, sample['img_path'], sample.get('seg_map_path')),
        )


def _labels(sample: dict) -> Tensor:
    """(H, W) labels of a sample.

    Raises:
        ValueError: it has none.
    """
    found = sample.get('gt_sem_seg')
    label = None if found is None else found['data'].squeeze(0)
    if label is None or (label == UNLABELLED).all():
        raise ValueError(
            f'{sample.get("img_path", "the photo")} has no labels, so nothing can be scored. Give '
            "its data set data_prefix['seg_map_path'] and its pipeline mmseg_zsclip.LoadLabels; or "
            'write predictions alone: --cfg-options test_evaluator.format_only=True '
            'test_evaluator.output_dir=FOLDER, with --show-dir for pictures.'
        )
    return label


def _total(results: list, which: int) -> np.ndarray:
    """Sum over images of the (3, C) areas, int64."""
    total = results[0][which].numpy().astype(np.int64)
    for image in results[1:]:
        total += image[which].numpy()
    return total
