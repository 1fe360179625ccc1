"""The system calls that write a journal, as one value that a test can replace."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def flush(fd: int) -> None:
    """Data of an open file reach the disk itself. Raises: OSError, after which nothing is known.

    On macOS fsync stops at the drive's cache; F_FULLFSYNC does not.
    """
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


@dataclass(frozen=True, slots=True)
class Disk:
    """What the writer asks of the kernel."""

    write: Callable[[int, bytes], int] = os.write
    writev: Callable[[int, Sequence[bytes]], int] = os.writev
    ftruncate: Callable[[int, int], None] = os.ftruncate
    fsync: Callable[[int], None] = flush


def sync_directory(directory: Path, fsync: Callable[[int], None] = flush) -> None:
    """Names created, renamed or removed in a directory survive a loss of power."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` whole: a reader sees the old bytes or the new, never a part."""
    fresh = path.with_name(path.name + ".tmp")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        flush(fd)
    finally:
        os.close(fd)
    os.rename(fresh, path)
    sync_directory(path.parent)


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Take the advisory lock of an open file now, or say that another holds it."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Hold a shared lock on a file, waiting for it; none where the file is not there."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def unlock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_UN)
