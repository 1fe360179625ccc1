"""Writers as holders of budgets: where a journal lives, whether a writer does, what it spent."""

import os
import secrets
from pathlib import Path

from pointsman.journal.disk import try_lock, unlock
from pointsman.journal.layout import layout, parse_segment_name

_IDENTITY = "home.id"


def identity(root: str | os.PathLike[str]) -> str:
    """A name of this journal that stays with its folder, made where there is none.

    Raises: OSError.
    """
    path = Path(root) / _IDENTITY
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        try:
            os.write(fd, secrets.token_hex(8).encode())
        finally:
            os.close(fd)
    found = path.read_text("ascii", "replace").strip()
    if not found:  # another process is between making and writing it, or was killed there
        path.unlink(missing_ok=True)
        return identity(root)
    return found


def is_writing(root: str | os.PathLike[str], writer: str) -> bool:
    """Whether the process that writes under this name lives: it holds its newest segment.

    A writer locks a segment before it has its name, and lets the one before go only after that.
    """
    where = layout(root)
    mine = [name for name in where.segment_names() if parse_segment_name(name)[0] == writer]
    for name in reversed(mine):
        try:
            fd = os.open(where.segments / name, os.O_RDONLY)
        except FileNotFoundError:
            continue  # sealed meanwhile: only what nobody holds is
        try:
            if not try_lock(fd, shared=True):
                return True
            unlock(fd)
        finally:
            os.close(fd)
    return False
