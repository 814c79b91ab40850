"""How good proposals are, and whether their scores say so."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from ..datasets.facts import Facts
from ..datasets.transforms.load_instances import INSTANCES
from ..masks import class_maps, mask_iou
from ..registry import METRICS
from ..vocabulary.labels import ignore_index
from ..vocabulary.lists import split_indices


def correlation(sums: Tensor) -> float | None:
    """Pearson's r from the sums of 1, x, y, x x, y y and x y; None where x or y does not vary."""
    n, x, y, xx, yy, xy = sums.tolist()
    spread = (n * xx - x * x) * (n * yy - y * y)
    return (n * xy - x * y) / spread**0.5 if n and spread > 1e-12 * n**4 else None


@METRICS.register_module()
class ProposalMetric(BaseMetric):
    """Recall of proposals, and how far a proposal's score of a class follows its IoU with it.

    - `recall`, `recall(S)`, `recall(U)`: percent of the true segments that a proposal meets. A
      segment is a thing where the sample has an `instance_map` (see `LoadInstances`), or a class.
    - `score_IoU_r`: Pearson's correlation over pairs of a proposal and a class in the image that
      share a pixel, of all classes, of seen and of unseen ones (MAFT, figure 1: frozen CLIP's is
      low).

    The model gives its proposals with `test_cfg=dict(keep_proposals=True)`.

    Args:
        iou: from which a proposal meets a segment.
        collect_device, prefix: see mmengine's `BaseMetric`.

    Raises:
        ValueError: an `iou` outside (0, 1]; a sample without proposals.
    """

    def __init__(
        self, iou: float = 0.5, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < iou <= 1:
            raise ValueError(f'iou is {iou}; legal values: above 0, up to 1. The usual is 0.5.')
        self.iou = iou

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Each sample has `proposals` (`masks` (P, h, w), `scores` (P, C)) and `gt_sem_seg`."""
        ignored = ignore_index(len(self.dataset_meta['classes']))
        for sample in data_samples:
            found = sample.get('proposals')
            if found is None:
                raise ValueError(
                    f'{sample.get("img_path", "a sample")} has no proposals. Test a two-stage '
                    'model with model.test_cfg.keep_proposals=True.'
                )
            masks, scores = found['masks'].float(), found['scores']
            labels = sample['gt_sem_seg']['data'][0].to(masks.device)
            things = sample.get(INSTANCES)
            if things is not None:
                things = torch.as_tensor(things.copy(), device=labels.device)
            segments, of = class_maps(labels, ignored, things)
            overlap = mask_iou((masks > 0.5).float(), segments)
            met = (overlap >= self.iou).any(dim=1)
            maps, classes = class_maps(labels, ignored)
            sums = self._sums(mask_iou(masks, maps), scores[:, classes].T, classes)
            self.results.append((of.cpu(), met.cpu(), sums.cpu()))

    def _sums(self, overlap: Tensor, scores: Tensor, classes: Tensor) -> Tensor:
        """What `correlation` wants of each class: (K, P) twice -> (C, 6)."""
        x, y = scores.double(), overlap.double()
        values = torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y])
        values = (values * (overlap > 0)).sum(dim=2).T
        out = values.new_zeros(len(self.dataset_meta['classes']), 6)
        return out.index_add_(0, classes.to(out.device), values)

    def compute_metrics(self, results: list) -> dict[str, float]:
        names = self.dataset_meta['classes']
        facts = Facts('the data set', names, self.dataset_meta.get('unseen'))
        seen, unseen = split_indices(names, facts.settle_unseen('ProposalMetric', None) or ())
        classes, met = (torch.cat([one[i] for one in results]) for i in (0, 1))
        sums = sum(one[2] for one in results)
        groups = {'': [*seen, *unseen], '(S)': seen, '(U)': unseen} if unseen else {'': seen}
        out = {}
        for suffix, rows in groups.items():
            of_group = torch.isin(classes, torch.tensor(rows))
            if of_group.any():
                out[f'recall{suffix}'] = float(met[of_group].double().mean() * 100)
            r = correlation(sums[list(rows)].sum(dim=0))
            if r is not None:
                out[f'score_IoU_r{suffix}'] = r
        return out
