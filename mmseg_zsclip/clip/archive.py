"""The one reader of zip archives here: sizes are compared with the file before anything is read.

Python's `zipfile` and torch's own reader disagree about archives that hold an entry twice, follow
no bound, and torch's checks no CRC; hence neither is used on files of strangers.
"""

import os
import struct
import zlib
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

_CHUNK = 1 << 22
_END, _END64, _LOCATOR64 = b'PK\5\6', b'PK\6\6', b'PK\6\7'
_STORED, _DEFLATED = 0, 8
# entries are some 100 bytes each: room for 300,000 tensors
_DIRECTORY_LIMIT = 32 << 20
# what a compressed entry (TorchScript's source text) may inflate to, all of them together
_INFLATED_LIMIT = 64 << 20


class DamagedArchive(ValueError):
    """The archive is incomplete, damaged or declares more than it has."""


class Entry(NamedTuple):
    """Where an entry's header is, its bytes in the file and after inflating, its CRC-32."""

    header: int
    stored: int
    size: int
    crc: int
    method: int


class ZipArchive:
    """Entries of a zip archive by name, without the one folder that torch puts them in.

    Args:
        file: opened for binary reading; stays open while the archive is used.

    Raises:
        DamagedArchive: no zip archive, cut short, an entry twice, or entries that together are
            larger than the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        self._inflated = 0
        entries = self._directory()
        total = sum(entry.stored for entry in entries.values())
        if total > self.size:
            raise DamagedArchive(f'its entries declare {total} bytes, the file has {self.size}')
        # torch names the folder after the file
        folders = {name.split('/', 1)[0] for name in entries if '/' in name}
        root = f'{folders.pop()}/' if len(folders) == 1 else ''
        self.entries = {name.removeprefix(root): entry for name, entry in entries.items()}
        if len(self.entries) != len(entries):
            raise DamagedArchive('two of its entries have one name')

    def _at(self, offset: int, count: int) -> bytes:
        if offset < 0 or offset + count > self.size:
            raise DamagedArchive('it is cut short')
        self.file.seek(offset)
        return self.file.read(count)

    def _directory(self) -> dict[str, Entry]:
        count, length, start = self._end()
        if length > _DIRECTORY_LIMIT:
            raise DamagedArchive(
                f'its list of entries declares {length} bytes; at most {_DIRECTORY_LIMIT} are read'
            )
        raw, at, entries = self._at(start, length), 0, {}
        while at < len(raw):
            name, entry, step = _entry(raw, at)
            if name in entries:
                raise DamagedArchive(f'it holds the entry {name!r} twice')
            entries[name] = entry
            at += step
        if len(entries) != count:
            raise DamagedArchive(f'it lists {len(entries)} entries but declares {count}')
        return entries

    def _end(self) -> tuple[int, int, int]:
        """Number of entries, bytes and place of their list."""
        tail = self._at(max(self.size - 65557, 0), min(self.size, 65557))
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise DamagedArchive('the list of entries at its end is missing: it is cut short')
        count, length, start = struct.unpack('<HII', tail[at + 10 : at + 20])
        place = self.size - len(tail) + at
        if 0xFFFFFFFF not in (length, start) and count != 0xFFFF:
            return count, length, start
        locator = self._at(place - 20, 20)
        if not locator.startswith(_LOCATOR64):
            raise DamagedArchive('the record of its 64-bit sizes is missing')
        record = self._at(struct.unpack('<Q', locator[8:16])[0], 56)
        if not record.startswith(_END64):
            raise DamagedArchive('the record of its 64-bit sizes is missing')
        return struct.unpack('<QQQ', record[32:56])

    def read(self, name: str, limit: int) -> bytes:
        """An entry's bytes; a compressed one is inflated.

        Raises:
            DamagedArchive: no such entry, more than `limit` bytes, damaged.
        """
        entry = self._entry_of(name)
        if entry.size > limit:
            raise DamagedArchive(f'{name} declares {entry.size} bytes; at most {limit} are read')
        start = self._data_start(entry, name)
        if entry.method == _STORED:
            data = self._at(start, entry.size)
        else:
            self._inflated += entry.size
            if self._inflated > _INFLATED_LIMIT:
                raise DamagedArchive(
                    f'its compressed entries declare more than {_INFLATED_LIMIT} bytes'
                )
            data = _inflate(self._at(start, entry.stored), entry.size, name)
        _check_crc(zlib.crc32(data), entry, name)
        return data

    def read_tensor(self, name: str) -> Tensor:
        """A stored entry's bytes as a (N,) uint8 tensor.

        Raises:
            DamagedArchive: no such entry, compressed, damaged.
        """
        entry = self._entry_of(name)
        if entry.method != _STORED:
            raise DamagedArchive(
                f'{name} is compressed, which torch.save never does: refused, '
                'since a small file could fill the memory'
            )
        self._at(self._data_start(entry, name), 0)
        out = torch.empty(entry.size, dtype=torch.uint8)
        view, crc, at = memoryview(out.numpy()), 0, 0
        while at < entry.size:
            got = self.file.readinto(view[at : at + _CHUNK])
            if not got:
                raise DamagedArchive(f'it ends inside {name}')
            crc = zlib.crc32(view[at : at + got], crc)
            at += got
        _check_crc(crc, entry, name)
        return out

    def _entry_of(self, name: str) -> Entry:
        if name not in self.entries:
            raise DamagedArchive(f'it has no entry {name}')
        return self.entries[name]

    def _data_start(self, entry: Entry, name: str) -> int:
        header = self._at(entry.header, 30)
        if not header.startswith(b'PK\3\4'):
            raise DamagedArchive(f'there is no entry where {name} should be')
        start = entry.header + 30 + sum(struct.unpack('<HH', header[26:30]))
        self._at(start + entry.stored, 0)
        return start


def _entry(raw: bytes, at: int) -> tuple[str, Entry, int]:
    """Name and place of the entry listed at `at`, and the length of its line."""
    if raw[at : at + 4] != b'PK\1\2' or len(raw) - at < 46:
        raise DamagedArchive('its list of entries is damaged')
    flags, method = struct.unpack('<HH', raw[at + 8 : at + 12])
    crc, stored, size, name_length, extra_length, comment = struct.unpack(
        '<IIIHHH', raw[at + 16 : at + 34]
    )
    (header,) = struct.unpack('<I', raw[at + 42 : at + 46])
    step = 46 + name_length + extra_length + comment
    raw_name = raw[at + 46 : at + 46 + name_length]
    name = raw_name.decode('utf-8', errors='replace')
    extra = raw[at + 46 + name_length : at + 46 + name_length + extra_length]
    size, stored, header = _wide(extra, size, stored, header)
    if flags & 1 or method not in (_STORED, _DEFLATED):
        raise DamagedArchive(f'{name} is encrypted or compressed in an unknown way')
    if method == _STORED and size != stored:
        raise DamagedArchive(f'{name} declares {size} bytes but stores {stored}')
    return name, Entry(header, stored, size, crc, method), step


def _wide(extra: bytes, *values: int) -> list[int]:
    """The values of which 32 bits were too few, from the 64-bit field."""
    wide, at = b'', 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack('<HH', extra[at : at + 4])
        if tag == 1:
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    out = []
    for value in values:
        if value == 0xFFFFFFFF and len(wide) >= 8:
            value, wide = struct.unpack('<Q', wide[:8])[0], wide[8:]
        out.append(value)
    return out


def _inflate(data: bytes, size: int, name: str) -> bytes:
    try:
        out = zlib.decompressobj(-15).decompress(data, size + 1)
    except zlib.error as error:
        raise DamagedArchive(f'{name} is damaged ({error})') from error
    if len(out) != size:
        raise DamagedArchive(f'{name} declares {size} bytes but inflates to another number')
    return out


def _check_crc(found: int, entry: Entry, name: str) -> None:
    if found != entry.crc:
        raise DamagedArchive(f'the checksum of {name} differs: bytes of it have changed')
