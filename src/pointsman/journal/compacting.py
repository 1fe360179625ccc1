"""Compacting: small sealed files of one day become one, under the manifest, with nothing lost."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.ids import ulid
from pointsman.journal.layout import Layout, layout
from pointsman.journal.leftovers import remove_leftovers
from pointsman.journal.manifest import (
    Manifest,
    SealedFile,
    publish,
    read_manifest,
    sole_changer,
)
from pointsman.journal.parquet import describe, rows_per_group, write_parquet
from pointsman.journal.tables import parquet_files, scratch_directory

COMPACT_BYTES = 128 * 1024 * 1024  # of the files that become one
_DAY_US = 86_400_000_000
_UNPACKED = 12  # bytes of payload per byte of sealed file, about: only row groups depend on it


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction did."""

    state: Literal["compacted", "nothing to compact", "held by another"]
    files: int = 0  # that became one
    records: int = 0
    before_bytes: int = 0
    after_bytes: int = 0
    removed: tuple[str, ...] = ()


def compact(
    root: str | os.PathLike[str],
    *,
    max_bytes: int = COMPACT_BYTES,
    threads: int = 1,
    memory_mb: int = 512,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    entropy: Callable[[int], bytes] = os.urandom,
    allowed: Callable[[], bool] = lambda: True,
    reached: Callable[[str], None] = lambda point: None,
) -> CompactReport:
    """Make one file of the first small neighbours of one day; call again until nothing is left.

    May be killed at any point: until the manifest is replaced the old files count, from then on
    the new one does. It is read back and its chain checked before. Old files stay until nobody
    reads them.
    Args: max_bytes of the sealed files together. The others as in `seal`.
    Raises: as `seal`.
    """
    where = layout(root).create()
    with sole_changer(where) as alone:
        if not alone:
            return CompactReport("held by another")
        manifest = read_manifest(where)
        removed = remove_leftovers(where, manifest, now_s=clock_ms() / 1000)
        reached("cleaned")
        old = next(neighbours(manifest, max_bytes), ())
        if not old:
            return CompactReport("nothing to compact", removed=removed)
        generation = manifest.generation + 1
        name = f"{generation:08d}-{ulid(clock_ms(), entropy(10))}.parquet"
        file = _joined(where, name, old, threads=threads, memory_mb=memory_mb)
        reached("checked")
        publish(where, _replaced(manifest, generation, old, file), allowed)
        reached("published")
    return CompactReport(
        "compacted",
        files=len(old),
        records=file.records,
        before_bytes=sum(each.size for each in old),
        after_bytes=file.size,
        removed=removed,
    )


def neighbours(manifest: Manifest, max_bytes: int) -> Iterator[tuple[SealedFile, ...]]:
    """Runs of files to join: side by side in the manifest, of one day, small enough together.

    A file stands for the day of its latest record, so that keeping days stays a matter of files.
    """
    run: list[SealedFile] = []
    for file in manifest.files:
        fits = (
            run
            and file.last_us // _DAY_US == run[0].last_us // _DAY_US
            and file.size + sum(each.size for each in run) <= max_bytes
        )
        if not fits:
            if len(run) > 1:
                yield tuple(run)
            run = []
        run.append(file)
    if len(run) > 1:
        yield tuple(run)


def _joined(
    where: Layout, name: str, old: tuple[SealedFile, ...], *, threads: int, memory_mb: int
) -> SealedFile:
    records = sum(file.records for file in old)
    payload = sum(file.size for file in old) * _UNPACKED
    with scratch_directory(where.sealed) as scratch:
        write_parquet(
            f"FROM {parquet_files(where.sealed / file.name for file in old)}",
            where.sealed / name,
            group=rows_per_group(records, payload),
            scratch=Path(scratch),
            threads=threads,
            memory_mb=memory_mb,
        )
    return describe(
        where,
        name,
        tuple(segment for file in old for segment in file.segments),
        unrolled=sorted({day for file in old for day in file.unrolled}),
    )


def _replaced(
    manifest: Manifest, generation: int, old: tuple[SealedFile, ...], new: SealedFile
) -> Manifest:
    """The new file stands where the first of the old ones stood."""
    files = [new if file is old[0] else file for file in manifest.files if file not in old[1:]]
    return msgspec.structs.replace(manifest, generation=generation, files=tuple(files))
