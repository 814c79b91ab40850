"""CamVid street photos with the 11 classes that papers score."""

from collections.abc import Sequence
from os.path import basename

from ..registry import DATASETS
from .base import SegDataset, metainfo


@DATASETS.register_module()
class CamVidDataset(SegDataset):
    """CamVid: 480x360 photos `images/{train,val}/<drive>_<frame>.jpg`, label maps of the same
    name `annotations/{train,val}/*.png`: 0 sky ... 10 bicyclist, 255 ignore.

    Args:
        drives: keep only photos whose name begins with one of these drives (`'0001TP'`,
            `'0006R0'`, `'0016E5'`); all when not given. Neighbouring frames of one drive are
            almost the same photo, so only a split by drive measures an unseen street.
        img_suffix: ending of the photos' names.
        seg_map_suffix: ending of the label maps' names.
        **kwargs: see mmseg's `BaseSegDataset`.

    Raises:
        ValueError: a drive has no photo (the drives found are listed).
    """

    METAINFO = metainfo(
        'camvid',
        palette=(
            (128, 128, 128),
            (128, 0, 0),
            (192, 192, 128),
            (128, 64, 128),
            (60, 40, 222),
            (128, 128, 0),
            (192, 128, 128),
            (64, 64, 128),
            (64, 0, 128),
            (64, 64, 0),
            (0, 128, 192),
        ),
    )

    def __init__(
        self,
        drives: Sequence[str] | None = None,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        **kwargs,
    ) -> None:
        self.drives = tuple(drives) if drives else None
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """As the parent's, without the photos of other drives."""
        data = super().load_data_list()
        if self.drives is None:
            return data
        drive_of = [basename(info['img_path']).split('_')[0] for info in data]
        missing = sorted(set(self.drives) - set(drive_of))
        if missing:
            raise ValueError(
                f'CamVidDataset: no photo of drive {", ".join(missing)}. Drives in'
                f' {self.data_prefix["img_path"]}: {", ".join(sorted(set(drive_of)))}.'
            )
        return [info for info, drive in zip(data, drive_of, strict=True) if drive in self.drives]
