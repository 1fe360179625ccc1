"""Large bodies put aside on the disk while they come in, instead of being held in memory."""

import tempfile
from collections.abc import Callable, Iterator, Mapping

PIECE = 256 * 1024


class Spool:
    """A body in a file without a name: however the process ends, nothing is left of it.

    Written in the kernel's cache as it arrives, read again by a thread.
    """

    __slots__ = ("__weakref__", "_file", "most_bytes")

    def __init__(self, folder: str, *, most_bytes: int) -> None:
        """Raises: OSError."""
        self.most_bytes = most_bytes
        self._file = tempfile.TemporaryFile(dir=folder, buffering=PIECE)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """More of it. Raises: OSError."""
        self._file.write(data)

    def pieces(self) -> Iterator[bytes]:
        """The whole body, once, for a thread. Raises: OSError."""
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece
        self._file.close()

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


# The spool for a request, by its headers; None: its body is held as any other.
Spooling = Callable[[Mapping[bytes, bytes]], Spool | None]
