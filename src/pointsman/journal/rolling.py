"""Rolling up: the sums of one day in one Parquet file; what they are says `summing.py`."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.ids import ulid
from pointsman.domain.ports import FateJudge
from pointsman.journal.layout import layout
from pointsman.journal.manifest import Manifest, RollUp, publish, read_manifest, sole_changer
from pointsman.journal.parquet import flush_file
from pointsman.journal.reader import JournalReader
from pointsman.journal.sealed import file_sha256
from pointsman.journal.summing import DAY_US, FORM, sum_up
from pointsman.journal.tables import quoted


@dataclass(frozen=True, slots=True)
class RollReport:
    """What a roll-up did."""

    state: Literal["rolled up", "nothing to roll up", "held by another"]
    day: int | None = None
    requests: int = 0
    rows: int = 0
    waiting: int = 0  # days that the next calls will do


def days_to_roll(manifest: Manifest, *, today: int, rules: Mapping[str, str]) -> list[int]:
    """Days that have ended and whose sums are missing, lack records or follow another rule."""
    done = {rollup.day: rollup for rollup in manifest.rollups}
    changed = {day for file in manifest.files for day in file.unrolled}
    kept = {day for file in manifest.files for day in file.days}
    changed |= {day for day in kept & set(done) if done[day].form < FORM}
    changed |= {
        day
        for day in kept & set(done)
        if any(rules.get(task, rules[""]) != rule for task, rule in done[day].rules.items())
    }
    return sorted(day for day in changed if manifest.frozen_day < day < today)


def roll_up(
    root: str | os.PathLike[str],
    *,
    judge: FateJudge,
    rules: Mapping[str, str],
    today: int,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    entropy: Callable[[int], bytes] = os.urandom,
    memory_mb: int = 512,
    allowed: Callable[[], bool] = lambda: True,
    reached: Callable[[str], None] = lambda point: None,
) -> RollReport:
    """Sum up the earliest day that needs it, from sealed files alone; call again for the next.

    What is not sealed yet opens its days anew, for readers at once and here once it is sealed.
    May be killed at any point.
    Args: rules are the digests of the rules that judge goes by, by task, "" for any other; today
    is the first day that is not over.
    Raises: Superseded; CheckFailed; OSError and duckdb.Error, with the old sums in force.
    """
    where = layout(root).create()
    with sole_changer(where) as alone:
        if not alone:
            return RollReport("held by another")
        manifest = read_manifest(where)
        days = days_to_roll(manifest, today=today, rules=rules)
        if not days:
            return RollReport("nothing to roll up")
        day, generation = days[0], manifest.generation + 1
        path = where.rollups / f"{day:06d}-{ulid(clock_ms(), entropy(10))}.parquet"
        try:
            with JournalReader(root, memory_mb=memory_mb, only_sealed=True) as reader:
                made = _write(reader, path, day, judge)
            reached("written")
            rollup = RollUp(
                day=day,
                name=path.name,
                size=flush_file(path),
                sha256=file_sha256(path),
                latest_us=made.latest_us,
                rules={task: rules.get(task, rules[""]) for task in made.tasks},
                form=FORM,
            )
            publish(where, _with(manifest, generation, rollup), allowed)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        reached("published")
    return RollReport(
        "rolled up", day=day, requests=made.requests, rows=made.rows, waiting=len(days) - 1
    )


@dataclass(frozen=True, slots=True)
class _Made:
    requests: int
    rows: int
    tasks: tuple[str, ...]
    latest_us: int


def _write(reader: JournalReader, path: Path, day: int, judge: FateJudge) -> _Made:
    """Sum up one day into a file."""
    with reader.connected() as (connection, scratch):
        latest_us = sum_up(
            connection, scratch, judge, since_us=day * DAY_US, until_us=(day + 1) * DAY_US
        )
        connection.execute(
            f"COPY (FROM made ORDER BY part, dimension, tenant, task, route) TO '{quoted(path)}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        told = connection.execute(
            "SELECT coalesce(sum(n) FILTER (part = 'requests'), 0)::BIGINT, count(*),"
            " list(DISTINCT coalesce(task, '')) FILTER (part = 'requests') FROM made"
        ).fetchone()
        connection.execute("DROP TABLE made")
    os.chmod(path, 0o600)
    assert told is not None, "an aggregate has one row"
    return _Made(told[0], told[1], tuple(told[2] or ()), latest_us)


def _with(manifest: Manifest, generation: int, rollup: RollUp) -> Manifest:
    others = [each for each in manifest.rollups if each.day != rollup.day]
    return msgspec.structs.replace(
        manifest,
        generation=generation,
        rollups=tuple(sorted([*others, rollup], key=lambda each: each.day)),
        files=tuple(
            msgspec.structs.replace(
                file, unrolled=tuple(day for day in file.unrolled if day != rollup.day)
            )
            if rollup.day in file.unrolled
            else file
            for file in manifest.files
        ),
    )
