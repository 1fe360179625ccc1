"""One file of named arrays and plain values, with a digest; what is read is never executed.

Layout: 8 bytes magic, 4 bytes length of the head (little endian), the head as JSON
{"version", "values", "arrays": [{"name", "dtype", "shape"}]}, the arrays' bytes one after the
other in C order, and the SHA-256 of everything before it.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError

MAGIC = b"PTMNLRN\n"
VERSION = 1
_DTYPES = ("<f4", "<f8", "<i2", "<i4", "<i8", "|u1", "<u4")
_DIGEST = 32


class _Array(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Head(msgspec.Struct, frozen=True):
    version: int
    values: dict[str, Any]
    arrays: list[_Array]


def pack(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The file's bytes; equal content gives equal bytes.

    Raises: ValueError for an array of a kind that the format does not hold.
    """
    listed, bodies = [], []
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        if array.dtype.str not in _DTYPES:
            raise ValueError(f"array {name} is of kind {array.dtype.str}, not one of {_DTYPES}")
        listed.append(_Array(name, array.dtype.str, arrays[name].shape))
        bodies.append(array.tobytes())
    encoder = msgspec.json.Encoder(order="deterministic")
    head = encoder.encode(_Head(VERSION, dict(values), listed))
    content = b"".join([MAGIC, len(head).to_bytes(4, "little"), head, *bodies])
    return content + hashlib.sha256(content).digest()


def unpack(data: bytes, *, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
    """Values, arrays (read-only) and the digest in hex. `name` is for errors.

    Raises: UsageError if the bytes are no such file, damaged, or of a later version.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) < len(MAGIC) + 4 + _DIGEST:
        raise UsageError(f"{name} is not a router", next="`pointsman route fit` writes one")
    content, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise UsageError(f"{name} is damaged", why="its digest does not fit its content",
                         next="copy it again, or fit it again")  # fmt: skip
    start = len(MAGIC) + 4
    at = start + int.from_bytes(content[len(MAGIC) : start], "little")
    try:
        head = msgspec.json.decode(content[start:at], type=_Head)
    except msgspec.DecodeError as error:
        raise UsageError(f"{name} is not a router", why=str(error)) from error
    if head.version != VERSION:
        raise UsageError(
            f"{name} is of version {head.version}, this is version {VERSION}",
            next="fit it again with this version",
        )
    arrays = {}
    for each in head.arrays:
        if each.dtype not in _DTYPES or any(size < 0 for size in each.shape):
            raise UsageError(f"{name} holds an array of kind {each.dtype}", why="that is not read")
        count = math.prod(each.shape)
        end = at + count * np.dtype(each.dtype).itemsize
        if end > len(content):
            raise UsageError(f"{name} is damaged", why=f"array {each.name} is cut short")
        arrays[each.name] = np.frombuffer(content, each.dtype, count, at).reshape(each.shape)
        at = end
    return head.values, arrays, digest.hex()


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
    """`unpack` of a file. Raises: UsageError if there is none or it is not one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    return unpack(data, name=str(path))
