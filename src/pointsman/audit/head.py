"""What a log holds: its head, its runs of records, its checkpoints; read and replaced whole."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from pointsman.audit.entries import Place
from pointsman.audit.notes import Checkpoint, NoteError, parse_notes
from pointsman.domain.errors import CheckFailed
from pointsman.journal.disk import flush, replace_file
from pointsman.journal.layout import Layout

FORMAT = 1


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far one writer's records are in the log."""

    seq: int
    ordinal: int  # of the next record in that segment
    offset: int  # of it in the segment's file, bytes
    chain: str  # before it, hex


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The log as of its last extension."""

    format: int = FORMAT
    size: int = 0
    root: str = ""
    runs_bytes: int = 0
    writers: dict[str, Reached] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Entries that follow each other in the log and in one segment."""

    first: int  # index of the first entry
    writer: str
    seq: int
    ordinal: int  # of the first record
    count: int


class AuditFiles:
    """The files of a log, in `audit` beside the journal's own."""

    def __init__(self, where: Layout) -> None:
        self.directory = where.audit
        self.lock = self.directory / "log.lock"
        self.checkpoints = self.directory / "checkpoints.txt"
        self._head = self.directory / "head.json"
        self._runs = self.directory / "runs.ndjson"

    def create(self) -> None:
        """Make the directory, readable by its owner only."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def head(self) -> Head:
        """The head in force; an empty one before the first extension. Raises: CheckFailed."""
        try:
            head = msgspec.json.decode(self._head.read_bytes(), type=Head)
        except FileNotFoundError:
            return Head()
        except msgspec.DecodeError as error:
            raise unreadable(self._head, str(error)) from error
        if head.format != FORMAT:
            said = f"it has format {head.format}, this version reads {FORMAT}"
            raise unreadable(self._head, said)
        return head

    def replace_head(self, head: Head) -> None:
        """Put a head in force at one instant. Raises: OSError."""
        replace_file(self._head, msgspec.json.encode(head) + b"\n")

    def runs(self, head: Head) -> Iterator[Run]:
        """The runs that the head covers, in the order of the log. Raises: CheckFailed."""
        try:
            data = self._runs.read_bytes()[: head.runs_bytes]
        except FileNotFoundError:
            data = b""
        if len(data) != head.runs_bytes:
            raise unreadable(self._runs, f"it has {len(data)} of {head.runs_bytes} bytes")
        for line in data.splitlines():
            try:
                yield msgspec.json.decode(line, type=Run)
            except msgspec.DecodeError as error:
                raise unreadable(self._runs, str(error)) from error

    def append_runs(self, head: Head, runs: list[Run]) -> int:
        """Add runs behind what the head covers; the new length. Raises: OSError."""
        data = b"".join(msgspec.json.encode(run) + b"\n" for run in runs)
        _write_at(self._runs, head.runs_bytes, data)
        return head.runs_bytes + len(data)

    def append_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint beside the earlier ones. Raises: OSError."""
        size = self.checkpoints.stat().st_size if self.checkpoints.exists() else 0
        _write_at(self.checkpoints, size, (checkpoint.text + "\n").encode())

    def kept_checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint that was made here, oldest first. Raises: CheckFailed."""
        try:
            return list(parse_notes(self.checkpoints.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return []
        except (NoteError, UnicodeDecodeError) as error:
            raise unreadable(self.checkpoints, str(error)) from error


def run_of(runs: Mapping[tuple[str, int], Sequence[Run]], place: Place) -> Run | None:
    """The run that holds a record, of the runs by writer and segment; None where none does."""
    for run in runs.get(place[:2], ()):
        if run.ordinal <= place.ordinal < run.ordinal + run.count:
            return run
    return None


def unreadable(path: Path, why: str) -> CheckFailed:
    return CheckFailed(
        f"The audit log cannot be read: {path.name}",
        why=f"{why} ({path})",
        next="restore the directory from a backup, and compare with a checkpoint kept elsewhere",
    )


def _write_at(path: Path, at: int, data: bytes) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(fd, at)
        view = memoryview(data)
        while view:
            done = os.pwrite(fd, view, at)
            view, at = view[done:], at + done
        flush(fd)
    finally:
        os.close(fd)
