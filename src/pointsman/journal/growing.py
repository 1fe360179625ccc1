"""One file that only grows and never keeps half a write; segments and packs are both of these."""

import contextlib
import errno
import os
from pathlib import Path

from pointsman.domain.errors import JournalUnavailable
from pointsman.journal.disk import Disk, try_lock

_OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class GrowingFile:
    """Appends in one write; a write that fails part-way is cut off again before the next.

    `length` is the last good length. `synced` is for the thread that flushes (bytes).
    """

    __slots__ = ("_disk", "fd", "length", "name", "path", "synced", "torn")

    def __init__(self, fd: int, path: Path, *, disk: Disk, length: int = 0) -> None:
        self.fd = fd
        self.path = path
        self.name = path.name  # asked for with every body; Path works it out each time
        self.length = length
        self.synced = 0
        self.torn = False
        self._disk = disk

    @classmethod
    def create(cls, path: Path, *, disk: Disk) -> "GrowingFile":
        """A new file, locked for as long as it is open. Raises: JournalUnavailable.

        What an earlier try of the same writer left under that name is removed.
        """
        with contextlib.suppress(OSError):
            path.unlink()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise unavailable("could not create", path, error) from error
        taken = try_lock(fd)
        assert taken, "a file that was just created is locked by nobody"
        return cls(fd, path, disk=disk)

    def append(self, data: bytes) -> int:
        """Write `data` whole and return the offset it starts at.

        Raises: JournalUnavailable; then the file is as it was before (or is cut back to that by
        the next append, should the cut itself fail), and no reader takes the part for a record.
        """
        if self.torn:
            self._mend()
        offset, size = self.length, len(data)
        try:
            done = self._disk.write(self.fd, data)
            if done != size:
                self._write_rest(data, done)
        except OSError as error:
            raise self._cut_back(error) from error
        self.length = offset + size
        return offset

    def append_parts(self, head: bytes, body: bytes) -> int:
        """Like `append` for two parts in one write, without joining them first."""
        if self.torn:
            self._mend()
        offset, size = self.length, len(head) + len(body)
        try:
            done = self._disk.writev(self.fd, (head, body))
            if done != size:
                self._write_rest(head + body, done)
        except OSError as error:
            raise self._cut_back(error) from error
        self.length = offset + size
        return offset

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _write_rest(self, data: bytes, done: int) -> None:
        while done < len(data):
            more = self._disk.write(self.fd, data[done:])
            if more == 0:  # a kernel that takes nothing and says nothing would spin us for ever
                raise OSError(errno.EIO, "write took no bytes")
            done += more

    def _cut_back(self, cause: OSError) -> JournalUnavailable:
        self.torn = True
        try:
            self._disk.ftruncate(self.fd, self.length)
            self.torn = False
        except OSError:
            pass  # still torn: the next append cuts first, a reader stops at the part
        return unavailable("could not write to", self.path, cause)

    def _mend(self) -> None:
        try:
            self._disk.ftruncate(self.fd, self.length)
        except OSError as error:
            raise unavailable("could not cut back", self.path, error) from error
        self.torn = False


def unavailable(what: str, path: Path, error: OSError) -> JournalUnavailable:
    """The error of a fact that could not be written, with what to do about it."""
    next_step = (
        "free space on that disk, seal the journal, or move journal.path to a larger disk"
        if error.errno in _OUT_OF_ROOM
        else "check the disk and its mount; journal.path names the directory"
    )
    return JournalUnavailable(
        f"The journal {what} {path.name}",
        why=f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, '?')}) at {path}",
        next=next_step,
    )
