"""The world's files, read back by the data sets and scored by the metrics that users have."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from pycocotools.coco import COCO
from scipy.io import savemat

from mmseg_zsclip.datasets.label_files import read_label_file
from mmseg_zsclip.datasets.preflight import check_label_files
from mmseg_zsclip.registry import DATASETS, METRICS
from mmseg_zsclip.toy import World
from mmseg_zsclip.toy.export import coco_metainfo, export, voc_labels

CONVERTERS = Path(__file__).parents[2] / 'tools' / 'dataset_converters'
COUNT = 12
TOY = World('toy', 64)


def tool(name):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', CONVERTERS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy')
    tool('toy').main(
        [str(folder), '--size', '64', '--train', '2', '--val', str(COUNT), '--test', '0']
    )
    return folder


@pytest.fixture(scope='module')
def scenes():
    return [TOY.scene('val', i) for i in range(COUNT)]


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def voc_set(kind, root, **kwargs):
    return DATASETS.build(
        dict(
            type=kind,
            data_root=str(root / 'voc'),
            ann_file='ImageSets/Segmentation/val.txt',
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            **kwargs,
        )
    )


def coco_set(kind, root, ann_file, **kwargs):
    return DATASETS.build(
        dict(
            type=f'mmdet.{kind}',
            data_root=str(root / 'coco'),
            ann_file=f'annotations/{ann_file}',
            test_mode=True,
            pipeline=[],
            **kwargs,
        )
    )


def test_files_are_whole_and_listed(root):
    files = sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())
    assert not [f for f in files if 'part' in f]
    assert len(files) == 5 * (COUNT + 2) + 2 + 2 + 4
    names = (root / 'voc/ImageSets/Segmentation/val.txt').read_text().split()
    assert names == [f'val_{i:06d}' for i in range(COUNT)]
    assert (root / 'voc/unseen.txt').read_text().split() == [
        'boat',
        'flower',
        'umbrella',
        'sand',
        'cloud',
    ]


def test_photos_are_the_pictures_but_for_jpeg(root, scenes):
    for i in (0, COUNT - 1):
        for folder in ('voc/JPEGImages', 'coco/val'):
            photo = np.asarray(Image.open(root / folder / f'val_{i:06d}.jpg')).astype(int)
            assert np.abs(photo - scenes[i].image).mean() < 12


def test_voc_is_read_by_our_data_set_without_its_borders(root, scenes):
    classes = str(root / 'voc' / 'classes.txt')
    dataset = voc_set(
        'mmseg_zsclip.SegDataset',
        root,
        reduce_zero_label=True,
        metainfo=dict(classes=classes),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes=classes),
        ],
    )
    assert list(dataset.metainfo['classes'])[:1] == ['sky, heaven']
    ignored = []
    for sample, scene in zip(dataset, scenes, strict=True):
        labels = sample['gt_seg_map']
        inside = labels != 255
        assert (labels[inside] == scene.semantic[inside]).all()
        assert not (scene.instance[~inside] == 0).all()
        ignored.append(1 - inside.mean())
    assert 0.01 < np.mean(ignored) < 0.25


def test_voc_is_read_by_the_voc_data_sets(root, scenes):
    """The toy world has 20 classes, as VOC has without background."""
    ours = voc_set(
        'mmseg_zsclip.VOC20Dataset',
        root,
        pipeline=[dict(type='mmseg_zsclip.LoadLabels', classes='voc20')],
    )
    mmsegs = voc_set('PascalVOCDataset', root, pipeline=[dict(type='LoadAnnotations')])
    for a, b, scene in zip(ours, mmsegs, scenes, strict=True):
        classes, _ = voc_labels(scene)
        assert (b['gt_seg_map'] == classes).all()
        assert (a['gt_seg_map'] == np.where(classes == 255, 255, classes - 1)).all()


def test_voc_objects_and_the_preflight_check(root, scenes):
    folder = root / 'voc'
    for i, scene in enumerate(scenes):
        things = read_label_file(str(folder / f'SegmentationObject/val_{i:06d}.png'))
        assert (things[things != 255] == scene.instance[things != 255]).all()
    pixels = check_label_files(sorted((folder / 'SegmentationClass').glob('*.png')), 20, True)
    assert (pixels > 0).sum() > 15


def test_border_0_keeps_the_whole_truth(scenes):
    for scene in scenes:
        classes, things = voc_labels(scene, border=0)
        assert (classes == scene.semantic + 1).all()
        assert (things == scene.instance).all()


def test_sbd_converter_on_the_world(root, scenes, tmp_path):
    voc, sbd = tmp_path / 'VOC', tmp_path / 'sbd' / 'dataset'
    shutil.copytree(root / 'voc' / 'ImageSets', voc / 'ImageSets')
    (sbd / 'cls').mkdir(parents=True)
    (sbd / 'train.txt').write_text('val_000000\nnew_a\n')
    (sbd / 'val.txt').write_text('new_b\n')
    for name, scene in zip(('new_a', 'new_b'), scenes, strict=False):
        savemat(
            sbd / 'cls' / f'{name}.mat', {'GTcls': {'Segmentation': voc_labels(scene, border=0)[0]}}
        )
    tool('voc_aug').main([str(voc), str(sbd.parent)])
    assert (voc / 'ImageSets/Segmentation/aug.txt').read_text().split() == ['new_a', 'new_b']
    labels = read_label_file(str(voc / 'SegmentationClassAug' / 'new_b.png'))
    assert (labels == scenes[1].semantic + 1).all()


def panoptic_metric(root):
    metric = METRICS.build(
        dict(
            type='mmdet.CocoPanopticMetric',
            ann_file=str(root / 'coco/annotations/panoptic_val.json'),
            seg_prefix=str(root / 'coco/annotations/panoptic_val'),
        )
    )
    metric.dataset_meta = coco_metainfo(TOY)
    return metric


def predicted(scene, classes, keep):
    """Truth as mmdet's heads predict it: label + 1000 n; 20, the number of classes, is void."""
    ids, segments = scene.panoptic()
    prediction = np.full(ids.shape, len(classes), np.int64)
    for n, segment in enumerate(segments, 1):  # id 0 would be mmdet's void
        if keep(segment):
            label = classes.index(TOY.classes[segment['label']])
            prediction[ids == segment['id']] = label + 1000 * n
    return dict(sem_seg=torch.from_numpy(prediction)[None])


@pytest.mark.parametrize(
    ('keep', 'things', 'stuff'),
    [(lambda segment: True, 100, 100), (lambda segment: segment['isthing'], 100, 0)],
)
def test_truth_as_prediction_has_pq_100(root, scenes, panopticapi, keep, things, stuff):
    meta = coco_metainfo(TOY)
    dataset = coco_set(
        'CocoPanopticDataset',
        root,
        'panoptic_val.json',
        metainfo=meta,
        data_prefix=dict(img='val', seg='annotations/panoptic_val'),
    )
    metric = panoptic_metric(root)
    assert len(dataset) == COUNT
    for info, scene in zip(dataset, scenes, strict=True):
        for segment in info['segments_info']:
            assert segment['is_thing'] == (segment['category'] < len(meta['thing_classes']))
        metric.process(
            {},
            [
                dict(
                    img_id=info['img_id'],
                    img_path=info['img_path'],
                    ori_shape=(64, 64),
                    pred_panoptic_seg=predicted(scene, meta['classes'], keep),
                )
            ],
        )
    scores = metric.evaluate(COUNT)
    assert scores['coco_panoptic/PQ_th'] == pytest.approx(things)
    assert scores['coco_panoptic/PQ_st'] == pytest.approx(stuff)


def test_panoptic_annotations_give_masks_and_labels(root, scenes, panopticapi):
    meta = coco_metainfo(TOY)
    dataset = coco_set(
        'CocoPanopticDataset',
        root,
        'panoptic_val.json',
        metainfo=meta,
        data_prefix=dict(img='val', seg='annotations/panoptic_val'),
    )
    from mmdet.datasets.transforms import LoadPanopticAnnotations

    load = LoadPanopticAnnotations()
    for info, scene in zip(dataset, scenes, strict=True):
        info = load.transform(info | dict(ori_shape=(64, 64)))
        names = np.array(meta['classes'])[info['gt_seg_map']]
        assert (names == np.array(TOY.classes)[scene.semantic]).all()
        assert [meta['classes'][i] for i in info['gt_bboxes_labels']] == [
            thing.name for thing in scene.things
        ]
        for n, mask in enumerate(info['gt_masks'].masks, 1):
            assert (mask == (scene.instance == n)).all()


@pytest.mark.parametrize(('shift', 'good'), [(0, True), (20, False)])
def test_truth_as_prediction_has_ap_100(root, scenes, shift, good):
    meta = dict(classes=coco_metainfo(TOY)['thing_classes'])
    dataset = coco_set(
        'CocoDataset', root, 'instances_val.json', metainfo=meta, data_prefix=dict(img='val')
    )
    metric = METRICS.build(
        dict(
            type='mmdet.CocoMetric',
            metric=['bbox', 'segm'],
            ann_file=str(root / 'coco/annotations/instances_val.json'),
        )
    )
    metric.dataset_meta = meta
    for info, scene in zip(dataset, scenes, strict=True):
        assert len(info['instances']) == len(scene.things)
        masks = np.stack([scene.instance == n for n in range(1, len(scene.things) + 1)])
        masks = np.roll(masks, shift, -1)
        boxes = torch.tensor([row['bbox'] for row in info['instances']]).float()
        metric.process(
            {},
            [
                dict(
                    img_id=info['img_id'],
                    ori_shape=(64, 64),
                    pred_instances=dict(
                        bboxes=boxes,
                        masks=torch.from_numpy(masks.copy()),
                        labels=torch.tensor([meta['classes'].index(t.name) for t in scene.things]),
                        scores=torch.ones(len(masks)),
                    ),
                )
            ],
        )
    scores = metric.evaluate(COUNT)
    assert scores['coco/bbox_mAP'] == 1
    assert (scores['coco/segm_mAP'] == 1) == good


def test_coco_files_agree_with_each_other_and_the_scenes(root, scenes):
    instances = COCO(root / 'coco/annotations/instances_val.json')
    panoptic = json.loads((root / 'coco/annotations/panoptic_val.json').read_text())
    assert min(instances.anns) == 1
    for i, (scene, row) in enumerate(zip(scenes, panoptic['annotations'], strict=True)):
        assert sum(s['area'] for s in row['segments_info']) == 64 * 64
        for n, ann in enumerate(instances.imgToAnns[i], 1):
            assert (instances.annToMask(ann) == (scene.instance == n)).all()
            assert ann['area'] == (scene.instance == n).sum()
            assert instances.cats[ann['category_id']]['name'] == scene.things[n - 1].name


def test_target_world_in_two_processes(tmp_path):
    export(tmp_path, World('toy_target', 32), 'test', 5, formats=['coco'], nproc=2)
    assert not (tmp_path / 'voc').exists()
    panoptic = json.loads((tmp_path / 'coco/annotations/panoptic_test.json').read_text())
    assert len(panoptic['images']) == len(list((tmp_path / 'coco' / 'test').iterdir())) == 5
    things = [row['name'] for row in panoptic['categories'] if row['isthing']]
    assert 'vehicle' in things
    assert [row['isthing'] for row in panoptic['categories']] == sorted(
        (row['isthing'] for row in panoptic['categories']), reverse=True
    )


def test_a_file_that_could_not_be_finished_is_not_there(tmp_path, monkeypatch):
    def fail(self, *args, **kwargs):
        raise OSError('no space left')

    monkeypatch.setattr(Image.Image, 'save', fail)
    with pytest.raises(OSError, match='no space'):
        export(tmp_path, TOY, 'val', 1)
    assert [p for p in tmp_path.rglob('*') if p.is_file()] == []


def test_unknown_format_lists_the_legal_ones(tmp_path):
    with pytest.raises(ValueError, match=r"unknown formats \['ade'\]; give .*: voc, coco"):
        export(tmp_path, TOY, 'val', 1, formats=['voc', 'ade'])
    with pytest.raises(ValueError, match=r'unknown formats \[\]'):
        export(tmp_path, TOY, 'val', 1, formats=[])


def test_no_scene_or_no_such_split_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match='0 scenes; legal: 1 and above'):
        export(tmp_path, TOY, 'val', 0)
    with pytest.raises(ValueError, match="split is 'dev'; legal: train"):
        export(tmp_path, TOY, 'dev', 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--val', '-1'], 'legal: 0 and above'),
        (['--train', '0', '--val', '0', '--test', '0'], 'not all 0'),
        (['--world', 'moon'], "world 'moon'; legal: toy"),
        (['--size', '9'], 'size is 9 pixels'),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit):
        tool('toy').main([str(tmp_path / 'x'), *options])
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'x').exists()
