"""Reading one segment up to its first bad frame, and cutting a dead writer's file there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

from pointsman.journal.disk import flush, sync_directory, try_lock, unlock
from pointsman.journal.frames import (
    FRAME,
    FRAME_BYTES,
    HEADER_BYTES,
    MAX_RECORD_BYTES,
    Frame,
    Header,
    check_payload,
    decode_header,
)
from pointsman.journal.layout import layout, parse_segment_name

StopKind = Literal[
    "end",  # the file ends after a whole record: its writer is alive, or was killed there
    "closed",  # the closing mark, and nothing after it
    "header",
    "short",  # the file ends inside a frame
    "oversize",
    "crc",
    "chain",
    "trailing",  # bytes after the closing mark
]
GOOD_STOPS = ("end", "closed")


@dataclass(frozen=True, slots=True)
class Stop:
    """Why reading a segment stopped, and at which byte."""

    kind: StopKind
    offset: int
    detail: str = ""

    @property
    def good(self) -> bool:
        return self.kind in GOOD_STOPS


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment was read, to go on from there later."""

    offset: int
    ordinal: int
    chain: bytes


class SegmentReader:
    """Iterates the good frames of a segment once; then `stop` says why it stopped.

    Never disturbs the writer: it opens for reading, takes no lock, and a last frame that is not
    whole yet is only `short`.
    """

    def __init__(self, path: Path, *, after: Position | None = None) -> None:
        self.path = path
        self.name = path.name
        named = parse_segment_name(self.name)
        self.header: Header | None = None
        self.stop: Stop | None = None
        self._file: BinaryIO = path.open("rb", buffering=1 << 18)
        found = decode_header(self._file.read(HEADER_BYTES))
        if isinstance(found, Header) and (found.writer, found.seq) != named:
            found = f"the header says {found.writer} {found.seq}: the file was renamed"
        if isinstance(found, str):
            self.stop = Stop("header", 0, found)
            self.position = after or Position(0, 0, b"")
            return
        self.header = found
        self.position = after or Position(HEADER_BYTES, 0, found.chain)
        self._file.seek(self.position.offset)

    def __iter__(self) -> Iterator[Frame]:
        read = self._file.read
        offset, ordinal, chain = self.position.offset, self.position.ordinal, self.position.chain
        while self.stop is None:
            head = read(FRAME_BYTES)
            if len(head) < FRAME_BYTES:
                kind: StopKind = "short" if head else "end"
                self.stop = Stop(kind, offset, f"{len(head)} bytes of a frame" if head else "")
                return
            length, crc, after = FRAME.unpack(head)
            if length > MAX_RECORD_BYTES:
                self.stop = Stop("oversize", offset, f"a record of {length} bytes")
                return
            payload = read(length)
            if len(payload) < length:
                self.stop = Stop("short", offset, f"{len(payload)} of {length} bytes of a record")
                return
            wrong = check_payload(payload, crc, chain, after)
            if wrong is not None:
                self.stop = Stop("crc" if wrong == "crc" else "chain", offset, "does not match")
                return
            if not length:
                self._close(offset, ordinal, after, more=read(1))
                return
            frame = Frame(ordinal, offset, payload, after)
            chain, ordinal, offset = after, ordinal + 1, offset + FRAME_BYTES + length
            self.position = Position(offset, ordinal, chain)
            yield frame

    def _close(self, offset: int, ordinal: int, chain: bytes, *, more: bytes) -> None:
        end = offset + FRAME_BYTES
        self.position = Position(end, ordinal, chain)
        self.stop = Stop("trailing", end, "bytes after the end") if more else Stop("closed", end)

    def live(self) -> bool:
        """True while a writer holds the segment."""
        fd = self._file.fileno()
        if not try_lock(fd, shared=True):
            return True
        unlock(fd)
        return False

    def flush(self) -> None:
        """What is in the file now is on the disk, whoever wrote it. Raises: OSError."""
        flush(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "SegmentReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def read_segment(path: str | os.PathLike[str]) -> SegmentReader:
    """The good frames of a segment, in order, and why they stop.

    Raises: FileNotFoundError; ValueError when the name is not a segment's.
    """
    return SegmentReader(Path(path))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `recover` found: `held` (its writer lives), `whole`, or `cut` at a bad record."""

    state: Literal["held", "whole", "cut"]
    records: int = 0
    cut_bytes: int = 0
    cut_file: Path | None = None
    stop: Stop | None = None


def recover(path: str | os.PathLike[str]) -> Recovery:
    """Cut a dead writer's segment at its first bad record; keep what was cut as `NAME.cut`.

    Safe to repeat and to interrupt: the cut bytes are on the disk before the file gets shorter.
    A file whose header is bad is set aside whole. Raises: FileNotFoundError, OSError.
    """
    segment = Path(path)
    fd = os.open(segment, os.O_RDWR)
    try:
        if not try_lock(fd):
            return Recovery("held")
        return recover_locked(segment, fd)
    finally:
        os.close(fd)


def recover_locked(segment: Path, fd: int) -> Recovery:
    """Like `recover`, for a caller who holds the lock on `fd`."""
    with SegmentReader(segment) as reader:
        for _ in reader:
            pass
        stop, position = reader.stop, reader.position
    assert stop is not None, "a segment that was read to its end says why it ended"
    if stop.good:
        return Recovery("whole", position.ordinal, stop=stop)
    aside = _free_name(segment, stop.offset)
    size = os.fstat(fd).st_size
    if stop.kind == "header":
        os.rename(segment, aside)
    else:
        _copy(fd, stop.offset, size, aside)
        os.ftruncate(fd, stop.offset)
        flush(fd)
    sync_directory(segment.parent)
    return Recovery("cut", position.ordinal, size - stop.offset, aside, stop)


def recover_all(root: str | os.PathLike[str]) -> dict[str, Recovery]:
    """Recover every segment whose writer is gone; by file name, those that live left out."""
    where = layout(root)
    found: dict[str, Recovery] = {}
    for name in where.segment_names():
        try:
            result = recover(where.segments / name)
        except FileNotFoundError:
            continue  # sealed meanwhile
        if result.state != "held":
            found[name] = result
    return found


def _free_name(segment: Path, offset: int) -> Path:
    first = segment.with_name(segment.name + ".cut")
    return first.with_name(f"{first.name}.{offset}") if first.exists() else first


def _copy(fd: int, start: int, end: int, target: Path) -> None:
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while start < end:
            part = os.pread(fd, min(1 << 20, end - start), start)
            if not part:
                break
            start += len(part)
            while part:
                part = part[os.write(out, part) :]
        flush(out)
    finally:
        os.close(out)
    sync_directory(target.parent)
