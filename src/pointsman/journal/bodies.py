"""Prompts and answers beside the records: found by digest, erasable one by one.

pack    magic 8, then entries: magic 4 | flags u32 | size u64 | sha256 32 | body
"""

import errno
import os
import struct
from hashlib import sha256
from pathlib import Path

from pointsman.domain.errors import CheckFailed
from pointsman.domain.records import BodyRef
from pointsman.journal.disk import flush
from pointsman.journal.layout import Layout

PACK_MAGIC = b"PJPACK1\x00"
MAX_BODY_BYTES = 256 * 1024 * 1024  # on write and on read
_MAGIC = b"PJb1"
_ERASED = 1
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
    """Overwrite a body with zeros where it lies and flush; False where there is none to erase.

    Safe to repeat, and to interrupt: the flag is set first, so a half-erased body reads as
    erased. Records hold its digest and size only, so the chain of the journal stays whole.
    Raises: CheckFailed when the pack does not hold what the record says; OSError from the disk.
    """
    path = _path(layout, ref)
    if path is None:
        return False
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        flags = _flags(fd, path, ref)
        _write(fd, struct.pack("<I", flags | _ERASED), ref.offset + _FLAGS_AT)
        start = ref.offset + _ENTRY.size
        for at in range(0, ref.size, len(_ZEROS)):
            _write(fd, _ZEROS[: ref.size - at], start + at)
        flush(fd)
        return True
    finally:
        os.close(fd)


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
