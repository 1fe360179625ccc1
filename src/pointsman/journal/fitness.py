"""Whether a writer's files can still take facts: they are where they were, and there is room."""

import os
from pathlib import Path

from pointsman.domain.errors import JournalUnavailable
from pointsman.journal.growing import unavailable

LEAST_FREE_BYTES = 1024 * 1024  # less is as good as full: one long answer takes more
_TRIED_BYTES = 4096


def check_in_place(fd: int, path: Path) -> None:
    """Raises: JournalUnavailable where the open file is no longer the one that has this name.

    What is written to a file without a name is gone when the process ends.
    """
    try:
        there = os.stat(path)
    except FileNotFoundError:
        raise _moved(path, "it was deleted or moved while this process wrote to it") from None
    except OSError as error:
        raise unavailable("cannot find", path, error) from error
    own = os.fstat(fd)
    if (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
        raise _moved(path, "another file lies there now")


def check_room(folder: Path, *, failed: bool) -> None:
    """Raises: JournalUnavailable where the disk has no room or takes nothing.

    Args: failed says that the latest write went wrong; then one is tried, and removed again.
    """
    try:
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if failed:
            _try_to_write(folder / f"room-{os.getpid()}.tmp")
    except OSError as error:
        raise unavailable("cannot write to", folder, error) from error
    if free < LEAST_FREE_BYTES:
        raise JournalUnavailable(
            "The journal's disk is full",
            why=f"{free} bytes are free at {folder}",
            next="free space on that disk, or move journal.path to a larger one",
        )


def _try_to_write(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        path.unlink()
        os.write(fd, bytes(_TRIED_BYTES))
    finally:
        os.close(fd)


def _moved(path: Path, why: str) -> JournalUnavailable:
    return JournalUnavailable(
        f"The journal lost its file {path.name}",
        why=why,
        next="restart this process: it begins a new segment; restore the old one from a backup",
    )
