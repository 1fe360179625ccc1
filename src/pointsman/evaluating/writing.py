"""One run being written: samples appended and flushed in groups, then sealed."""

import fcntl
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.evals.sample import Run, Sample
from pointsman.evaluating.layout import RunFiles


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, and what its files were then."""

    status: Literal["complete", "partial"]
    ended_us: int
    samples: int
    missing: int
    files: dict[str, str]  # name to SHA-256, hex


class RunWriter:
    """Adds samples to one run. One writer at a time, by a lock on the file; for one thread."""

    def __init__(self, files: RunFiles, run: Run) -> None:
        """Raises: UsageError where another process adds to this run."""
        self.files = files
        self.run = run
        self._file = os.open(files.samples, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(
                f"another process is running {run.id}", next="wait for it, or stop it first"
            ) from None
        self._dirty = False
        self.closed = False

    def cut_torn_tail(self) -> int:
        """Cut what a killed writer left half written; how many bytes."""
        size = os.fstat(self._file).st_size
        end = size
        while end:  # in blocks, backwards, to the last end of a line
            start = max(0, end - (1 << 16))
            found = os.pread(self._file, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return size - end

    def append(self, samples: Sequence[Sample]) -> None:
        """They are in the kernel once this returns, whole or not at all after a kill of ours."""
        data = memoryview(b"".join(msgspec.json.encode(each) + b"\n" for each in samples))
        while data:
            data = data[os.write(self._file, data) :]
        self._dirty = True

    def flush(self) -> None:
        """They are on the disk once this returns."""
        if self._dirty:
            os.fsync(self._file)
            self._dirty = False

    def seal(self, *, status: Literal["complete", "partial"], ended_us: int) -> Seal:
        """The run is from now on as it is. Raises: OSError, and it can be sealed again."""
        self.flush()
        digests: dict[str, str] = {}
        samples = missing = 0
        for path in (self.files.head, self.files.cases, self.files.samples):
            hashed = sha256()
            with path.open("rb") as file:
                for line in file:
                    hashed.update(line)
                    if path == self.files.samples:
                        samples += 1
                        missing += _STATUS.decode(line).status == "missing"
            digests[path.name] = hashed.hexdigest()
        seal = Seal(
            status=status, ended_us=ended_us, samples=samples, missing=missing, files=digests
        )
        replace_file(self.files.seal, msgspec.json.format(msgspec.json.encode(seal), indent=2))
        self.close()
        return seal

    def close(self) -> None:
        """Let go; a run that is not sealed can be resumed."""
        if not self.closed:
            self.closed = True
            self.flush()
            os.close(self._file)


class _Status(msgspec.Struct):
    status: str = "answered"


_STATUS = msgspec.json.Decoder(_Status)


def replace_file(path: Path, content: bytes) -> None:
    """The file holds exactly this, durably, or what it held before. Raises: OSError."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
