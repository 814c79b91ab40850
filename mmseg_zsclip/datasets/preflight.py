"""Looks at photos and label files before a run does: damage, sizes, EXIF, values, raw COCO ids."""

from collections.abc import Sequence

import numpy as np

from .label_files import COCO_HINT, COCO_HOLES, LabelReader, check_sizes, read_label_file
from .photo_files import photo_header, read_photo
from .pipelines import within
from .transforms.hide_unseen import HideUnseen
from .transforms.load_labels import NoLabels

# Among 50 converted COCO-Stuff files the holes' classes (umbrella, spoon, branch, ...) do occur.
ENOUGH_FOR_COCO = 50


def check_label_files(
    paths: Sequence[str],
    num_classes: int,
    reduce_zero_label: bool = False,
    label_map: dict | None = None,
) -> np.ndarray:
    """Pixels of every class, (C + 1,) int64, ignored pixels last.

    Args:
        paths: label files.
        num_classes: C.
        reduce_zero_label: stored 0 is ignored and 1 is class 0.
        label_map: mmseg's map of old to new classes.

    Raises:
        ValueError: no path, an unreadable file, a value outside the classes (all bad files are
            counted, the first five are named), the raw ids of COCO-Stuff, no pixel of any class, or
            masks of 0 and 255, whose 255 would be ignored.
    """
    if not paths:
        raise ValueError('no label file to check. Does the data set find any image?')
    reader = LabelReader(num_classes, reduce_zero_label, label_map)
    pixels = np.zeros(num_classes + 1, np.int64)
    bad = []
    for path in paths:
        try:
            labels = reader(str(path))
        except (FileNotFoundError, ValueError) as error:
            bad.append(str(error))
            continue
        labels = np.minimum(labels, num_classes)
        pixels += np.bincount(labels.ravel(), minlength=num_classes + 1)
    if bad:
        raise ValueError(_wrong(bad, len(paths), 'label files'))
    _check_counts(pixels, len(paths), reader)
    if num_classes == 171 and len(paths) >= ENOUGH_FOR_COCO and not pixels[list(COCO_HOLES)].any():
        raise ValueError(
            f'in {len(paths)} label files no pixel has any of the values'
            f' {", ".join(map(str, COCO_HOLES))}.{COCO_HINT}'
        )
    return pixels


def _wrong(bad: Sequence[str], count: int, what: str) -> str:
    more = f'\n... and {len(bad) - 5} more' if len(bad) > 5 else ''
    return f'{len(bad)} of {count} {what} are wrong:\n' + '\n'.join(bad[:5]) + more


def _check_counts(pixels: np.ndarray, files: int, reader: LabelReader) -> None:
    ignored = f'{100 * pixels[-1] / pixels.sum():.1f} % of the pixels are {reader.ignore_index}'
    if not pixels[:-1].any():
        raise ValueError(
            f'in {files} label files no pixel has a class: {ignored} or otherwise '
            'ignored. Check reduce_zero_label and the converter of the data set.'
        )
    only_first = not pixels[1:-1].any() and reader.num_classes > 1 and not reader.first
    if only_first and pixels[-1] > 0.01 * pixels.sum():
        raise ValueError(
            f'{files} label files hold the values 0 and {reader.ignore_index} alone, and '
            f'{ignored}, which is ignored: the other {reader.num_classes - 1} classes never occur. '
            'Masks of 0 '
            f'and {reader.ignore_index} must be stored as 0 and 1.'
        )


def check_photos(
    photos: Sequence[str], labels: Sequence[str] | None = None, whole: bool = False
) -> list[str]:
    """The photos that their EXIF orientation turns or mirrors.

    Args:
        photos: files.
        labels: their label maps, as many, which must have their sizes.
        whole: decode every pixel, in the place of reading the header.

    Raises:
        ValueError: damaged photos, or label maps of other sizes; all are counted, the first five
            are named.
    """
    turned, bad = [], []
    for i, path in enumerate(photos):
        try:
            size, orientation = photo_header(path)
            if whole:
                size = read_photo(path).shape[:2]
            if orientation != 1:
                turned.append(path)
            if labels is not None:
                check_sizes(path, size, labels[i], read_label_file(labels[i]).shape)
        except (FileNotFoundError, ValueError) as error:
            bad.append(str(error))
    if bad:
        raise ValueError(_wrong(bad, len(photos), 'photos'))
    return turned


def check_dataset(dataset, files: int = 0, whole: bool = False) -> str:
    """A paragraph about a data set, or its parts.

    Args:
        dataset: a built data set whose items have `img_path` and, where labelled, `seg_map_path`.
        files: so many, evenly spread; 0 looks at all.
        whole: decode the photos.

    Raises:
        ValueError: see `check_photos` and `check_label_files`; both are reported at once.
    """
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    if 0 < files < len(infos):
        infos = [infos[i * len(infos) // files] for i in range(files)]
    photos = [info['img_path'] for info in infos]
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    unlabelled = any(isinstance(step, NoLabels) for step in steps)
    labels = [info['seg_map_path'] for info in infos if info.get('seg_map_path') and not unlabelled]
    errors, pixels, turned = [], None, []
    if labels:
        first = infos[0]
        try:
            pixels = check_label_files(
                labels,
                len(dataset.metainfo['classes']),
                first.get('reduce_zero_label', False),
                first.get('label_map'),
            )
        except ValueError as error:
            errors.append(str(error))
    try:
        turned = check_photos(photos, labels or None, whole)
    except ValueError as error:
        errors.append(str(error))
    if errors:
        raise ValueError('\n'.join(errors))
    return _report(dataset, len(infos), pixels, turned)


def _report(dataset, looked: int, pixels: np.ndarray | None, turned: Sequence[str]) -> str:
    out = f'{looked} of {len(dataset)} photos are whole'
    if pixels is None:
        out += '; they have no label maps.'
    else:
        classes = dataset.metainfo['classes']
        out += (
            f' and {looked} of {len(dataset)} label files are right;'
            f' {100 * pixels[-1] / pixels.sum():.1f} % of the pixels are ignored.'
        )
        absent = [name for name, count in zip(classes, pixels, strict=False) if not count]
        if absent:
            out += f'\n{len(absent)} of {len(classes)} classes do not occur: {", ".join(absent)}'
    unseen = dataset.metainfo.get('unseen')
    if unseen:
        steps = within(dataset.pipeline.transforms)
        modes = [step.mode for step in steps if isinstance(step, HideUnseen)]
        out += f'\n{len(unseen)} classes are unseen ({", ".join(unseen)}): ' + (
            f'HideUnseen takes them as {modes[0]}.'
            if modes
            else 'no HideUnseen, so their labels are read, as tests read them.'
        )
    if turned:
        out += (
            f'\n{len(turned)} photos are turned or mirrored by their EXIF orientation, as viewers '
            f'show them (the first: {turned[0]}); their labels must be drawn so.'
        )
    return out
