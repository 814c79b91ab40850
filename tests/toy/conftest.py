"""What mmdet's panoptic evaluation imports and no package index has."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest


def rgb2id(colours):
    return colours.astype(np.int32) @ np.array((1, 256, 256**2), np.int32)


def id2rgb(ids):
    return np.stack([ids >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8)


class PQStat:
    """Sums of Kirillov et al., CVPR 2019, in the interface that mmdet calls."""

    def __init__(self):
        self.rows = {}

    def __getitem__(self, category):
        return self.rows.setdefault(category, SimpleNamespace(iou=0.0, tp=0, fp=0, fn=0))

    def __iadd__(self, other):
        for category, row in other.rows.items():
            for key, value in vars(row).items():
                setattr(self[category], key, getattr(self[category], key) + value)
        return self

    def pq_average(self, categories, isthing):
        each = {}
        for category, info in categories.items():
            if isthing is None or isthing == bool(info['isthing']):
                row = self[category]
                total = row.tp + (row.fp + row.fn) / 2
                if total:
                    each[category] = dict(
                        pq=row.iou / total, sq=row.iou / max(row.tp, 1), rq=row.tp / total
                    )
        mean = {k: float(np.mean([e[k] for e in each.values()])) for k in ('pq', 'sq', 'rq')}
        return mean | dict(n=len(each)), each


@pytest.fixture
def panopticapi(monkeypatch):
    """`panopticapi`, or where it is not installed the little of it that mmdet needs: it is only
    in COCO's repository, so no requirement can name it."""
    import mmseg_zsclip  # noqa: F401, I001
    from mmdet.evaluation.functional import panoptic_utils
    from mmdet.evaluation.metrics import coco_panoptic_metric

    if coco_panoptic_metric.panopticapi is not None:
        return
    utils = ModuleType('panopticapi.utils')
    utils.rgb2id, utils.id2rgb = rgb2id, id2rgb
    package = ModuleType('panopticapi')
    package.utils = utils
    monkeypatch.setitem(sys.modules, 'panopticapi', package)
    monkeypatch.setitem(sys.modules, 'panopticapi.utils', utils)
    monkeypatch.setattr(coco_panoptic_metric, 'panopticapi', package)
    for module in (coco_panoptic_metric, panoptic_utils):
        for name, value in (('PQStat', PQStat), ('rgb2id', rgb2id), ('id2rgb', id2rgb)):
            monkeypatch.setattr(module, name, value, raising=False)
        monkeypatch.setattr(module, 'VOID', 0, raising=False)
