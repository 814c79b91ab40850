"""mmseg's data preprocessor with the image statistics that OpenAI's CLIP was trained with."""

from collections.abc import Sequence

from mmseg.models import SegDataPreProcessor

from ..clip.archs import CLIP_MEAN, CLIP_STD
from ..registry import MODELS


@MODELS.register_module()
class CLIPDataPreProcessor(SegDataPreProcessor):
    """Batches of photos, BGR in [0, 255] as mmseg loads them -> RGB, normalised for CLIP.

    Args:
        mean: of RGB in [0, 255]; CLIP's by default.
        std: as `mean`.
        bgr_to_rgb: turn the channels round.
        size: (h, w) of the training crops, which are padded to it.
        **kwargs: see mmseg's `SegDataPreProcessor`.

    Raises:
        ValueError: a size that is no pair.
    """

    def __init__(
        self,
        mean: Sequence[float] = tuple(255 * value for value in CLIP_MEAN),
        std: Sequence[float] = tuple(255 * value for value in CLIP_STD),
        bgr_to_rgb: bool = True,
        size: tuple[int, int] | None = None,
        **kwargs,
    ) -> None:
        if size is not None and not (isinstance(size, Sequence) and len(size) == 2):
            raise ValueError(f'size of the data_preprocessor is {size!r}; legal: (height, width).')
        super().__init__(mean=mean, std=std, bgr_to_rgb=bgr_to_rgb, size=size, **kwargs)
