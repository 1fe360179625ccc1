"""Prompts and answers beside the records: found by digest, erasable one by one.

pack    magic 8, then entries: magic 4 | flags u32 | size u64 | sha256 32 | body
"""

import errno
import os
import struct
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pointsman.domain.errors import CheckFailed
from pointsman.domain.records import BodyRef
from pointsman.journal.disk import flush, sync_directory, try_lock
from pointsman.journal.layout import Layout

PACK_MAGIC = b"PJPACK1\x00"
MAX_BODY_BYTES = 256 * 1024 * 1024  # on write and on read
_MAGIC = b"PJb1"
_ERASED = 1  # reads as erased from here on
_ZEROED = 2  # and the zeros are on the disk, so that erasing again has nothing to do
_ENTRY = struct.Struct("<4sIQ32s")
_FLAGS_AT = 4
_ZEROS = bytes(1024 * 1024)


def encode_entry(body: bytes) -> tuple[bytes, str]:
    """The bytes that go before a body in a pack, and its digest in hex."""
    digest = sha256(body)
    return _ENTRY.pack(_MAGIC, 0, len(body), digest.digest()), digest.hexdigest()


def read_body(layout: Layout, ref: BodyRef) -> bytes | None:
    """The body, checked against its digest; None where it was erased or never kept.

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
        if _flags(fd, path, ref) & _ERASED:
            return None
        body = _read(fd, ref.size, ref.offset + _ENTRY.size)
        if sha256(body).hexdigest() != ref.sha256:
            if _flags(fd, path, ref) & _ERASED:  # erased while we read
                return None
            raise _broken(path, ref, "the bytes do not have that digest")
        return body
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
    return sum(_erase_in(path, found) for path, found in by_pack.items())


def remove_empty_packs(layout: Layout) -> tuple[str, ...]:
    """Give back the space of packs that nobody writes to and whose every body is erased."""
    removed = []
    for path in sorted(layout.bodies.glob("*.pack")):
        fd = os.open(path, os.O_RDONLY)
        try:
            if try_lock(fd) and _all_erased(fd):
                path.unlink()
                removed.append(path.name)
        finally:
            os.close(fd)
    if removed:
        sync_directory(layout.bodies)
    return tuple(removed)


def _erase_in(path: Path, refs: list[BodyRef]) -> int:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        fresh = [ref for ref in refs if not _flags(fd, path, ref) & _ZEROED]
        for ref in fresh:
            _write(fd, struct.pack("<I", _ERASED), ref.offset + _FLAGS_AT)
            start = ref.offset + _ENTRY.size
            for at in range(0, ref.size, len(_ZEROS)):
                _write(fd, _ZEROS[: ref.size - at], start + at)
        if fresh:
            flush(fd)
        for ref in fresh:
            _write(fd, struct.pack("<I", _ERASED | _ZEROED), ref.offset + _FLAGS_AT)
        return len(fresh)
    finally:
        os.close(fd)


def _all_erased(fd: int) -> bool:
    """True when no whole entry is left to read; a part that a killed writer left counts nothing."""
    offset, end = len(PACK_MAGIC), os.fstat(fd).st_size
    while offset + _ENTRY.size <= end:
        magic, flags, size, _ = _ENTRY.unpack(os.pread(fd, _ENTRY.size, offset))
        after = offset + _ENTRY.size + size
        if magic != _MAGIC:
            return False  # not understood, so not ours to remove
        if after <= end and not flags & _ERASED:
            return False
        offset = after
    return True


def _path(layout: Layout, ref: BodyRef) -> Path | None:
    return layout.pack(ref.pack) if ref.pack is not None else None


def _flags(fd: int, path: Path, ref: BodyRef) -> int:
    head = os.pread(fd, _ENTRY.size, ref.offset) if ref.offset >= 0 else b""
    if len(head) != _ENTRY.size:
        raise _broken(path, ref, "the pack ends before it")
    magic, flags, size, digest = _ENTRY.unpack(head)
    if magic != _MAGIC or size != ref.size or digest.hex() != ref.sha256:
        raise _broken(path, ref, "another entry lies there")
    if ref.offset + _ENTRY.size + ref.size > os.fstat(fd).st_size:
        raise _broken(path, ref, "the pack ends before its end")
    return int(flags)


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


def _broken(path: Path, ref: BodyRef, why: str) -> CheckFailed:
    return CheckFailed(
        f"A body is not what its record says: {path.name} at {ref.offset}",
        why=f"{why}; expected {ref.size} bytes with sha256 {ref.sha256}",
        next="restore that pack from a backup; the records about it are still whole",
    )
