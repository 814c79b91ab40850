"""What a file is, told from its first bytes, for errors that say what was given."""

import struct
from pathlib import Path

_MAGIC = (
    (b'\x89PNG', 'a PNG picture'),
    (b'\xff\xd8\xff', 'a JPEG picture'),
    (b'GIF8', 'a GIF picture'),
    (b'BM', 'a BMP picture'),
    (b'II*\0', 'a TIFF picture'),
    (b'MM\0*', 'a TIFF picture'),
    (b'RIFF', 'a WebP picture or other RIFF file'),
    (b'%PDF', 'a PDF document'),
    (b'\x1f\x8b', 'a gzip archive: unpack it first'),
    (b'BZh', 'a bzip2 archive: unpack it first'),
    (b'\xfd7zXZ', 'an xz archive: unpack it first'),
    (b'7z\xbc\xaf', 'a 7z archive: unpack it first'),
    (b'Rar!', 'a RAR archive: unpack it first'),
    (b'\x28\xb5\x2f\xfd', 'a zstd archive: unpack it first'),
    (b'\x89HDF', 'an HDF5 file'),
    (b'\x93NUMPY', 'a NumPy array'),
    (b'\x7fELF', 'a program'),
    (b'MZ', 'a program'),
    (b'version https://git-lfs', 'a git-LFS pointer, not the file itself: run `git lfs pull`'),
)
_TEXT = bytes(range(0x20, 0x7F)) + b'\t\n\r\f\v'


def is_html(head: bytes) -> bool:
    """Whether a file begins as a web page does, or as another XML document."""
    start = head.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    return start.startswith((b'<!doctype', b'<html', b'<head', b'<?xml', b'<!--', b'<body'))


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes begins as safetensors: a length, then JSON."""
    if len(head) < 10:
        return False
    (length,) = struct.unpack('<Q', head[:8])
    return length <= size - 8 and head[8:9] == b'{'


def is_pickle(head: bytes) -> bool:
    """Whether a file begins as a pickle of protocol 2 or newer."""
    return len(head) > 2 and head[0] == 0x80 and head[1] in (2, 3, 4, 5)


def describe(path: Path) -> str:
    """'a PNG picture', 'an empty file', ... of an existing file; 'data of an unknown kind' else."""
    size = path.stat().st_size
    if size == 0:
        return 'an empty file'
    with open(path, 'rb') as file:
        head = file.read(1024)
    return describe_bytes(head, size)


def describe_bytes(head: bytes, size: int) -> str:
    """As `describe`, of the first bytes of `size`."""
    if is_html(head):
        return 'a web page (HTML or XML), perhaps an error page kept under this name'
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b'ustar':
        return 'a tar archive: unpack it first'
    if head.startswith(b'PK'):
        return 'a zip archive'
    if is_safetensors(head, size):
        return 'a safetensors file'
    if is_pickle(head):
        return 'a pickle'
    if not head.translate(None, _TEXT):
        return 'a JSON file' if head.lstrip()[:1] in (b'{', b'[') else 'a text file'
    if not head.strip(b'\0'):
        return 'a file of zeros: its content was never written'
    return 'data of an unknown kind'
