"""Sealing: finished segments become one Parquet file under the manifest, then go away."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.ids import ulid
from pointsman.journal.damage import refuse_damaged
from pointsman.journal.disk import sync_directory, try_lock
from pointsman.journal.layout import Layout, layout, parse_segment_name
from pointsman.journal.leftovers import remove_leftovers
from pointsman.journal.manifest import (
    Manifest,
    SealedSegment,
    publish,
    read_manifest,
    sole_changer,
)
from pointsman.journal.parquet import describe, rows_per_group, write_parquet
from pointsman.journal.recovery import SegmentReader, recover_locked
from pointsman.journal.tables import scratch_directory, select_rows, write_rows

_SEGMENTS_AT_ONCE = 256  # each is held open and locked during a run


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
    allowed: Callable[[], bool] = lambda: True,
    reached: Callable[[str], None] = lambda point: None,
) -> SealReport:
    """Turn the segments that no writer holds into one Parquet file; recovers them first.

    May be killed at any point: until the manifest is replaced the segments count, from then on
    the file does. A file is read back and its chain checked before any segment is removed.
    Args: max_bytes of segments for one run, exceeded by one segment at most; memory_mb for
    DuckDB; `allowed` is asked just before the manifest changes; `reached` is called with the name
    of each step done.
    Raises: Superseded when no longer allowed; CheckFailed when the written file does not read
    back or the manifest is broken; OSError and duckdb.Error from a full or failing disk, with the
    segments untouched.
    """
    where = layout(root).create()
    with sole_changer(where) as alone:
        if not alone:
            return SealReport("held by another")
        manifest = read_manifest(where)
        removed = remove_leftovers(where, manifest, now_s=clock_ms() / 1000)
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
                write_parquet(
                    select_rows(rows),
                    where.sealed / name,
                    group=rows_per_group(records, raw),
                    scratch=Path(scratch),
                    threads=threads,
                    memory_mb=memory_mb,
                )
                reached("parquet")
            file = describe(where, name, segments)
            reached("checked")
            files = (*manifest.files, file)
            publish(
                where,
                msgspec.structs.replace(manifest, generation=generation, files=files),
                allowed,
            )
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
        refuse_damaged(path)
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
