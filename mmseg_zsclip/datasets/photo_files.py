"""Photos on disk: one way of reading them, for training, test, checks and pictures.

The rule for EXIF: the orientation that a photo's file states is applied, as every viewer does, and
the label map has the size of the upright photo. A label map is read as it is stored.
"""

import io
import struct

import cv2
import numpy as np
from mmengine import fileio
from PIL import Image

# What Pillow raises for damaged files of any format.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)
HEIF_BRANDS = (b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1')
ORIENTATION = 0x0112  # the tag of EXIF
# Orientation -> quarter turns against the clock, after a mirroring of left and right.
TURNS = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (3, False),
    7: (3, True),
    8: (1, False),
}


def read_photo(
    path: str, channel_order: str = 'bgr', backend_args: dict | None = None
) -> np.ndarray:
    """Upright pixels (H, W, 3) uint8. Alpha is dropped, grey becomes three channels, 16 bits keep
    their upper 8.

    Args:
        path: file, or what mmengine's file client reads.
        channel_order: `'bgr'` or `'rgb'`.
        backend_args: see mmengine's file client.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, truncated, too large or no photo; the file is named.
    """
    content = photo_bytes(path, backend_args)
    image = _opened(path, content)
    orientation = 1
    if image is not None:
        if image.mode == 'F':
            raise ValueError(
                f'photo {path} holds fractions (mode F), whose range nobody knows. Store 8 bits a'
                ' channel.'
            )
        if image.format != 'TIFF':  # which the decoder itself turns, whatever it is told
            orientation = _orientation(image)
        _check_whole(path, content, image)
    pixels = _decoded(path, content, image)
    if pixels is None:
        raise ValueError(
            f'photo {path} cannot be decoded: damaged, or of no known format. Remove or repair it.'
        )
    turns, mirrored = TURNS[orientation]
    if mirrored:
        pixels = pixels[:, ::-1]
    pixels = np.rot90(pixels, turns)
    return np.ascontiguousarray(pixels if channel_order == 'bgr' else pixels[..., ::-1])


def _decoded(path: str, content: bytes, image: Image.Image | None) -> np.ndarray | None:
    """(H, W, 3) uint8, BGR, as stored; None where no decoder can."""
    if image is not None and image.format == 'HEIF':  # which OpenCV does not know
        return np.asarray(image.convert('RGB'))[..., ::-1]
    try:
        return cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        raise ValueError(f'photo {path} cannot be decoded ({_first_line(error)}).') from error


def photo_bytes(path: str, backend_args: dict | None = None) -> bytes:
    """Content of a file that is not empty.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, a folder, or not readable.
    """
    try:
        content = fileio.get(str(path), backend_args=backend_args)
    except FileNotFoundError as error:
        hint = f' ({error})' if '://' in str(path) else ''
        raise FileNotFoundError(
            f'photo {path} does not exist{hint}. Check data_prefix["img_path"], img_suffix and'
            ' ann_file.'
        ) from error
    except OSError as error:
        raise ValueError(f'photo {path} cannot be read ({error}).') from error
    if not content:
        raise ValueError(f'photo {path} is empty (0 bytes). Remove it or copy it again.')
    return content


def photo_header(path: str, backend_args: dict | None = None) -> tuple[tuple[int, int], int]:
    """((height, width) of the upright photo, EXIF orientation 1 to 8), without its pixels.

    Raises: as `read_photo`.
    """
    content = photo_bytes(path, backend_args)
    image = _opened(path, content)
    if image is None:  # a format that only the decoder knows
        return read_photo(path, backend_args=backend_args).shape[:2], 1
    orientation = _orientation(image)
    width, height = image.size
    if orientation >= 5 and image.format != 'TIFF':  # Pillow turns a TIFF's size itself
        width, height = height, width
    return (height, width), orientation


def check_finite(path: str, pixels: np.ndarray) -> None:
    """That an image of floating point numbers holds no NaN and no infinity.

    Raises:
        ValueError: it does; the file and the count are named.
    """
    if np.issubdtype(pixels.dtype, np.floating) and not np.isfinite(pixels).all():
        raise ValueError(
            f'photo {path} holds NaN or infinity in {int((~np.isfinite(pixels)).sum())} of'
            f' {pixels.size} values. Repair it, or remove it from the data set.'
        )


def _opened(path: str, content: bytes) -> Image.Image | None:
    if content[4:8] == b'ftyp' and content[8:12] in HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError as error:
            raise ValueError(
                f'photo {path} is HEIC, which Pillow reads with an extra ({error}): pip install '
                '"mmseg_zsclip[heic]"'
            ) from error
        pillow_heif.register_heif_opener()
    try:
        return Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise ValueError(
            f'photo {path} declares too many pixels ({_first_line(error)}). Cut it into tiles, or'
            ' raise PIL.Image.MAX_IMAGE_PIXELS.'
        ) from error
    except DECODE_ERRORS:
        return None  # the decoder knows formats that Pillow does not, and names what none knows


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except DECODE_ERRORS:  # damaged EXIF beside whole pixels: viewers show the photo as stored
        return 1
    return found if found in TURNS else 1


def _check_whole(path: str, content: bytes, image: Image.Image) -> None:
    """Older decoders fill the rest of a truncated photo with grey and say nothing."""
    if image.format == 'JPEG':
        # End of image behind the last start of a scan: an end before belongs to a thumbnail.
        whole = content.rfind(b'\xff\xd9') > content.rfind(b'\xff\xda')
    else:
        whole = image.format == 'PNG' and content.rfind(b'IEND') > 0
    if whole:
        return
    try:
        image.load()
    except DECODE_ERRORS as error:
        raise ValueError(
            f'photo {path} is truncated or damaged ({_first_line(error)}). Remove or repair it.'
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
