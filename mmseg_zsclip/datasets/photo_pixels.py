"""Photos as a user has them (path, array, Pillow's image), as the pixels that loaders give."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from .photo_files import DECODE_ERRORS, read_photo

LEGAL = (
    'a path, an RGB array (H, W, 3) uint8 (or grey, with alpha, uint16), a Pillow image, or a list '
    'of them'
)


def photo_pixels(photo: 'str | os.PathLike | np.ndarray | Image.Image') -> np.ndarray:
    """Upright pixels (H, W, 3) uint8, BGR as `read_photo` gives them. Alpha is dropped, grey
    becomes three channels, 16 bits keep their upper 8; the orientation that EXIF states is applied.

    Args:
        photo: a file; (H, W), (H, W, 1 to 4) uint8, uint16 or bool, RGB order; or an image of
            Pillow, of any mode but fractions and CIELAB.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, an address, a damaged file, no pixel, fractions, channels first.
        TypeError: something else.
    """
    if isinstance(photo, str | os.PathLike):
        return file_pixels(os.fspath(photo))
    if isinstance(photo, Image.Image):
        return pillow_pixels(photo)
    if isinstance(photo, np.ndarray):
        return np.ascontiguousarray(array_pixels(photo)[..., ::-1])
    raise TypeError(f'a photo is {LEGAL}; this one is {type(photo).__name__}.')


def file_pixels(path: str) -> np.ndarray:
    """See `photo_pixels`."""
    if path.startswith(('http://', 'https://')):
        raise ValueError(f'photo {path} is an address. Download it first, and give the file.')
    if '://' not in path:
        if Path(path).is_dir():
            raise ValueError(
                f'photo {path} is a folder. Give its files: sorted(Path({path!r}).iterdir())'
            )
        if not Path(path).exists():
            raise FileNotFoundError(f'photo {path} does not exist (from {Path.cwd()}).')
    try:
        return read_photo(path)
    except KeyError as error:
        raise ValueError(
            f"photo {path}: MMEngine's file client knows no place {error}. Give a file."
        ) from error


def pillow_pixels(image: Image.Image) -> np.ndarray:
    """See `photo_pixels`; what is loaded on demand is loaded here."""
    name = getattr(image, 'filename', '') or f'a Pillow image of {image.size[0]} x {image.size[1]}'
    if image.mode in ('F', 'LAB'):
        raise ValueError(
            f'photo {name} has mode {image.mode}, which has no one way to 8 bits. Convert it to RGB'
            ' first.'
        )
    try:
        if image.format != 'TIFF':  # which Pillow turns when it loads
            image = ImageOps.exif_transpose(image)
        image.load()
    except DECODE_ERRORS as error:
        raise ValueError(
            f'photo {name} is truncated or damaged ({error}). Remove or repair it.'
        ) from error
    if image.mode.startswith('I'):
        rgb = array_pixels(wide_grey(np.asarray(image), name))
    else:
        image = image.convert('LA') if image.mode == 'La' else image
        rgb = array_pixels(np.asarray(image.convert('RGB')))
    return np.ascontiguousarray(rgb[..., ::-1])


def wide_grey(values: np.ndarray, name: str) -> np.ndarray:
    """Grey of 16 bits (H, W), which older Pillow gives as 32 -> uint16."""
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError(
            f'photo {name} holds {values.min()} to {values.max()}; of whole numbers 16 bits can be'
            ' read, 0 to 65535. Scale them to keep what matters.'
        )
    return values.astype(np.uint16)


def array_pixels(array: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) of grey, grey and alpha, RGB or RGBA -> (H, W, 3) uint8, RGB.

    Raises:
        ValueError: another shape, no pixel, or numbers that are neither uint8, uint16 nor bool.
    """
    if array.ndim == 4:
        raise ValueError(f'the array has shape {array.shape}: several photos are a list, list(it).')
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] > 4:
        raise ValueError(
            f'the array has shape {array.shape}: channels come last. Give array.transpose(1, 2, 0).'
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(f'the array has shape {array.shape}; legal: (H, W) and (H, W, 1 to 4).')
    if not array.size:
        raise ValueError(f'the photo has no pixel: its shape is {array.shape}.')
    if array.dtype == bool:
        array = array * np.uint8(255)
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(
            f'the array holds {array.dtype}; legal: uint8 (0 to 255), uint16, bool. Fractions from'
            ' 0 to 1: (255 * array).round().astype(np.uint8).'
        )
    if array.ndim == 2 or array.shape[2] < 3:
        grey = array if array.ndim == 2 else array[..., 0]
        return np.repeat(grey[..., None], 3, axis=2)
    return array[..., :3]
