"""AP50 of instances: by names, whatever the order of the json, and of base and novel apart."""

import json

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample
from pycocotools import mask as coco

from mmseg_zsclip.evaluation import InstanceAPMetric
from mmseg_zsclip.evaluation.areas import read_arrays
from mmseg_zsclip.evaluation.matches import InstanceMatches

NAMES = ('cat', 'dog, puppy', 'owl')
IDS = dict(owl=3, cat=17, puppy=18)
SIZE = 32, 40


def box(y0, y1, x0, x1):
    mask = np.zeros(SIZE, np.uint8, order='F')
    mask[y0:y1, x0:x1] = 1
    return mask


@pytest.fixture
def truth(tmp_path):
    """Three photos with two instances each, of categories in another order than the classes."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(6):
        y, x = rng.integers(0, 12, 2)
        code = coco.encode(box(y, y + 16, x, x + 20))
        code['counts'] = code['counts'].decode()
        category = list(IDS.values())[i % 3]
        rows.append(
            dict(
                id=i,
                image_id=7 + i // 2,
                category_id=category,
                segmentation=code,
                area=320,
                iscrowd=0,
                bbox=[int(x), int(y), 20, 16],
            )
        )
    path = tmp_path / 'instances.json'
    content = dict(
        images=[dict(id=7 + i, file_name=f'a/{i}.jpg', height=32, width=40) for i in range(3)],
        annotations=rows,
        categories=[dict(id=i, name=name) for name, i in IDS.items()],
    )
    path.write_text(json.dumps(content))
    return path, content


def photos(content, classes, noise=0):
    """What a model that knows the truth, moved by up to `noise` pixels, says of the photos."""
    rng = np.random.default_rng(1)
    by_id = {i: name for name, i in IDS.items()}
    out = []
    for image in content['images']:
        rows = [one for one in content['annotations'] if one['image_id'] == image['id']]
        masks = np.stack([coco.decode(one['segmentation']) for one in rows])
        masks = np.roll(masks, rng.integers(-noise, noise + 1), axis=2)
        names = [by_id[one['category_id']] for one in rows]
        found = InstanceData(
            masks=torch.from_numpy(masks).bool(),
            labels=torch.tensor([next(i for i, c in enumerate(classes) if n in c) for n in names]),
            scores=torch.from_numpy(rng.random(len(rows))),
            bboxes=torch.zeros(len(rows), 4),
        )
        meta = dict(img_path=f'/data/{image["file_name"]}', img_id=image['id'], ori_shape=SIZE)
        out.append(SegDataSample(metainfo=meta, pred_instances=found).to_dict())
    return out


def metric(path, classes=NAMES, **meta):
    out = InstanceAPMetric(path and str(path))
    out.dataset_meta = dict(classes=classes, **meta)
    return out


def test_the_truth_scores_a_hundred_whatever_the_order_of_the_classes(truth):
    path, content = truth
    for classes in (NAMES, NAMES[::-1]):
        one = metric(path, classes, unseen=['owl'])
        one.process({}, photos(content, classes))
        assert one.evaluate(3) == {'AP50': 100, 'AP50(base)': 100, 'AP50(novel)': 100}


def test_it_is_mmdets_where_that_is_right_and_order_changes_nothing(truth, tmp_path):
    from mmdet.evaluation import OVCocoMetric

    path, content = truth
    names = ('owl', 'cat', 'puppy')  # by category id
    found = photos(content, names, noise=7)
    found[0]['pred_instances']['labels'][:] = 0  # wrong in part
    content = json.loads(path.read_text())
    for i, one in enumerate(content['annotations'], 1):
        one['id'] = i
    path.write_text(json.dumps(content))
    theirs = OVCocoMetric(str(path), metric='segm')
    theirs.dataset_meta = dict(classes=names, base_classes=names[:2], novel_classes=names[2:])
    theirs.process({}, found)
    theirs = theirs.evaluate(3)
    ours = metric(path, names, unseen=['puppy'])
    ours.matches_file = tmp_path / 'new' / 'matches.npz'
    ours.process({}, found)
    rows = list(ours.results)
    out = ours.evaluate(3)
    assert 5 < out['AP50'] < 95
    assert out['AP50'] == pytest.approx(100 * theirs['coco/segm_mAP_50'], abs=0.06)
    assert out['AP50(base)'] == pytest.approx(100 * theirs['coco/base_ap50'], abs=0.06)
    assert out['AP50(novel)'] == pytest.approx(100 * theirs['coco/novel_ap50'], abs=0.06)
    assert InstanceMatches(**read_arrays(ours.matches_file)).scores == out
    assert ours.compute_metrics(rows[::-1]) == out


def test_novel_classes_alone_are_called_that(truth):
    """A constrained number; a data set of unseen classes alone there is not."""
    path, content = truth
    names = ('cat', 'puppy')
    rows = [one for one in content['annotations'] if one['category_id'] != IDS['owl']]
    one = InstanceAPMetric(str(path), unseen=names)
    one.dataset_meta = dict(classes=names, unseen=[])
    one.process({}, photos(content | dict(annotations=rows), names))
    found = list(one.results)
    assert one.evaluate(3) == {'AP50': 100, 'AP50(novel)': 100}
    one.unseen = ['ox']
    with pytest.raises(ValueError, match='unseen names ox, which are no classes of the data set'):
        one.compute_metrics(found)


def test_things_alone_are_asked_for(truth):
    path, content = truth
    one = metric(path, (*NAMES, 'sky'), things=['cat', 'owl'])
    one.process({}, photos(content, NAMES))
    assert one.evaluate(3) == {'AP50': 100}
    every = metric(path, (*NAMES, 'sky'))
    every.process({}, photos(content, NAMES))
    with pytest.raises(ValueError, match='1 of 4 classes are no category of .*: sky'):
        every.evaluate(3)


def test_a_model_that_finds_nothing_scores_nothing(truth):
    path, content = truth
    one, found = metric(path), photos(content, NAMES)
    for photo in found:
        photo['pred_instances'] = InstanceData(
            masks=torch.zeros(0, *SIZE, dtype=torch.bool),
            labels=torch.zeros(0),
            scores=torch.zeros(0),
        ).to_dict()
    one.process({}, found)
    assert one.evaluate(3) == {'AP50': 0}


def test_what_it_cannot_measure_is_named(truth, tmp_path):
    path, content = truth
    found = photos(content, NAMES)
    other = dict(found[0], img_path='/data/zebra.jpg')
    with pytest.raises(ValueError, match=r"lists 3 images, none of them called 'zebra'"):
        metric(path).process({}, [other])
    del found[1]['pred_instances']
    with pytest.raises(ValueError, match=r'1 has no instances. Test a two-stage model'):
        metric(path).process({}, found)
    for wrong, match in (
        (dict(content, annotations=[]), 'has 0 masks of 3 categories: AP50 needs instances'),
        (dict(images=[]), 'is no COCO json'),
        (dict(content, images=content['images'] * 2), 'lists 3 names of images twice'),
    ):
        place = tmp_path / 'wrong.json'
        place.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=match):
            metric(place)


def test_a_json_that_is_not_there_names_who_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match='all.json of InstanceAPMetric .* The converter'):
        metric(tmp_path / 'all.json')


def test_without_a_json_the_truth_is_the_samples_own(tmp_path):
    """Boxes that do not overlap, so that a label map holds the same instances as a json."""
    rng, rows, samples = np.random.default_rng(2), [], []
    for i in range(4):
        labels, numbers = np.full(SIZE, 255), np.zeros(SIZE, int)
        masks, classes = [], []
        for j in range(3):
            y, x = rng.integers(0, 8, 2)
            mask = box(y, y + 20, 13 * j + x // 2, 13 * j + x // 2 + 8)
            label = int(rng.integers(3))
            labels[mask > 0], numbers[mask > 0] = label, j + 1
            code = coco.encode(mask)
            code['counts'] = code['counts'].decode()
            rows.append(dict(image_id=i, category_id=label, segmentation=code))
            masks.append(np.roll(mask, rng.integers(-3, 4), axis=1))
            classes.append(int(rng.integers(3)) if rng.random() < 0.3 else label)
        found = dict(
            masks=torch.from_numpy(np.stack(masks)).bool(),
            labels=torch.tensor(classes),
            scores=torch.from_numpy(rng.random(3)),
        )
        truth = dict(data=torch.from_numpy(labels)[None])
        samples.append(
            dict(img_path=f'{i}.jpg', pred_instances=found, gt_sem_seg=truth, instance_map=numbers)
        )
    path = tmp_path / 'same.json'
    images = [dict(id=i, file_name=f'{i}.jpg', height=32, width=40) for i in range(4)]
    categories = [dict(id=i, name=name) for i, name in enumerate(('cat', 'dog', 'owl'))]
    path.write_text(json.dumps(dict(images=images, annotations=rows, categories=categories)))
    scores = []
    for one in (metric(path, unseen=['owl']), metric(None, unseen=['owl'])):
        one.process({}, samples)
        scores.append(one.evaluate(4))
    assert scores[0] == scores[1]
    assert 0 < scores[0]['AP50(novel)'] < 100
    del samples[0]['instance_map']
    with pytest.raises(ValueError, match=r'0\.jpg has no instance map.*ann_file'):
        metric(None).process({}, samples)
