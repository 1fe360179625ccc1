"""Writing Parquet files of records, and describing them for the manifest once they read back."""

import os
from collections.abc import Sequence
from pathlib import Path

from pointsman.domain.errors import CheckFailed
from pointsman.journal.disk import flush, sync_directory
from pointsman.journal.layout import Layout
from pointsman.journal.manifest import SealedFile, SealedSegment
from pointsman.journal.sealed import check_sealed, file_sha256
from pointsman.journal.tables import connect, parquet_files, quoted, scratch_directory

_ROW_GROUP_BYTES = 32 * 1024 * 1024  # of payload: what DuckDB holds at once, with room to spare


def rows_per_group(records: int, raw_bytes: int) -> int:
    """Rows of one Parquet row group: 2,048 (DuckDB's vector) to its default 122,880."""
    return max(2048, min(122_880, _ROW_GROUP_BYTES * records // max(1, raw_bytes)))


def write_parquet(
    rows: str, target: Path, *, group: int, scratch: Path, threads: int, memory_mb: int
) -> None:
    """Rows of SQL as one file, in their order, readable by its owner only."""
    connection = connect(
        readable=[target.parent], scratch=scratch, threads=threads, memory_mb=memory_mb
    )
    try:
        connection.execute(
            f"COPY ({rows}) TO '{quoted(target)}'"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
        )
    finally:
        connection.close()
    os.chmod(target, 0o600)


def describe(
    where: Layout,
    name: str,
    segments: Sequence[SealedSegment],
    *,
    unrolled: Sequence[int] | None = None,
) -> SealedFile:
    """Flush a new file, read it back, and say what it stands for.

    Args: unrolled: the days that no roll-up knows of it; None: all that are in it.
    Raises: CheckFailed, and the file is gone.
    """
    path = where.sealed / name
    size = flush_file(path)
    first_us, last_us, days = _times(path)
    file = SealedFile(
        name=name,
        sha256=file_sha256(path),
        size=size,
        records=sum(segment.records for segment in segments),
        segments=tuple(segments),
        first_us=first_us,
        last_us=last_us,
        days=days,
        unrolled=days if unrolled is None else tuple(unrolled),
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


def flush_file(path: Path) -> int:
    """File and name reach the disk; the size in bytes."""
    fd = os.open(path, os.O_RDONLY)
    try:
        flush(fd)
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    sync_directory(path.parent)
    return size


def _times(path: Path) -> tuple[int, int, tuple[int, ...]]:
    with scratch_directory() as scratch:
        connection = connect(
            readable=[path.parent], scratch=Path(scratch), threads=1, memory_mb=256
        )
        try:
            row = connection.execute(
                "SELECT min(at_us), max(at_us), list_sort(list(DISTINCT day))"  # noqa: S608
                f" FROM {parquet_files([path])}"
            ).fetchone()
        finally:
            connection.close()
    assert row is not None, "an aggregate has one row"
    return row[0] or 0, row[1] or 0, tuple(day for day in row[2] or () if day is not None)
