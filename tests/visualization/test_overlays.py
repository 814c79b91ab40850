"""`--show-dir`: what its pictures show, and that none is missing."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch import nn

from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.visualization.class_maps import ClassMapsHook
from mmseg_zsclip.visualization.overlays import (
    LEGEND_WIDTH,
    LISTED,
    SMALLEST,
    TITLE,
    OverlayHook,
    Shown,
    label_maps,
    legend_entries,
    overlay,
    read_photo,
    shown_classes,
)

SHOWN = Shown(['sky', 'dog'], [[0, 0, 200], [200, 0, 0]], {'dog'})


def sample(truth, prediction=((0, 1),), **meta):
    out = SegDataSample(metainfo=meta)
    out.gt_sem_seg = PixelData(data=torch.tensor([truth]))
    out.pred_sem_seg = PixelData(data=torch.tensor([prediction]))
    return out


def runner(classes, palette, **model):
    """As far as the hooks look at it."""
    net = nn.Identity()
    for name, value in model.items():
        setattr(net, name, value)
    dataset = SimpleNamespace(metainfo=dict(classes=classes, palette=palette))
    return SimpleNamespace(model=net, test_dataloader=SimpleNamespace(dataset=dataset))


@pytest.mark.parametrize('nothing', [-1, 255, 65535, 2])
def test_a_photo_without_labels_gets_no_truth(nothing):
    assert list(label_maps(sample([[nothing, nothing]]), 2)) == ['prediction']
    assert list(label_maps(sample([[nothing, 1]]), 2)) == ['truth', 'prediction']


@pytest.mark.parametrize('nothing', [-1, 255, 65535])
def test_pixels_without_a_label_show_the_photo_and_no_class(nothing):
    photo = np.full((20, 20, 3), 90, np.uint8)
    labels = np.full((20, 20), nothing)
    labels[:, :10] = 0
    pixels = np.asarray(overlay(photo, dict(truth=labels), SHOWN))
    panel = pixels[TITLE : TITLE + SMALLEST, SMALLEST + 8 : 2 * SMALLEST + 8]
    assert (panel[:, SMALLEST // 2 + 1 :] == 90).all()
    assert (panel[2, 2] == [36, 36, 156]).all()  # 0.6 of the colour


@pytest.mark.parametrize('size', [(1, 1), (32, 48), (3000, 4000), (40, 2000), (2000, 40)])
def test_pictures_are_readable_at_any_size(size):
    labels = np.zeros(size, np.uint8)
    picture = overlay(np.zeros((*size, 3), np.uint8), dict(prediction=labels), SHOWN)
    assert picture.width >= LEGEND_WIDTH
    assert max(picture.size) <= 2 * 768 + 8 + TITLE + 60


def test_the_legend_lists_what_is_there_the_most_first_and_says_what_it_leaves_out():
    many = Shown([f'class {i}' for i in range(300)], [[1, 2, 3]] * 300, ())
    assert legend_entries(dict(truth=np.array([[1, 1, 0, 255]])), SHOWN) == (
        [1, 0],
        '* and stripes: unseen',
    )
    found, note = legend_entries(dict(prediction=np.array([[*range(300), 299]])), many)
    assert (len(found), found[0]) == (LISTED, 299)  # 255 is a class among 300
    assert note == f'and {300 - LISTED} more, {100 * (300 - LISTED) / 301:.1f} % of the pixels'


def test_long_names_are_elided_and_none_leaves_the_picture():
    shown = Shown(['a very long name of a class ' * 9, 'b' * 200], SHOWN.palette, ())
    picture = overlay(np.zeros((9, 9, 3), np.uint8), dict(truth=np.eye(9, dtype=int)), shown)
    assert (np.asarray(picture)[TITLE + SMALLEST :, -3:] == 255).all()


def test_names_and_colours_are_the_models_own_or_the_data_sets():
    data = ['a', 'b'], [[1, 1, 1], [2, 2, 2]]
    assert shown_classes(runner(*data)) == Shown(*data, set())
    words = SimpleNamespace(unseen=[1])
    own = dict(classes=['x, y', 'z'], palette=[[3, 3, 3], [4, 4, 4]])
    assert shown_classes(runner(*data, dataset_meta=own, vocabulary=words)) == Shown(
        ['x', 'z'], own['palette'], {'z'}
    )
    renamed = shown_classes(runner(*data, dataset_meta=dict(classes=['x', 'y', 'z'])))
    assert len({tuple(colour) for colour in renamed.palette}) == 3


def test_a_rotated_photo_is_shown_as_the_pipeline_reads_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (8, 4)).save(tmp_path / '1.jpg', exif=exif)
    from mmcv.transforms import LoadImageFromFile

    for flag in ('color', 'color_ignore_orientation'):
        loader = LoadImageFromFile(color_type=flag)
        dataset = SimpleNamespace(pipeline=SimpleNamespace(transforms=[loader]))
        expected = loader.transform(dict(img_path=str(tmp_path / '1.jpg')))['img'].shape
        assert read_photo(str(tmp_path / '1.jpg'), dataset).shape == expected


class Folder:
    """Five photos, two of one name."""

    def __init__(self, root):
        self.metainfo = dict(classes=SHOWN.classes, palette=SHOWN.palette)
        self.data_prefix = dict(img_path=str(root))
        self.paths = [f'{root}/{name}.png' for name in ('a/1', 'b/1', '2', '3', '4')]

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, i):
        return dict(img_path=self.paths[i])


def write_all(root, out, rank, world):
    """What a process of a test writes, padded as mmengine's sampler pads: 0 2 4 and 1 3 0."""
    from mmseg_zsclip.engine.output_names_hook import OutputNamesHook

    dataset = Folder(root)
    hooks = [OverlayHook(f'{out}/show'), ClassMapsHook(f'{out}/maps'), OutputNamesHook()]
    metric = ZeroShotIoUMetric(output_dir=f'{out}/labels')
    metric.dataset_meta = dataset.metainfo
    loader = SimpleNamespace(dataset=dataset)
    run = runner(*SHOWN[:2])
    run.test_dataloader = loader
    run.test_loop = SimpleNamespace(dataloader=loader, evaluator=SimpleNamespace(metrics=[metric]))
    for hook in hooks:
        hook.before_test(run)
    for i in list(range(rank, 5, world)) + ([0] if rank else []):
        one = sample([[0, 1]], [[i % 2, 1]], img_path=dataset.paths[i])
        one.seg_logits = PixelData(data=torch.rand(2, 1, 2))
        for hook in hooks:
            hook.after_test_iter(run, i, outputs=[one])
        metric.process({}, [one.to_dict()])
    assert metric.evaluate(5)['mIoU'] > 0


@pytest.mark.skipif(not dist.is_gloo_available(), reason='torch was built without gloo')
def test_every_process_writes_its_own_pictures_maps_and_labels(tmp_path):
    for path in Folder(tmp_path / 'photos').paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.new('RGB', (2, 1)).save(path)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(tmp_path), str(r)], env=env) for r in (0, 1)
    ]
    assert [rank.wait(timeout=200) for rank in ranks] == [0, 0]
    for kind in ('show', 'maps', 'labels'):
        made = sorted(
            path.relative_to(tmp_path / kind).as_posix()
            for path in (tmp_path / kind).rglob('*')
            if path.is_file()
        )
        assert made == ['2.png', '3.png', '4.png', 'a/1.png', 'b/1.png'], kind
    labels = [np.asarray(Image.open(tmp_path / f'labels/{part}/1.png'))[0, 0] for part in 'ab']
    assert labels == [0, 1]  # photo 0 and photo 1, neither over the other


if __name__ == '__main__':
    folder, rank = sys.argv[1:]
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=int(rank), world_size=2
    )
    write_all(f'{folder}/photos', folder, int(rank), 2)
    dist.barrier()  # torch 2.1 may hang in the next line where the other process has ended
    dist.destroy_process_group()
