"""The public data sets of the papers' tables. Classes come from `names/`, colours from mmseg
where it has the set; `tools/dataset_converters` writes the label maps."""

from mmseg import datasets as mmseg_datasets

from ..registry import DATASETS
from ..vocabulary.lists import load_classes
from .base import SegDataset, distinct_colours, metainfo


def _palette(name: str) -> list:
    return getattr(mmseg_datasets, name).METAINFO['palette']


@DATASETS.register_module()
class VOC20Dataset(SegDataset):
    """PASCAL VOC 2012 without background: in the files 0 is ignored and 1 is `aeroplane`."""

    METAINFO = metainfo('voc20', _palette('PascalVOCDataset')[1:])

    def __init__(self, reduce_zero_label: bool = True, **kwargs) -> None:
        super().__init__(reduce_zero_label=reduce_zero_label, **kwargs)


@DATASETS.register_module()
class VOC21Dataset(SegDataset):
    """PASCAL VOC 2012 with background as class 0; 255 (borders) is ignored."""

    METAINFO = metainfo('voc21', _palette('PascalVOCDataset'))


@DATASETS.register_module()
class Context59Dataset(SegDataset):
    """PASCAL Context without background: in the files 0 is ignored and 1 is `aeroplane`."""

    METAINFO = metainfo('context59', _palette('PascalContextDataset59'))

    def __init__(self, reduce_zero_label: bool = True, **kwargs) -> None:
        super().__init__(reduce_zero_label=reduce_zero_label, **kwargs)


@DATASETS.register_module()
class Context60Dataset(SegDataset):
    """PASCAL Context with background as class 0."""

    METAINFO = metainfo('context60', _palette('PascalContextDataset'))


@DATASETS.register_module()
class COCOStuff164kDataset(SegDataset):
    """COCO-Stuff 164k, 171 classes, from `*_labelTrainIds.png`; the raw files have holes in
    their ids and score near 0 from the 12th class on."""

    METAINFO = metainfo('coco_stuff171', _palette('COCOStuffDataset'))

    def __init__(self, seg_map_suffix: str = '_labelTrainIds.png', **kwargs) -> None:
        super().__init__(seg_map_suffix=seg_map_suffix, **kwargs)


@DATASETS.register_module()
class COCOObjectDataset(SegDataset):
    """The 80 things of COCO-Stuff 164k and, as class 0, background: all stuff and what has no
    label. Nothing is ignored. Label maps by `coco_stuff164k.py --objects`."""

    METAINFO = metainfo('coco_object', [[0, 0, 0], *distinct_colours(80)])

    def __init__(self, seg_map_suffix: str = '_instanceTrainIds.png', **kwargs) -> None:
        super().__init__(seg_map_suffix=seg_map_suffix, **kwargs)


@DATASETS.register_module()
class COCO65Dataset(SegDataset):
    """COCO's things of which 48 are base and 17 novel classes; label maps and instance maps by
    `coco_base_novel.py`."""

    METAINFO = metainfo('coco65')


@DATASETS.register_module()
class COCOPanopticDataset(SegDataset):
    """COCO panoptic, 80 things and 53 kinds of stuff; label maps and instance maps by
    `coco_panoptic.py`."""

    METAINFO = metainfo('coco_panoptic133') | dict(things=load_classes('coco_things'))


@DATASETS.register_module()
class ADEPanopticDataset(SegDataset):
    """ADE20K panoptic, 100 things and 50 kinds of stuff; label maps and instance maps by
    `ade20k_panoptic.py`."""

    METAINFO = metainfo('ade150_words', _palette('ADE20KDataset')) | dict(
        things=load_classes('ade_things')
    )


@DATASETS.register_module()
class ADE150Dataset(SegDataset):
    """ADE20K of the scene parsing challenge: in the files 0 is "other" and ignored."""

    METAINFO = metainfo('ade150', _palette('ADE20KDataset'))

    def __init__(self, reduce_zero_label: bool = True, **kwargs) -> None:
        super().__init__(reduce_zero_label=reduce_zero_label, **kwargs)


@DATASETS.register_module()
class CityscapesDataset(SegDataset):
    """Cityscapes, 19 classes, from `*_gtFine_labelTrainIds.png`."""

    METAINFO = metainfo('cityscapes', _palette('CityscapesDataset'))

    def __init__(
        self,
        img_suffix: str = '_leftImg8bit.png',
        seg_map_suffix: str = '_gtFine_labelTrainIds.png',
        **kwargs,
    ) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)


class LargeSegDataset(SegDataset):
    """A data set in which 255 is a class: 16-bit files, 65535 is ignored."""

    @classmethod
    def get_label_map(cls, new_classes=None) -> None:
        """mmseg marks a dropped class by 255, which is a class here.

        Raises:
            ValueError: `metainfo` names other classes than the data set's.
        """
        old = cls.METAINFO['classes']
        if new_classes is not None and list(new_classes) != list(old):
            raise ValueError(
                f'{cls.__name__} cannot map its {len(old)} classes to {len(new_classes)} others'
                ' given in metainfo. Leave metainfo out, or write label maps of your own classes.'
            )


@DATASETS.register_module()
class ADE847Dataset(LargeSegDataset):
    """ADE20K, full release, the 847 classes of MaskFormer; label maps by `ade20k_full.py`."""

    METAINFO = metainfo('ade847')


@DATASETS.register_module()
class Context459Dataset(LargeSegDataset):
    """PASCAL Context, all 459 classes; label maps by `pascal_context.py --classes 459`."""

    METAINFO = metainfo('pc459')
