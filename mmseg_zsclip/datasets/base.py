"""What all our data sets share: they fail early and say why, instead of training on nothing."""
import os.path as osp
from collections.abc import Sequence

from mmcv.transforms import LoadImageFromFile
from mmseg.datasets import BaseSegDataset

from mmseg_zsclip.registry import DATASETS

from .labels import IGNORE, ignore_index
from .transforms.load_labels import LoadPhoto
from .vocabulary import canonical, load_classes


def metainfo(source: str, palette: Sequence[Sequence[int]] | None = None) -> dict:
    """METAINFO of a shipped class list: canonical names, and colours that never change.

    Args:
        source: name of the class list, for example ``'voc20'``.
        palette: RGB rows 0-255, one a class; generated when not given.
    """
    classes = tuple(canonical(name) for name in load_classes(source))
    return dict(
        classes=classes, palette=[list(c) for c in palette or distinct_colours(len(classes))])


def distinct_colours(n: int) -> list[list[int]]:
    """``n`` different RGB colours (0-255), none black: the bits of 1, 2, ... dealt out to R, G, B
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
    ``metainfo=dict(classes=[...])`` (or a file, as :func:`load_classes` takes it), ``data_root`` and
    ``data_prefix``. In its pipeline ``LoadImageFromFile`` is :class:`LoadPhoto`, and padding has the
    ignored value of its number of classes.

    Raises:
        FileNotFoundError: the folder of the images or the list of names does not exist.
        ValueError: the folder or the list of names gives no image; bad class names.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        if self._metainfo.get('classes'):
            self.ignore_index = ignore_index(len(self._metainfo['classes']))
        self.pipeline.transforms = settled(self.pipeline.transforms, self.ignore_index)

    @classmethod
    def _load_metainfo(cls, metainfo: dict | None = None) -> dict:
        """As mmengine's, with the class names read by :func:`load_classes`, as everywhere."""
        if metainfo is None or metainfo.get('classes') is None:
            return super()._load_metainfo(metainfo)
        names = load_classes(metainfo['classes'])
        if cls.METAINFO.get('classes'):  # whose names have no synonyms, and are compared
            names = [canonical(name) for name in names]
        return super()._load_metainfo({**metainfo, 'classes': names})

    def load_data_list(self) -> list[dict]:
        """One dict an image, sorted by path: ``img_path``, ``seg_map_path``, ``label_map``,
        ``reduce_zero_label``, ``seg_fields``."""
        folder = self.data_prefix.get('img_path') or ''
        remote = '://' in folder or self.backend_args
        if not remote and not osp.isdir(folder):
            raise FileNotFoundError(
                f'{type(self).__name__}: the image folder {folder!r} does not exist (data_root'
                f' {self.data_root!r}). Set data_root by the environment variable named in the'
                ' data set config, or by --cfg-options.')
        if self.ann_file and not remote and not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'{type(self).__name__}: the list of image names {self.ann_file!r} does not exist.'
                ' The converter of the data set writes it (tools/dataset_converters), or give'
                ' ann_file.')
        data = super().load_data_list()
        if not data:
            raise ValueError(
                f'{type(self).__name__}: no image ending in {self.img_suffix!r} in {folder!r}'
                + (f', listed by {self.ann_file!r}' if self.ann_file else '')
                + '. Check data_prefix, img_suffix and ann_file.')
        return data
