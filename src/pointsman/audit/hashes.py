"""The hashes of a log on disk: its leaves, and of every 256 of a level the one above them.

Files only grow: `hashes.00` holds leaves, `hashes.08` the roots of complete subtrees of 256 of
them, and so on; 32 bytes each, less than 1/200 of it above the leaves. What lies behind the size
that the head of the log names was never finished and is overwritten.
"""

import os
from collections import OrderedDict
from pathlib import Path

from pointsman.audit.merkle import HASH_BYTES, node_hash
from pointsman.journal.disk import flush

WIDTH_BITS = 8
_WIDTH = 1 << WIDTH_BITS
_LEVELS = 5  # up to 2^40 leaves above which a subtree is folded from the highest level
_KEPT = 4096  # complete subtrees remembered while proofs are made


class HashFiles:
    """Hashes of a log of `size` leaves; implements `merkle.Subtrees`. Belongs to one thread."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._known: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self.size = size

    def subtree(self, level: int, index: int) -> bytes:
        """Raises: ValueError where a hash is not there."""
        if (index + 1) << level > self.size:
            raise ValueError(f"the log has {self.size} entries: no subtree {index} at {level}")
        found = self._known.get((level, index))
        if found is not None:
            return found
        stored = min(level // WIDTH_BITS, _LEVELS - 1)
        over = level - stored * WIDTH_BITS
        found = fold(self.read(stored, index << over, 1 << over))
        self._known[level, index] = found
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def read(self, stored: int, start: int, count: int) -> list[bytes]:
        """Hashes of one file, from `start`. Raises: ValueError where they are not all there."""
        try:
            fd = os.open(self._path(stored), os.O_RDONLY)
        except FileNotFoundError as error:
            raise ValueError(f"{self._path(stored).name} is missing") from error
        try:
            data = os.pread(fd, count * HASH_BYTES, start * HASH_BYTES)
        finally:
            os.close(fd)
        if len(data) != count * HASH_BYTES:
            raise ValueError(f"{self._path(stored).name} ends before entry {start + count}")
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def append(self, leaves: list[bytes]) -> None:
        """Add leaves and whatever they complete, on the disk. Raises: OSError."""
        start, stored, fresh = self.size, 0, leaves
        while fresh:
            self._write(stored, start, fresh)
            stored, first = stored + 1, start >> WIDTH_BITS
            last = (start + len(fresh)) >> WIDTH_BITS
            if stored == _LEVELS:
                break
            fresh = [fold(self._whole(stored - 1, at, start, fresh)) for at in range(first, last)]
            start = first
        self.size += len(leaves)

    def _whole(self, stored: int, at: int, start: int, fresh: list[bytes]) -> list[bytes]:
        """The hashes under one of the level above: some on the disk, some just made."""
        begin = at << WIDTH_BITS
        before = self.read(stored, begin, start - begin) if begin < start else []
        offset = max(begin - start, 0)
        return before + fresh[offset : offset + _WIDTH - len(before)]

    def _write(self, stored: int, start: int, hashes: list[bytes]) -> None:
        fd = os.open(self._path(stored), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(fd, start * HASH_BYTES)
            data, at = memoryview(b"".join(hashes)), start * HASH_BYTES
            while data:
                done = os.pwrite(fd, data, at)
                data, at = data[done:], at + done
            flush(fd)
        finally:
            os.close(fd)

    def _path(self, stored: int) -> Path:
        return self._directory / f"hashes.{stored * WIDTH_BITS:02d}"


def fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]
