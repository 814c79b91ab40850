"""Two processes, each with half of the photos, measure what one process does with all of them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.distributed as dist
from pycocotools import mask as codes

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.evaluation import (
    InstanceAPMetric,
    PanopticQualityMetric,
    ProposalMetric,
    ZeroShotIoUMetric,
)
from mmseg_zsclip.evaluation.panoptic_quality import true_ids
from mmseg_zsclip.masks import class_maps

META = dict(
    classes=('sky', 'dog', 'cat', 'owl'),
    unseen=('owl',),
    things=('dog', 'cat', 'owl'),
    palette=None,
)
PHOTOS = 5  # an odd number: a sampler of two processes gives the first photo to both
SIZE = (24, 32)


def truth(i):
    """Labels and numbers of photo i: sky, and one to three things of every kind."""
    labels, numbers = np.zeros(SIZE, np.int64), np.zeros(SIZE, np.int32)
    for n in range(1, i % 3 + 2):
        box = slice(8 * n - 7, 8 * n - 2), slice(3 * i + 1, 3 * i + 12)
        labels[box], numbers[box] = (i + n) % 3 + 1, n
    return labels, numbers


def sample(i):
    """What a model said of photo i, the truth moved by some pixels."""
    labels, numbers = truth(i)
    found = np.roll(labels, i, axis=1), np.roll(numbers, i, axis=1)
    there, moved = (torch.from_numpy(one).clone() for one in found)
    masks, of = class_maps(there, 255, moved)
    things = of > 0
    scores = torch.linspace(0.9, 0.3, len(of)).roll(i)
    return dict(
        img_path=f'{i}.jpg',
        instance_map=numbers,
        gt_sem_seg=dict(data=torch.from_numpy(labels)[None]),
        pred_sem_seg=dict(data=there[None]),
        pred_panoptic_seg=dict(sem_seg=true_ids(there, moved, [1, 2, 3], 4)[None]),
        pred_instances=dict(masks=masks[things], scores=scores[things], labels=of[things]),
        proposals=dict(
            masks=masks.float(), scores=torch.rand(len(of), 4, generator=torch.manual_seed(i))
        ),
    )


def write_json(path):
    images, annotations = [], []
    for i in range(PHOTOS):
        labels, numbers = truth(i)
        images.append(dict(id=i, file_name=f'{i}.jpg', height=SIZE[0], width=SIZE[1]))
        for n in range(1, numbers.max() + 1):
            code = codes.encode(np.asfortranarray(numbers == n, dtype=np.uint8))
            code['counts'] = code['counts'].decode()
            label = int(labels[numbers == n][0])
            annotations.append(dict(image_id=i, category_id=label, segmentation=code))
    categories = [dict(id=i, name=META['classes'][i]) for i in (1, 2, 3)]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def measured(photos, file):
    """All metrics of photos, which come in batches of two."""
    out = {}
    for name, metric in dict(
        iou=ZeroShotIoUMetric(),
        panoptic=PanopticQualityMetric(),
        own=InstanceAPMetric(),
        json=InstanceAPMetric(ann_file=file),
        proposals=ProposalMetric(),
    ).items():
        metric.dataset_meta = META
        for i in range(0, len(photos), 2):
            metric.process({}, [sample(j) for j in photos[i : i + 2]])
        out[name] = metric.evaluate(PHOTOS)
    return out


@pytest.mark.skipif(not dist.is_gloo_available(), reason='torch was built without gloo')
def test_two_processes_measure_what_one_does(tmp_path):
    file = tmp_path / 'truth.json'
    write_json(file)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), WORLD_SIZE='2')
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=env)
        for rank in range(2)
    ]
    alone = measured(range(PHOTOS), file)
    assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    for rank in range(2):
        found = json.loads((tmp_path / f'{rank}.json').read_text())
        assert found.keys() == alone.keys()
        assert all(found[name] == pytest.approx(alone[name]) for name in alone)
    for name, keys in dict(
        iou=['mIoU(U)'],
        panoptic=['PQ', 'PQ(th)', 'PQ(st)'],
        own=['AP50(base)', 'AP50(novel)'],
        json=['AP50(base)', 'AP50(novel)'],
        proposals=['recall(S)', 'recall(U)'],
    ).items():
        assert all(0 < alone[name][key] < 100 for key in keys)


def run(rank, folder):
    os.environ['RANK'] = str(rank)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    share = [(rank + 2 * i) % PHOTOS for i in range(3)]  # as mmengine's DefaultSampler
    out = measured(share, f'{folder}/truth.json')
    with open(f'{folder}/{rank}.json', 'w') as target:
        json.dump(out, target)
    dist.barrier()  # torch 2.1 may hang in the next line where another process has ended
    dist.destroy_process_group()


if __name__ == '__main__':
    run(int(sys.argv[1]), sys.argv[2])
