"""What all our data sets share: they fail early and say why, instead of training on nothing."""

import logging
import os.path as osp
from collections.abc import Sequence

from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from ..registry import DATASETS
from ..vocabulary.labels import IGNORE, ignore_index
from ..vocabulary.lists import canonical, load_classes, load_unseen
from .facts import Facts, hand_on
from .listing import IMAGE_ENDINGS, files_below, left_out, listed, photos_in
from .settings import choose_setting
from .transforms.load_labels import LoadPhoto


def metainfo(source: str, palette: Sequence[Sequence[int]] | None = None) -> dict:
    """METAINFO of a shipped class list: canonical names, and colours that never change.

    Args:
        source: name of the class list, for example `'voc20'`.
        palette: RGB rows 0-255, one a class; generated when not given.
    """
    classes = tuple(canonical(name) for name in load_classes(source))
    return dict(
        classes=classes, palette=[list(c) for c in palette or distinct_colours(len(classes))]
    )


def distinct_colours(n: int) -> list[list[int]]:
    """`n` different RGB colours (0-255), none black: the bits of 1, 2, ... dealt out to R, G, B
    from the highest bit down, as in the colour map of PASCAL VOC's development kit."""
    colours = []
    for i in range(1, n + 1):
        rgb = [0, 0, 0]
        for bit in range(24):
            if i >> bit & 1:
                rgb[bit % 3] |= 1 << (7 - bit // 3)
        colours.append(rgb)
    return colours


def settled(transforms: list, ignored: int) -> list:
    """The transforms of a pipeline with our loader in the place of mmcv's, and with this ignored
    value where mmseg's default, 255, would be a class: in `RandomCrop` and in all that pads."""
    out = []
    for transform in transforms:
        if type(transform) is LoadImageFromFile:
            loader = LoadPhoto.__new__(LoadPhoto)
            loader.__dict__.update(transform.__dict__)
            transform = loader
        for name in ('ignore_index', 'seg_pad_val', 'seg_fill_in'):
            if getattr(transform, name, None) == IGNORE:
                setattr(transform, name, ignored)
        pad = getattr(transform, 'pad_val', None)
        if isinstance(pad, dict) and pad.get('seg') == IGNORE:
            transform.pad_val = {**pad, 'seg': ignored}
        out.append(transform)
    return out


@DATASETS.register_module()
class SegDataset(BaseSegDataset):
    """mmseg's data set with checks added. For photos and label maps of your own, give
    `metainfo=dict(classes=[...], unseen=[...])` (or files, as `load_classes` and `load_unseen` take
    them), `data_root` and `data_prefix`. Both lists stand in `metainfo` afterwards, by first names
    where the data set ships; `LoadLabels`, `HideUnseen` and `ZeroShotIoUMetric` take them from
    here. In its pipeline `LoadImageFromFile` is `LoadPhoto`, and padding has the ignored value of
    its number of classes.

    Args:
        setting: which labels training sees, in the place of the mode of every `HideUnseen` in the
            pipeline; None leaves them as they are.
        keep_truth: the hidden labels are packed too, see `HideUnseen`.
        **kwargs: see mmseg's `BaseSegDataset`.

    `img_suffix=None` takes every image, whatever its ending. Photos without labels have no
    `seg_map_path` in `data_prefix`, or None there. A list of names (`ann_file`) may
    give them with or without it. `instance_path` in `data_prefix` is the folder of instance maps,
    PNG of the photos' names, see `LoadInstances`.

    Raises:
        FileNotFoundError: the folder of the images or the list of names does not exist.
        ValueError: the folder or the list of names gives no image; two photos of one name; a line
            of the list that names none or one twice; bad class names; an unseen class that is none;
            a transform that was given other lists; a setting without `HideUnseen`.
    """

    def __init__(self, setting: str | None = None, keep_truth: bool = False, **kwargs) -> None:
        if isinstance(kwargs.get('data_prefix'), dict):  # seg_map_path=None: no labels
            kwargs['data_prefix'] = {
                key: value for key, value in kwargs['data_prefix'].items() if value is not None
            }
        super().__init__(**kwargs)
        classes = self._metainfo.get('classes')
        if classes:
            self.ignore_index = ignore_index(len(classes))
        self.pipeline.transforms = settled(self.pipeline.transforms, self.ignore_index)
        if classes:
            hand_on(
                self.pipeline.transforms,
                Facts(
                    type(self).__name__,
                    classes,
                    self._metainfo.get('unseen'),
                    self.METAINFO.get('classes'),
                ),
            )
        if setting or keep_truth:
            choose_setting(self, setting, keep_truth)

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        """As mmengine's, with the names read by `load_classes` and `load_unseen`, as everywhere."""
        metainfo = dict(metainfo or {})
        names = metainfo.get('classes')
        if names is not None:
            names = load_classes(names)
            if cls.METAINFO.get('classes'):  # whose names have no synonyms, and are compared
                names = [canonical(name) for name in names]
            metainfo['classes'] = names
        if metainfo.get('unseen') is not None:
            try:
                metainfo['unseen'] = tuple(
                    load_unseen(metainfo['unseen'], names or cls.METAINFO.get('classes'))
                )
            except ValueError as error:
                raise ValueError(f"{cls.__name__}, metainfo['unseen']: {error}") from None
        return super()._load_metainfo(metainfo)

    def _update_palette(self) -> list:
        """As mmseg's; where no colours are given, those of `zsclip segment`, not random ones."""
        if self._metainfo.get('palette') or not self._metainfo.get('classes'):
            return super()._update_palette()
        return distinct_colours(len(self._metainfo['classes']))

    def load_data_list(self) -> list[dict]:
        """One dict an image, sorted by path: `img_path`, `seg_map_path`, `label_map`,
        `reduce_zero_label`, `seg_fields`."""
        folder = self.data_prefix.get('img_path') or ''
        remote = '://' in folder or self.backend_args
        if not remote and not osp.isdir(folder):
            raise FileNotFoundError(
                f'{type(self).__name__}: the image folder {folder!r} does not exist (data_root'
                f' {self.data_root!r}). Set data_root by the environment variable named in the'
                ' data set config, or by --cfg-options.'
            )
        if self.ann_file and not remote and not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'{type(self).__name__}: the list of image names {self.ann_file!r} does not exist.'
                ' The converter of the data set writes it (tools/dataset_converters), or give'
                ' ann_file.'
            )
        if remote:
            data = super().load_data_list()
        else:
            data = [self._info(folder, *photo) for photo in self._photos(folder).items()]
        if not data:
            raise ValueError(
                f'{type(self).__name__}: no image ending in '
                + (repr(self.img_suffix) if self.img_suffix else ', '.join(IMAGE_ENDINGS))
                + f' in {folder!r}'
                + (f', listed by {self.ann_file!r}' if self.ann_file else '')
                + '. Check data_prefix, img_suffix and ann_file.'
            )
        return data

    def _photos(self, folder: str) -> dict[str, str]:
        """Names below the folder by stem, as the list of names asks for them, else sorted."""
        names = files_below(folder)
        photos = photos_in(names, self.img_suffix)
        if osp.isfile(self.ann_file or ''):
            return listed(self.ann_file, photos, folder)
        others = left_out(names, list(photos.values()))
        if others and folder != self.data_prefix.get('seg_map_path'):
            print_log(
                f'{type(self).__name__}: {len(photos)} photos end in {self.img_suffix!r} in'
                f' {folder}; left out: {others}. img_suffix=None takes every ending.',
                'current',
                level=logging.WARNING,
            )
        return photos

    def _info(self, folder: str, stem: str, name: str) -> dict:
        info = dict(
            img_path=osp.join(folder, name),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            seg_fields=[],
        )
        labels = self.data_prefix.get('seg_map_path')
        if labels is not None:
            info['seg_map_path'] = osp.join(labels, stem + self.seg_map_suffix)
        things = self.data_prefix.get('instance_path')
        if things is not None:
            info['instance_path'] = osp.join(things, f'{stem}.png')
        return info
