"""Rolling up: the sums of one day, all that rates, costs and times of any range of days need.

One Parquet file a day, of four kinds of rows (`part`); a cost squared or cubed is in dollars.

requests  by tenant, task, route, status and acceptance: how many, and powers of their cost
times     of delivered requests, by tenant, task, route, metric and logarithmic bucket
steps     by tenant, task, route, step and deployment: how far requests came and what passed
failures  by tenant, task, route, deployment and kind: attempts without an answer
"""

# ruff: noqa: S608 - SQL is put together from the constants of this file; values are bound.

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pointsman.domain.ids import ulid
from pointsman.journal.layout import layout
from pointsman.journal.manifest import Manifest, RollUp, publish, read_manifest, sole_changer
from pointsman.journal.parquet import flush_file
from pointsman.journal.reader import JournalReader
from pointsman.journal.sealed import file_sha256
from pointsman.journal.tables import quoted

if TYPE_CHECKING:
    import duckdb

DAY_US = 86_400_000_000
BUCKETS_PER_OCTAVE = 16  # a bucket is 4.4 % wide, so that its middle is off by 2.2 % at most

# What the rule of the task says of a request, as far as its outcomes decide it.
Judge = Callable[[str | None, int, Sequence[Mapping[str, Any]]], str]


@dataclass(frozen=True, slots=True)
class RollReport:
    """What a roll-up did."""

    state: Literal["rolled up", "nothing to roll up", "held by another"]
    day: int | None = None
    requests: int = 0
    rows: int = 0
    waiting: int = 0  # days that the next calls will do


def days_to_roll(manifest: Manifest, *, today: int, rules: Mapping[str, str]) -> list[int]:
    """Days that have ended and whose sums are missing, or lack records, or follow another rule."""
    done = {rollup.day: rollup for rollup in manifest.rollups}
    changed = {day for file in manifest.files for day in file.unrolled}
    kept = {day for file in manifest.files for day in file.days}
    changed |= {
        day
        for day in kept & set(done)
        if any(rules.get(task, rules[""]) != rule for task, rule in done[day].rules.items())
    }
    return sorted(day for day in changed if manifest.frozen_day < day < today)


def roll_up(
    root: str | os.PathLike[str],
    *,
    judge: Judge,
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
    Args: judge gives `accepted`, `rejected` or `undecided`; rules are the digests of the rules it
    goes by, by task, "" for any other; today is the first day that is not over.
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


def _write(reader: JournalReader, path: Path, day: int, judge: Judge) -> _Made:
    """Sum up one day into a file."""
    bounds = {"day": day, "since_us": day * DAY_US, "until_us": (day + 1) * DAY_US}
    with reader.connected() as (connection, scratch):
        fates, latest_us = scratch / "fates.ndjson", 0
        rows = connection.execute(_FACTS, bounds)
        with fates.open("wb") as out:
            for trace, group in groupby(_fetched(rows), key=itemgetter(0)):
                facts = list(group)
                latest_us = max(latest_us, *(fact[6] for fact in facts))
                said = [dict(zip(_FACT, fact[3:], strict=True)) for fact in facts]
                fate = judge(facts[0][1], facts[0][2], said)
                out.write(msgspec.json.encode({"trace": trace, "acceptance": fate}) + b"\n")
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE fate AS SELECT * FROM read_json("
            f"'{quoted(fates)}', format = 'newline_delimited',"
            " columns = {trace: 'VARCHAR', acceptance: 'VARCHAR'})"
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {_SQL}", bounds)
        connection.execute(
            f"COPY (FROM made ORDER BY part, tenant, task, route) TO '{quoted(path)}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        told = connection.execute(
            "SELECT coalesce(sum(n) FILTER (part = 'requests'), 0)::BIGINT, count(*),"
            " list(DISTINCT coalesce(task, '')) FILTER (part = 'requests') FROM made"
        ).fetchone()
    os.chmod(path, 0o600)
    assert told is not None, "an aggregate has one row"
    return _Made(told[0], told[1], tuple(told[2] or ()), latest_us)


def _fetched(rows: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while batch := rows.fetchmany(4096):
        yield from batch


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


_FACT = ("outcome", "value", "source", "at_us")
# The outcomes of a day's requests. One idempotency key is one fact, wherever its rivals are.
_FACTS = """
WITH asked AS (
  SELECT trace, task, at_us AS asked_us FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
),
keys AS (
  SELECT DISTINCT tenant, key FROM records WHERE kind = 'outcome' AND day = $day AND key IS NOT NULL
),
firsts AS (
  SELECT r.id FROM records r SEMI JOIN keys k ON r.tenant = k.tenant AND r.key = k.key
  WHERE r.kind = 'outcome'
  QUALIFY row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1
)
SELECT a.trace, a.task, a.asked_us, f.outcome, f.value, f.source, f.at_us
FROM records f JOIN asked a ON a.trace = f.trace
WHERE f.kind = 'outcome' AND f.day = $day AND (f.key IS NULL OR f.id IN (SELECT id FROM firsts))
ORDER BY a.trace, f.at_us, f.id
"""

# The table `fate` holds what the rule said of each request with an outcome.
_SQL = f"""
WITH asked AS (
  SELECT trace, at_us, tenant, task, route FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
),
ended AS (
  SELECT trace, status, delivered, attempts, attempt_count, cost_usd_picos, total_ms,
    first_byte_ms, held_ms
  FROM records
  WHERE kind = 'end' AND at_us >= $since_us - 3600000000 AND trace IN (SELECT trace FROM asked)
  QUALIFY row_number() OVER (PARTITION BY trace ORDER BY at_us, writer, seq, ordinal) = 1
),
whole AS (
  SELECT a.*, e.* EXCLUDE (trace), coalesce(e.cost_usd_picos, 0) / 1e12 AS usd,
    CASE WHEN e.status IS NULL THEN 'running' WHEN e.status = 'cancelled' THEN 'cancelled'
      WHEN e.status IN ('failed', 'refused', 'cut') AND e.delivered IS NULL THEN 'rejected'
      ELSE coalesce(f.acceptance, 'undecided') END AS acceptance
  FROM asked a LEFT JOIN ended e ON e.trace = a.trace LEFT JOIN fate f ON f.trace = a.trace
),
spans AS (
  UNPIVOT (SELECT tenant, task, route, total_ms::BIGINT AS total_ms,
    first_byte_ms::BIGINT AS first_byte_ms, held_ms::BIGINT AS held_ms
    FROM whole WHERE status = 'delivered')
  ON total_ms, first_byte_ms, held_ms INTO NAME metric VALUE ms
),
tries AS (
  SELECT trace, tenant, task, route, acceptance, delivered, unnest(range(attempt_count)) AS number,
    unnest(json_extract(attempts, '$[*]')) AS t
  FROM whole WHERE attempt_count > 0
),
tried AS (
  SELECT trace, tenant, task, route, acceptance, number,
    coalesce(delivered = number, false) AS gave,
    (t->>'$.step')::BIGINT AS step, t->>'$.deployment' AS deployment,
    t->>'$.failure.kind' AS failure, t->>'$.gate.verdict' AS gate,
    coalesce((t->>'$.usage.prompt_tokens')::BIGINT, 0)
      + coalesce((t->>'$.usage.completion_tokens')::BIGINT, 0) AS tokens,
    coalesce((t->>'$.cost_usd_picos')::BIGINT, 0) AS picos
  FROM tries
),
lasts AS (
  SELECT *,
    row_number() OVER (PARTITION BY trace, step, deployment ORDER BY number DESC) = 1 AS last
  FROM tried
)
SELECT $day::BIGINT AS day, 'requests' AS part, tenant, task, route, status, acceptance,
  count(*) AS n, sum(coalesce(cost_usd_picos, 0))::BIGINT AS picos,
  sum(usd * usd) AS usd_2, sum(usd * usd * usd) AS usd_3,
  min(at_us) AS first_us, max(at_us) AS last_us
FROM whole GROUP BY ALL
UNION ALL BY NAME
SELECT $day::BIGINT AS day, 'times' AS part, tenant, task, route, metric,
  CASE WHEN ms < 1 THEN 0.0
    ELSE 2.0 ** ((floor(log2(ms) * {BUCKETS_PER_OCTAVE}) + 0.5) / {BUCKETS_PER_OCTAVE}) END AS ms,
  count(*) AS n
FROM spans GROUP BY ALL
UNION ALL BY NAME
SELECT $day::BIGINT AS day, 'steps' AS part, tenant, task, route, step, deployment,
  count(*) FILTER (last) AS reached, count(*) FILTER (last AND failure IS NOT NULL) AS failed,
  count(*) FILTER (last AND gate = 'accept') AS passed,
  count(*) FILTER (last AND gate = 'escalate') AS escalated,
  count(*) FILTER (gate IS NOT NULL) AS gated, count(*) FILTER (gave) AS gave,
  count(*) FILTER (gave AND acceptance = 'accepted') AS gave_accepted,
  count(*) FILTER (gave AND acceptance = 'rejected') AS gave_rejected,
  count(*) FILTER (gave AND acceptance = 'undecided') AS gave_undecided,
  sum(tokens)::BIGINT AS tokens, sum(picos)::BIGINT AS picos
FROM lasts GROUP BY ALL
UNION ALL BY NAME
SELECT $day::BIGINT AS day, 'failures' AS part, tenant, task, route, deployment,
  failure AS failure_kind, count(*) AS n
FROM tried WHERE failure IS NOT NULL GROUP BY ALL
"""
