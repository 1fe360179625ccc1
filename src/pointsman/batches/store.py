"""The bytes of files: blobs in one folder, named by our ids alone, and the parts of batches."""

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pointsman.domain.errors import StateUnavailable

_FILE = re.compile(r"file-[0-9A-Z]{26}")
_PART = re.compile(r"(batch_[0-9A-Z]{26})\.[0-9]+\.part")
_OWN = re.compile(r"[0-9a-f]{16}")
PIECE = 256 * 1024


class Store:
    """One folder, readable by its owner only. For threads.

    Several gateways may share the folder; it has an id of its own, so that a gateway knows which
    files lie in its folder and which in another's.
    """

    def __init__(self, folder: str | Path) -> None:
        """Make the folder where there is none. Raises: StateUnavailable."""
        self._folder = Path(folder)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.id = self._own_id()
        except OSError as error:
            raise _unusable(self._folder, error) from error

    def begin(self) -> "Growing":
        """A new file, which is nobody's until it is kept."""
        return Growing(self._folder / f"new-{secrets.token_hex(8)}")

    def keep(self, growing: "Growing", file: str) -> None:
        """The bytes are on the disk under the file's id once this returns."""
        growing.settle()
        os.replace(growing.path, self._of(file))
        self._settle_names()

    def open(self, file: str) -> BinaryIO:
        """The bytes of a file. Raises: FileNotFoundError."""
        return self._of(file).open("rb")

    def remove(self, file: str) -> None:
        """The bytes are gone; who has them open reads on."""
        self._of(file).unlink(missing_ok=True)

    def part(self, batch: str, turn: int) -> Path:
        """Where the runner of a batch writes answers in its turn: no two turns share a file."""
        return self._folder / f"{batch}.{turn}.part"

    def parts(self, batch: str) -> list[Path]:
        """The parts of a batch, the oldest turn first."""
        found = self._folder.glob(f"{batch}.*.part")
        return sorted(found, key=lambda path: int(path.name.split(".")[1]))

    def remove_parts(self, batch: str) -> None:
        """Once the answers are in the batch's files."""
        for path in self.parts(batch):
            path.unlink(missing_ok=True)

    def sweep(
        self,
        *,
        files: Callable[[tuple[str, ...]], frozenset[str]],
        open_batches: frozenset[str],
        before_s: float,
    ) -> int:
        """Remove what killed processes left: blobs of no file, parts of no open batch.

        Args: files says which of some ids name a file; before_s spares what is younger, since it
            may be on its way.
        Returns: how many.
        """
        old = [path.name for path in self._older(before_s)]
        blobs = tuple(name for name in old if _FILE.fullmatch(name))
        known: set[str] = set()
        for start in range(0, len(blobs), 500):
            known |= files(blobs[start : start + 500])
        gone = [name for name in blobs if name not in known]
        for name in old:
            part = _PART.fullmatch(name)
            if name.startswith("new-") or (part and part[1] not in open_batches):
                gone.append(name)
        for name in gone:
            (self._folder / name).unlink(missing_ok=True)
        return len(gone)

    def _older(self, before_s: float) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self._folder) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before_s:
                        yield entry

    def _of(self, file: str) -> Path:
        assert _FILE.fullmatch(file), "a blob is named by an id of ours"
        return self._folder / file

    def _own_id(self) -> str:
        path = self._folder / "store"
        if not path.exists():
            made = Growing(self._folder / f"new-{secrets.token_hex(8)}")
            made.write(secrets.token_hex(8).encode())
            made.settle()
            with suppress(FileExistsError):  # another process was first: its id is the store's
                os.link(made.path, path)
            made.abandon()
            self._settle_names()
        found = path.read_text()
        if not _OWN.fullmatch(found):
            raise OSError(0, f"the file {path} is damaged")
        return found

    def _settle_names(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Growing:
    """A file that is being written. Settle and keep it, or abandon it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, data: bytes) -> None:
        """More of it. Raises: OSError."""
        self._file.write(data)
        self.size += len(data)

    def settle(self) -> None:
        """Everything is on the disk, and nothing more comes."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def abandon(self) -> None:
        """It never was."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


def _unusable(folder: Path, error: OSError) -> StateUnavailable:
    return StateUnavailable(
        "the folder of files cannot be used",
        why=f"{folder}: {error.strerror or error}",
        next="look at the disk and its permissions, or set batches.path",
    )
