"""Prompts and answers beside the records: found by digest, erasable one by one.

pack    magic 8, then entries: magic 4 | flags u32 | size u64 | digest 32 | until i64 |
        length of key id u8 | key id | crc32c u32 | envelope
Erasing overwrites the checksum and the envelope; `size` counts both. An entry says itself whose
key it is under and until when it is kept, so that what is due is found without any record.
"""

import errno
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from pointsman.domain.errors import CheckFailed
from pointsman.domain.ports import SubjectKey
from pointsman.domain.records import BodyRef
from pointsman.journal.disk import flush, sync_directory, try_lock
from pointsman.journal.encryption import Cipher
from pointsman.journal.envelopes import Content, Wrapped, unwrap
from pointsman.journal.layout import Layout

PACK_MAGIC = b"PJPACK2\x00"
MAX_BODY_BYTES = 256 * 1024 * 1024  # on write and on read
_MAGIC = b"PJb1"
_ERASED = 1  # reads as erased from here on
_ZEROED = 2  # and the zeros are on the disk, so that erasing again has nothing to do
_ENTRY = struct.Struct("<4sIQ32sqB")
_CRC = struct.Struct("<I")
_CRC_BYTES = _CRC.size
_pack, _pack_crc = _ENTRY.pack, _CRC.pack
_value, _extend = google_crc32c.value, google_crc32c.extend
_FOR_EVER = 0
_MOST_KEY = 255  # bytes of a key's id
_FLAGS_AT = 4
_ZEROS = bytes(1024 * 1024)


class Entry(NamedTuple):
    """What an entry of a pack says of itself."""

    offset: int  # of the entry in its pack
    flags: int
    size: int  # bytes that erasing overwrites
    digest: bytes
    until_us: int | None
    key: str | None

    @property
    def start(self) -> int:
        """Where those bytes begin."""
        return self.offset + _ENTRY.size + len(self.key or "")

    @property
    def erased(self) -> bool:
        return bool(self.flags & _ERASED)

    @property
    def zeroed(self) -> bool:
        return bool(self.flags & _ZEROED)


def encode_entry(wrapped: Wrapped, *, key: str | None = None, until_us: int | None = None) -> bytes:
    """The bytes that go before the rest of an envelope in a pack."""
    first, rest = wrapped.head, wrapped.rest
    crc = _extend(_value(first), rest)
    size = _CRC_BYTES + len(first) + len(rest)
    named = key.encode("ascii") if key else b""
    head = _pack(_MAGIC, wrapped.flags, size, wrapped.digest, until_us or _FOR_EVER, len(named))
    return b"".join((head, named, _pack_crc(crc), first))


def walk_pack(path: Path) -> Iterator[Entry]:
    """The whole entries of a pack in order; what a killed writer left at its end is no entry.

    Raises: FileNotFoundError; CheckFailed where something else than an entry lies.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        offset, end = len(PACK_MAGIC), os.fstat(fd).st_size
        while (entry := _entry_at(fd, path, offset)) is not None:
            offset = entry.start + entry.size
            if offset > end:
                return
            yield entry
    finally:
        os.close(fd)


def pack_paths(layout: Layout) -> list[Path]:
    """The packs that are there now, in order of their names."""
    return sorted(layout.bodies.glob("*.pack"))


def read_content(
    layout: Layout, ref: BodyRef, *, key: SubjectKey | None = None, cipher: Cipher | None = None
) -> Content | None:
    """The features and bytes of a body; None where it was erased or never kept.

    Checked against its digest where the key is given or lies beside it, else by its checksum.
    Raises: CheckFailed when the pack does not hold what the record says.
    """
    path = _path(layout, ref)
    if path is None:
        return None
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None  # the whole pack was removed
    try:
        entry = _entry(fd, path, ref)
        if entry.erased:
            return None
        stored = _read(fd, entry.size, entry.start)
        try:
            if google_crc32c.value(stored[_CRC.size :]) != _CRC.unpack_from(stored)[0]:
                raise ValueError("the checksum of its bytes does not match")
            digest = bytes.fromhex(ref.digest)
            return unwrap(stored[_CRC.size :], entry.flags, digest, key=key, cipher=cipher)
        except (ValueError, struct.error) as error:
            if _entry(fd, path, ref).erased:  # erased while we read
                return None
            raise _broken(path, ref.offset, str(error)) from error
    finally:
        os.close(fd)


def erase_body(layout: Layout, ref: BodyRef) -> bool:
    """Overwrite a body with zeros where it lies and flush; False where none is left to erase.

    Safe to repeat, and to interrupt: the flag is set first, so a half-erased body reads as
    erased. Records hold its digest and size only, so the chain of the journal stays whole.
    Raises: CheckFailed when the pack does not hold what the record says; OSError from the disk.
    """
    return erase_bodies(layout, [ref]) == 1


def erase_bodies(layout: Layout, refs: Iterable[BodyRef]) -> int:
    """Like `erase_body` for many, with one flush a pack; how many were not erased before.

    Raises: as `erase_body`, at the first that fails; those of the packs before it are erased.
    """
    by_pack: dict[Path, list[BodyRef]] = defaultdict(list)
    for ref in refs:
        path = _path(layout, ref)
        if path is not None:
            by_pack[path].append(ref)
    return sum(_erase_refs(path, found) for path, found in by_pack.items())


def erase_entries(path: Path, entries: Iterable[Entry]) -> int:
    """Overwrite entries of one pack; how many were not erased before. Raises: OSError."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        return _erase(fd, entries)
    finally:
        os.close(fd)


def remove_empty_packs(layout: Layout) -> tuple[str, ...]:
    """Give back the space of packs that nobody writes to and whose every body is erased."""
    removed = []
    for path in pack_paths(layout):
        fd = os.open(path, os.O_RDONLY)
        try:
            if try_lock(fd) and _all_erased(path):
                path.unlink()
                removed.append(path.name)
        finally:
            os.close(fd)
    if removed:
        sync_directory(layout.bodies)
    return tuple(removed)


def _erase_refs(path: Path, refs: list[BodyRef]) -> int:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        return _erase(fd, [_entry(fd, path, ref) for ref in refs])
    finally:
        os.close(fd)


def _erase(fd: int, entries: Iterable[Entry]) -> int:
    fresh = {entry.offset: entry for entry in entries if not entry.flags & _ZEROED}
    for offset, entry in fresh.items():
        _write(fd, struct.pack("<I", entry.flags | _ERASED), offset + _FLAGS_AT)
        for at in range(0, entry.size, len(_ZEROS)):
            _write(fd, _ZEROS[: entry.size - at], entry.start + at)
    if fresh:
        flush(fd)
    for offset, entry in fresh.items():
        _write(fd, struct.pack("<I", entry.flags | _ERASED | _ZEROED), offset + _FLAGS_AT)
    return len(fresh)


def _all_erased(path: Path) -> bool:
    """True when no whole entry is left to read; a part that a killed writer left counts nothing."""
    try:
        return all(entry.erased for entry in walk_pack(path))
    except CheckFailed:
        return False  # not understood, so not ours to remove


def _path(layout: Layout, ref: BodyRef) -> Path | None:
    return layout.pack(ref.pack) if ref.pack is not None else None


def _entry(fd: int, path: Path, ref: BodyRef) -> Entry:
    """The entry that a record names. Raises: CheckFailed."""
    entry = _entry_at(fd, path, ref.offset) if ref.offset >= 0 else None
    if entry is None:
        raise _broken(path, ref.offset, "the pack ends before it")
    if entry.digest.hex() != ref.digest:
        raise _broken(path, ref.offset, f"not the body with digest {ref.digest}")
    if entry.start + entry.size > os.fstat(fd).st_size:
        raise _broken(path, ref.offset, "the pack ends before its end")
    return entry


def _entry_at(fd: int, path: Path, offset: int) -> Entry | None:
    """The entry that begins there; None where the pack ends first."""
    head = os.pread(fd, _ENTRY.size + _MOST_KEY, offset)
    if len(head) < _ENTRY.size:
        return None
    magic, flags, size, digest, until_us, length = _ENTRY.unpack_from(head)
    if magic != _MAGIC:
        raise _broken(path, offset, "another entry lies there")
    key = head[_ENTRY.size : _ENTRY.size + length]
    if len(key) < length:
        return None
    return Entry(
        offset=offset,
        flags=flags,
        size=size,
        digest=digest,
        until_us=None if until_us == _FOR_EVER else until_us,
        key=key.decode("ascii", "replace") or None,
    )


def _read(fd: int, size: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = os.pread(fd, size, offset)
        if not part:
            break
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _write(fd: int, data: bytes, offset: int) -> None:
    while data:
        done = os.pwrite(fd, data, offset)
        if done == 0:
            raise OSError(errno.EIO, "write took no bytes")
        data, offset = data[done:], offset + done


def _broken(path: Path, offset: int, why: str) -> CheckFailed:
    return CheckFailed(
        f"A body is not what its record says: {path.name} at {offset}",
        why=why,
        next="restore that pack from a backup; the records about it are still whole",
    )
