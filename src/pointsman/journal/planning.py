"""What sealing and compacting would do, without doing it: for people who look before they leap."""

import os
from dataclasses import dataclass

from pointsman.journal.compacting import COMPACT_BYTES, neighbours
from pointsman.journal.disk import try_lock, unlock
from pointsman.journal.erasing import count_due
from pointsman.journal.layout import layout
from pointsman.journal.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class SealPlan:
    """What a seal would take, and what the end of its retention would erase for good."""

    segments: int = 0
    raw_bytes: int = 0
    live: int = 0  # segments that their writers still hold
    due_bodies: int = 0
    due_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CompactPlan:
    """What compacting would make of the sealed files."""

    files: int = 0  # that would become fewer
    into: int = 0
    raw_bytes: int = 0


def plan_seal(root: str | os.PathLike[str], *, now_us: int) -> SealPlan:
    """Nothing is changed or made. Raises: CheckFailed for a broken manifest; OSError."""
    where = layout(root)
    covered = read_manifest(where).covered()
    segments = raw = live = 0
    for name in where.segment_names():
        if name in covered:
            continue
        try:
            fd = os.open(where.segments / name, os.O_RDONLY)
        except FileNotFoundError:
            continue  # sealed meanwhile
        try:
            if not try_lock(fd, shared=True):
                live += 1
                continue
            unlock(fd)
            segments, raw = segments + 1, raw + os.fstat(fd).st_size
        finally:
            os.close(fd)
    due = count_due(root, now_us=now_us)
    return SealPlan(segments, raw, live, due.bodies, due.bytes)


def plan_compact(root: str | os.PathLike[str], *, max_bytes: int = COMPACT_BYTES) -> CompactPlan:
    """Nothing is changed or made. Raises: CheckFailed for a broken manifest; OSError."""
    runs = list(neighbours(read_manifest(layout(root)), max_bytes))
    return CompactPlan(
        files=sum(map(len, runs)),
        into=len(runs),
        raw_bytes=sum(file.size for run in runs for file in run),
    )
