"""Sealing: finished segments become one Parquet file under the manifest, then go away."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pointsman.domain.errors import CheckFailed
from pointsman.domain.ids import ulid
from pointsman.journal.bodies import remove_empty_packs
from pointsman.journal.disk import flush, sync_directory, try_lock
from pointsman.journal.layout import UNBORN_SUFFIX, Layout, layout, parse_segment_name
from pointsman.journal.manifest import (
    Manifest,
    SealedFile,
    SealedSegment,
    read_manifest,
    replace_manifest,
)
from pointsman.journal.recovery import SegmentReader, recover_locked
from pointsman.journal.sealed import check_sealed, file_sha256
from pointsman.journal.tables import connect, quoted, scratch_directory, select_rows, write_rows

_SCRATCH = "pointsman-"  # see scratch_directory
_SEGMENTS_AT_ONCE = 256  # each is held open and locked during a run
_ROW_GROUP_BYTES = 32 * 1024 * 1024  # of payload: what DuckDB holds at once, with room to spare


@dataclass(frozen=True, slots=True)
class SealReport:
    """What a seal did."""

    state: Literal["sealed", "nothing to seal", "held by another"]
    file: str | None = None
    records: int = 0
    segments: int = 0
    live: int = 0  # segments that their writers still hold
    waiting: int = 0  # finished segments left for the next run, over `max_bytes`
    cut: tuple[str, ...] = ()  # segments of killed writers that ended in a part of a record
    removed: tuple[str, ...] = ()  # what a killed seal or writer left, and emptied packs
    raw_bytes: int = 0
    sealed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    path: Path
    size: int


def seal(
    root: str | os.PathLike[str],
    *,
    max_bytes: int = 1 << 30,
    threads: int = 1,
    memory_mb: int = 512,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    entropy: Callable[[int], bytes] = os.urandom,
    reached: Callable[[str], None] = lambda point: None,
) -> SealReport:
    """Turn the segments that no writer holds into one Parquet file; recovers them first.

    May be killed at any point: until the manifest is replaced the segments count, from then on
    the file does. A file is read back and its chain checked before any segment is removed.
    Args: max_bytes of segments for one run, exceeded by one segment at most; memory_mb for
    DuckDB; `reached` is called with the name of each step done.
    Raises: CheckFailed when the written file does not read back or the manifest is broken;
    OSError and duckdb.Error from a full or failing disk, with the segments untouched.
    """
    where = layout(root).create()
    with _sole_sealer(where) as alone:
        if not alone:
            return SealReport("held by another")
        manifest = read_manifest(where)
        removed = _remove_leftovers(where, manifest, now_s=clock_ms() / 1000)
        reached("cleaned")
        with ExitStack() as locks:
            taken, live, waiting, cut = _take(where, manifest, max_bytes, locks)
            reached("taken")
            with scratch_directory(where.sealed) as scratch:
                rows = Path(scratch) / "rows.ndjson"
                segments = _write_rows(rows, taken)
                records = sum(segment.records for segment in segments)
                if not records:
                    return SealReport(
                        "nothing to seal", live=live, waiting=waiting, cut=cut, removed=removed
                    )
                reached("rows")
                generation = manifest.generation + 1
                name = f"{generation:08d}-{ulid(clock_ms(), entropy(10))}.parquet"
                raw = sum(segment.size for segment in taken)
                _write_parquet(
                    rows,
                    where.sealed / name,
                    group=_rows_per_group(records, raw),
                    threads=threads,
                    memory_mb=memory_mb,
                )
                reached("parquet")
            file = _describe(where, name, records, segments)
            reached("checked")
            replace_manifest(where, Manifest(generation=generation, files=(*manifest.files, file)))
            reached("published")
            for segment in taken:
                segment.path.unlink()
                reached("removed")
            sync_directory(where.segments)
    return SealReport(
        "sealed",
        file=name,
        records=records,
        segments=len(segments),
        live=live,
        waiting=waiting,
        cut=cut,
        removed=removed,
        raw_bytes=raw,
        sealed_bytes=file.size,
    )


@contextmanager
def _sole_sealer(where: Layout) -> Iterator[bool]:
    fd = os.open(where.seal_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)


def _remove_leftovers(where: Layout, manifest: Manifest, *, now_s: float) -> tuple[str, ...]:
    """What nobody needs: what a killed seal or writer left, and packs whose bodies are erased."""
    named, covered = {file.name for file in manifest.files}, manifest.covered()
    removed = []
    for path in sorted(where.sealed.iterdir()):
        if path.name.startswith(_SCRATCH):
            shutil.rmtree(path)
        elif path.suffix == ".parquet" and path.name not in named:
            path.unlink()
        else:
            continue
        removed.append(path.name)
    for path in sorted(where.segments.iterdir()):
        if path.name in covered or (path.name.endswith(UNBORN_SUFFIX) and _abandoned(path, now_s)):
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return (*removed, *remove_empty_packs(where))


def _abandoned(unborn: Path, now_s: float) -> bool:
    """True for a segment whose writer died before it was born, and long enough ago to be sure."""
    try:
        return now_s - unborn.stat().st_mtime > 60
    except FileNotFoundError:
        return False


def _take(
    where: Layout, manifest: Manifest, max_bytes: int, locks: ExitStack
) -> tuple[list[_Taken], int, int, tuple[str, ...]]:
    """Lock and recover the finished segments, oldest first; also how many live or must wait."""
    covered = manifest.covered()
    taken: list[_Taken] = []
    live = waiting = total = 0
    cut: list[str] = []
    for name in where.segment_names():
        if name in covered:
            continue
        if total >= max_bytes or len(taken) >= _SEGMENTS_AT_ONCE:
            waiting += 1
            continue
        path = where.segments / name
        fd = os.open(path, os.O_RDWR)
        if not try_lock(fd):
            os.close(fd)
            live += 1
            continue
        locks.callback(os.close, fd)
        result = recover_locked(path, fd)
        if result.state == "cut":
            cut.append(name)
        if not path.exists():  # its header was bad: set aside whole
            continue
        size = os.fstat(fd).st_size
        taken.append(_Taken(path, size))
        total += size
    return taken, live, waiting, tuple(cut)


def _write_rows(rows: Path, taken: list[_Taken]) -> list[SealedSegment]:
    segments = []
    with rows.open("wb", buffering=1 << 20) as out:
        for segment in taken:
            with SegmentReader(segment.path) as reader:
                header = reader.header
                assert header is not None, "a recovered segment has a good header"
                count = write_rows(out, header, reader)
                assert reader.stop is not None, "a segment that was read says why it ended"
                assert reader.stop.good, "a recovered segment is whole"
                writer, seq = parse_segment_name(segment.path.name)
                segments.append(
                    SealedSegment(
                        name=segment.path.name,
                        writer=writer,
                        seq=seq,
                        records=count,
                        first=header.chain.hex(),
                        last=reader.position.chain.hex(),
                        closed=reader.stop.kind == "closed",
                    )
                )
    return segments


def _rows_per_group(records: int, raw_bytes: int) -> int:
    """Rows of one Parquet row group: 2,048 (DuckDB's vector) to its default 122,880."""
    return max(2048, min(122_880, _ROW_GROUP_BYTES * records // max(1, raw_bytes)))


def _write_parquet(rows: Path, target: Path, *, group: int, threads: int, memory_mb: int) -> None:
    connection = connect(
        readable=[target.parent], scratch=rows.parent, threads=threads, memory_mb=memory_mb
    )
    try:
        connection.execute(
            f"COPY ({select_rows(rows)}) TO '{quoted(target)}'"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
        )
    finally:
        connection.close()
    os.chmod(target, 0o600)


def _describe(where: Layout, name: str, records: int, segments: list[SealedSegment]) -> SealedFile:
    """Flush the new file, read it back, and say what it stands for. Raises: CheckFailed."""
    path = where.sealed / name
    fd = os.open(path, os.O_RDONLY)
    try:
        flush(fd)
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    sync_directory(where.sealed)
    file = SealedFile(
        name=name,
        sha256=file_sha256(path),
        size=size,
        records=records,
        segments=tuple(segments),
    )
    fault = check_sealed(where, file)
    if fault is not None:
        path.unlink()
        raise CheckFailed(
            "The sealed file does not hold what the segments held",
            why=str(fault),
            next="nothing was removed; check memory and disk of this machine, then seal again",
        )
    return file
