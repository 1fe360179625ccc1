"""What a journal holds and how keeping it goes, for people; changes nothing."""

import os
from datetime import UTC, datetime

import msgspec

from pointsman.domain.ports import Schedules
from pointsman.journal import read_manifest
from pointsman.journal.bodies import pack_paths
from pointsman.journal.layout import layout
from pointsman.keeping.jobs import JOBS

_FAR_US = 2**62


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One job of the keeper."""

    name: str
    last_us: int | None
    next_us: int | None
    error: str | None


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Files, sizes in bytes, and the keeper's jobs."""

    generation: int
    segments: int
    segment_bytes: int
    sealed_files: int
    sealed_records: int
    sealed_bytes: int
    packs: int
    pack_bytes: int
    dropped_records: int
    rolled_days: int
    last_rolled_day: str | None
    waiting_days: int  # that ended, and whose sums are missing or lack a record
    state: str  # `open`, or why there is none
    jobs: tuple[JobStatus, ...] = ()


def journal_status(
    root: str | os.PathLike[str],
    *,
    schedules: Schedules | None,
    now_us: int,
) -> JournalStatus:
    """The status of a journal. Raises: CheckFailed when the manifest cannot be read."""
    where = layout(root)
    manifest = read_manifest(where)
    segments = [where.segments / name for name in where.segment_names()]
    packs = pack_paths(where)
    today = now_us // 86_400_000_000
    waiting = {day for file in manifest.files for day in file.unrolled if day < today}
    last = manifest.rollups[-1].day if manifest.rollups else None
    return JournalStatus(
        generation=manifest.generation,
        segments=len(segments),
        segment_bytes=sum(path.stat().st_size for path in segments if path.exists()),
        sealed_files=len(manifest.files),
        sealed_records=sum(file.records for file in manifest.files),
        sealed_bytes=sum(file.size for file in manifest.files),
        packs=len(packs),
        pack_bytes=sum(path.stat().st_size for path in packs if path.exists()),
        dropped_records=sum(link.records for link in manifest.dropped),
        rolled_days=len(manifest.rollups),
        last_rolled_day=None if last is None else _date(last),
        waiting_days=len(waiting),
        state="open" if schedules is not None else "none yet: no gateway has opened it",
        jobs=_jobs(schedules) if schedules is not None else (),
    )


def _jobs(schedules: Schedules) -> tuple[JobStatus, ...]:
    known = {each.name: each for each in schedules.due(_FAR_US)}
    return tuple(
        JobStatus(
            name=name,
            last_us=known[name].last_us if name in known else None,
            next_us=known[name].next_us if name in known else None,
            error=known[name].last_error if name in known else None,
        )
        for name in JOBS
    )


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
