"""Dropping: whole sealed files whose every record was kept long enough; sums of days stay."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.ids import retention_id
from pointsman.domain.records import DroppedRun, RetentionRecord
from pointsman.journal.frames import decode_record
from pointsman.journal.layout import Layout, layout
from pointsman.journal.manifest import (
    Dropped,
    Manifest,
    SealedFile,
    publish,
    read_manifest,
    sole_changer,
)
from pointsman.journal.tables import connect, parquet_files, scratch_directory
from pointsman.journal.writer import JournalWriter

_MOST_RUNS = 4000  # in one record, which may have a mebibyte


@dataclass(frozen=True, slots=True)
class DropReport:
    """What was dropped."""

    state: Literal["dropped", "nothing to drop", "held by another"]
    files: tuple[str, ...] = ()
    records: int = 0
    waiting: int = 0  # old enough, and kept: a day of theirs is not rolled up yet


def drop_records(
    root: str | os.PathLike[str],
    *,
    before_us: int,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    entropy: Callable[[int], bytes] = os.urandom,
    allowed: Callable[[], bool] = lambda: True,
    reached: Callable[[str], None] = lambda point: None,
) -> DropReport:
    """Take files out of the journal that hold nothing from `before_us` on.

    What stays: the roll-ups of their days, and in the manifest how the chain went through them, so
    that verifying what is left still holds. What went is a record, written before it goes.
    Configurations and identities of models that records which stay may name are appended again. A
    file waits where a day of it is not rolled up. Bodies are erased by their own retention, which
    is shorter. May be killed at any point.
    Raises: Superseded; CheckFailed when the manifest cannot be read; OSError.
    """
    where = layout(root).create()
    with sole_changer(where) as alone:
        if not alone:
            return DropReport("held by another")
        manifest = read_manifest(where)
        old = [file for file in manifest.files if file.last_us < before_us]
        open_days = {day for file in manifest.files for day in file.unrolled}
        open_days = {day for day in open_days if day > manifest.frozen_day}
        ready = [file for file in old if not open_days & set(file.days)]
        waiting = len(old) - len(ready)
        if not ready:
            return DropReport("nothing to drop", waiting=waiting)
        _carry_named(root, ready, _witness(ready, before_us, clock_ms(), entropy))
        reached("carried")
        publish(where, without(manifest, ready), allowed)
        reached("published")
    return DropReport(
        "dropped",
        files=tuple(file.name for file in ready),
        records=sum(file.records for file in ready),
        waiting=waiting,
    )


def _witness(
    going: Sequence[SealedFile], before_us: int, now_ms: int, entropy: Callable[[int], bytes]
) -> list[RetentionRecord]:
    """What goes, as records; several where one would be too long."""
    segments = sorted(
        (segment for file in going for segment in file.segments),
        key=lambda each: (each.writer, each.seq),
    )
    runs: list[DroppedRun] = []
    for each in segments:
        last = runs[-1] if runs else None
        if last is not None and (last.writer, last.last_seq + 1) == (each.writer, each.seq):
            runs[-1] = msgspec.structs.replace(
                last, last_seq=each.seq, records=last.records + each.records
            )
        else:
            runs.append(
                DroppedRun(
                    writer=each.writer, first_seq=each.seq, last_seq=each.seq, records=each.records
                )
            )
    return [
        RetentionRecord(
            id=retention_id(now_ms, entropy(10)), at_us=now_ms * 1000, before_us=before_us,
            dropped=tuple(runs[start : start + _MOST_RUNS]),
        )
        for start in range(0, len(runs), _MOST_RUNS)
    ]  # fmt: skip


def _carry_named(
    root: str | os.PathLike[str], going: Sequence[SealedFile], witness: Sequence[RetentionRecord]
) -> None:
    """Append what goes, and again what stays may need of it: configurations, identities, and what
    went before."""
    where = layout(root)
    staying = [each for each in read_manifest(where).files if each not in going]
    carried = _named(where, going)
    for name in _named(where, staying):
        carried.pop(name, None)
    with JournalWriter(root) as writer:
        for payload in carried.values():
            writer.append(decode_record(payload))
        for record in witness:
            writer.append(record)


def _named(where: Layout, files: Sequence[SealedFile]) -> dict[str, str]:
    """The latest record in these files of each configuration, served model and retention, by its
    digest or id."""
    if not files:
        return {}
    with scratch_directory() as scratch:
        connection = connect(
            readable=[where.sealed], scratch=Path(scratch), threads=1, memory_mb=256
        )
        try:
            rows = connection.execute(
                "SELECT coalesce(digest, id) AS name, arg_max(payload, at_us)"  # noqa: S608
                f" FROM {parquet_files(where.sealed / file.name for file in files)}"
                " WHERE kind IN ('config', 'served', 'retention') GROUP BY name"
            ).fetchall()
        finally:
            connection.close()
    return dict(rows)


def without(manifest: Manifest, files: Iterable[SealedFile]) -> Manifest:
    """The manifest without these files; the chain through them as one link a writer and run."""
    gone = {file.name: file for file in files}
    links: dict[str, list[Dropped]] = defaultdict(list)
    for link in manifest.dropped:
        links[link.writer].append(link)
    for file in gone.values():
        for segment in file.segments:
            links[segment.writer].append(
                Dropped(
                    writer=segment.writer,
                    first_seq=segment.seq,
                    last_seq=segment.seq,
                    records=segment.records,
                    first=segment.first,
                    last=segment.last,
                )
            )
    days = {day for each in gone.values() for day in each.days}
    return msgspec.structs.replace(
        manifest,
        generation=manifest.generation + 1,
        files=tuple(file for file in manifest.files if file.name not in gone),
        frozen_day=max({manifest.frozen_day, *days}),
        dropped=tuple(link for writer in sorted(links) for link in _joined(links[writer])),
    )


def _joined(links: list[Dropped]) -> list[Dropped]:
    joined: list[Dropped] = []
    for link in sorted(links, key=lambda link: link.first_seq):
        before = joined[-1] if joined else None
        if before is not None and (before.last_seq + 1, before.last) == (
            link.first_seq,
            link.first,
        ):
            joined[-1] = msgspec.structs.replace(
                before,
                last_seq=link.last_seq,
                last=link.last,
                records=before.records + link.records,
            )
        else:
            joined.append(link)
    return joined
