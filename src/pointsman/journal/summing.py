"""Sums of requests, a row for each day and kind: all that rates, costs and times of days need.

Seven kinds of rows (`part`); a cost squared or cubed is in dollars.

requests  by tenant, task, route, status, acceptance: how many, and powers of their cost
times     of delivered requests, by tenant, task, route, metric and logarithmic bucket
steps     by tenant, task, route, step and deployment: how far requests came and what passed
failures  by tenant, task, route, deployment and kind: attempts without an answer
by        by tenant, task, segment, status, acceptance and the value of one dimension: as
          `requests`, with what the costs were for
by_times  as `times`, by tenant, task, segment and the value of one dimension
models    by tenant, task, deployment and the model that the engine said it was
"""

# ruff: noqa: S608 - SQL is put together from the constants of this file; values are bound.

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pointsman.domain.ports import FateJudge
from pointsman.journal.held import ended_in_the_end
from pointsman.journal.tables import ROLLED_NOTHING, quoted

if TYPE_CHECKING:
    import duckdb

DAY_US = 86_400_000_000
FAR_US = 2**62
BUCKETS_PER_OCTAVE = 16  # a bucket is 4.4 % wide, so that its middle is off by 2.2 % at most
FORM = 2  # of the rows: sums of an earlier form lack `by`, `by_times` and `models`
PARTS = ("requests", "times", "steps", "failures", "by", "by_times", "models")
DIMENSIONS = ("all", "route", "prompt", "config", "principal", "asked", "deployment", "policy")


def sum_up(
    connection: "duckdb.DuckDBPyConnection",
    scratch: Path,
    judge: FateJudge,
    *,
    since_us: int,
    until_us: int,
    known_us: int = FAR_US,
    parts: Sequence[str] = PARTS,
    dimensions: Sequence[str] = DIMENSIONS,
) -> int:
    """Fill the temporary table `made` with the sums of requests admitted in [since_us, until_us).

    Outcomes after known_us count for nothing.
    Returns: the time of the latest outcome that could decide; 0 where there is none.
    """
    span = {"since_us": since_us, "until_us": until_us}
    if connection.execute(_ANY, span).fetchone() is None:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {ROLLED_NOTHING}")
        return 0
    windows = {task: us for task, us in judge.windows.items() if task}
    bounds = {
        **span,
        "known_us": known_us,
        "tasks": list(windows),
        "windows": list(windows.values()),
        "other": judge.windows[""],
    }
    connection.execute(f"CREATE OR REPLACE TEMP TABLE said AS {_SAID}", bounds)
    latest = connection.execute("SELECT coalesce(max(latest_us), 0) FROM said").fetchone()
    fates = scratch / "fates.ndjson"
    kinds = connection.execute("SELECT DISTINCT task, facts FROM said")
    with fates.open("wb") as out:
        while batch := kinds.fetchmany(4096):
            for task, facts in batch:
                fate = judge(task, msgspec.json.decode(facts))
                line = {"task": task, "facts": facts, "acceptance": fate}
                out.write(msgspec.json.encode(line) + b"\n")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fate AS SELECT s.trace, f.acceptance FROM said s JOIN"
        f" (SELECT * FROM read_json('{quoted(fates)}', format = 'newline_delimited', columns ="
        " {task: 'VARCHAR', facts: 'VARCHAR', acceptance: 'VARCHAR'})) f"
        " ON f.facts = s.facts AND f.task IS NOT DISTINCT FROM s.task"
    )
    connection.execute("DROP TABLE said")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE whole AS {_WHOLE}", bounds)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE tried AS {_TRIED}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {_sums(parts, dimensions)}")
    for name in ("whole", "tried", "fate"):
        connection.execute(f"DROP TABLE {name}")
    assert latest is not None, "an aggregate has one row"
    return int(latest[0])


_ANY = """
SELECT 1 FROM records WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us LIMIT 1
"""
_DAYS = "day BETWEEN $since_us // 86400000000 AND ($until_us - 1) // 86400000000"
# The outcomes of each request that came in time, in their order, as one text: requests of which
# the same was said share it, and are judged once. One idempotency key is one fact, wherever its
# rivals are.
_SAID = f"""
WITH asked AS (
  SELECT trace, task, at_us AS asked_us FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
),
windows AS (
  SELECT unnest($tasks::VARCHAR[]) AS task, unnest($windows::BIGINT[]) AS window_us
),
keys AS (
  SELECT DISTINCT tenant, key FROM records
  WHERE kind = 'outcome' AND {_DAYS} AND key IS NOT NULL
),
firsts AS (
  SELECT r.id FROM records r SEMI JOIN keys k ON r.tenant = k.tenant AND r.key = k.key
  WHERE r.kind = 'outcome'
  QUALIFY row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1
),
facts AS (
  SELECT a.trace, a.task, f.at_us, f.id, {{outcome: f.outcome, value: f.value, source: f.source}}
    AS fact
  FROM records f JOIN asked a ON a.trace = f.trace LEFT JOIN windows w ON w.task = a.task
  WHERE f.kind = 'outcome' AND f.{_DAYS} AND f.at_us <= $known_us
    AND f.at_us <= a.asked_us + coalesce(w.window_us, $other::BIGINT)
    AND (f.key IS NULL OR f.id IN (SELECT id FROM firsts))
)
SELECT trace, any_value(task) AS task, max(at_us) AS latest_us,
  to_json(list(fact ORDER BY at_us, id))::VARCHAR AS facts
FROM facts GROUP BY trace
"""

# The table `fate` holds what the rule said of each request with an outcome.
_WHOLE = f"""
WITH asked AS (
  SELECT trace, at_us, tenant, task, route, coalesce(prompt, '') AS prompt, config, principal,
    asked, segment, policies
  FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
),
windows AS (
  SELECT unnest($tasks::VARCHAR[]) AS task, unnest($windows::BIGINT[]) AS window_us
),
first_ends AS (
  SELECT trace, status, http_status, error, delivered, attempts, attempt_count, cost_usd_picos,
    total_ms, first_byte_ms, held_ms
  FROM records
  WHERE kind = 'end' AND at_us >= $since_us - 3600000000 AND at_us < $until_us + 86400000000
    AND trace IN (SELECT trace FROM asked)
  QUALIFY row_number() OVER (PARTITION BY trace ORDER BY at_us, writer, seq, ordinal) = 1
),
{ended_in_the_end("first_ends")},
beside AS (
  SELECT trace, sum(cost_usd_picos)::BIGINT AS judge_picos,
    count(*) FILTER (kind = 'review' AND status <> 'delivered' OR starts_with(source, 'rater:'))
      AS looks
  FROM records WHERE kind IN ('outcome', 'review') AND {_DAYS} AND at_us <= $known_us
    AND (cost_usd_picos > 0 OR kind = 'review' OR starts_with(source, 'rater:'))
  GROUP BY trace
)
SELECT a.*, e.* EXCLUDE (trace), coalesce(e.cost_usd_picos, 0) / 1e12 AS usd,
  coalesce(b.judge_picos, 0) AS judge_picos, coalesce(b.looks, 0) AS looks,
  CASE WHEN e.status IS NULL THEN 'running' WHEN e.status = 'cancelled' THEN 'cancelled'
    -- nothing was delivered, and may be yet: sums that are kept leave it open until who reads them
    WHEN e.status = 'held' AND $known_us >= {FAR_US} THEN 'undecided'
    WHEN e.status = 'held' AND $known_us > a.at_us + coalesce(w.window_us, $other::BIGINT)
      THEN 'rejected'
    WHEN e.status = 'held' THEN 'waiting'
    WHEN e.status IN ('failed', 'refused', 'cut') AND e.delivered IS NULL THEN 'rejected'
    ELSE coalesce(f.acceptance, 'undecided') END AS acceptance
FROM asked a LEFT JOIN ended e ON e.trace = a.trace LEFT JOIN fate f ON f.trace = a.trace
  LEFT JOIN beside b ON b.trace = a.trace LEFT JOIN windows w ON w.task = a.task
"""

_TRIED = """
WITH tries AS (
  SELECT trace, at_us, tenant, task, route, acceptance, delivered,
    unnest(range(attempt_count)) AS number, unnest(json_extract(attempts, '$[*]')) AS t
  FROM whole WHERE attempt_count > 0
)
SELECT trace, at_us, tenant, task, route, acceptance, number,
  coalesce(delivered = number, false) AS gave,
  (t->>'$.step')::BIGINT AS step, t->>'$.deployment' AS deployment, t->>'$.model' AS model,
  t->>'$.failure.kind' AS failure, t->>'$.gate.verdict' AS gate,
  array_to_string((t->'$.policy.policies')::VARCHAR[], ', ') AS policies,
  coalesce((t->>'$.usage.prompt_tokens')::BIGINT, 0)
    + coalesce((t->>'$.usage.completion_tokens')::BIGINT, 0) AS tokens,
  coalesce((t->>'$.cost_usd_picos')::BIGINT, 0) AS picos
FROM tries
"""

_NAMED = "at_us, tenant, task, segment, dimension, name"
_DAY = "at_us // 86400000000 AS day"
_BUCKET = f"""CASE WHEN ms < 1 THEN 0.0
    ELSE 2.0 ** ((floor(log2(ms) * {BUCKETS_PER_OCTAVE}) + 0.5) / {BUCKETS_PER_OCTAVE}) END AS ms"""
_SPANS = """UNPIVOT (SELECT {columns}, total_ms::BIGINT AS total_ms,
    first_byte_ms::BIGINT AS first_byte_ms, held_ms::BIGINT AS held_ms
    FROM {rows} WHERE status = 'delivered' AND http_status <> 202)
  ON total_ms, first_byte_ms, held_ms INTO NAME metric VALUE ms"""
_NAME = {
    "all": "''",
    "route": "coalesce(w.route, '')",
    "prompt": "w.prompt",
    "config": "coalesce(w.config, '')",
    "principal": "coalesce(w.principal, '')",
    "asked": "coalesce(w.asked, '')",
    "deployment": "coalesce(c.gave_deployment, '')",
    "policy": "coalesce(w.policies, c.gave_policies, '')",
}
_WITH = f"""
WITH lasts AS (
  SELECT *,
    row_number() OVER (PARTITION BY trace, step, deployment ORDER BY number DESC) = 1 AS last
  FROM tried
),
costs AS (
  SELECT trace, any_value(deployment) FILTER (gave) AS gave_deployment,
    any_value(policies) FILTER (gave) AS gave_policies,
    sum(picos) FILTER (gave)::BIGINT AS answer_picos,
    sum(picos) FILTER (NOT gave AND failure IS NULL)::BIGINT AS step_picos,
    sum(picos) FILTER (NOT gave AND failure IS NOT NULL)::BIGINT AS retry_picos
  FROM tried GROUP BY trace
),
named AS (
  SELECT w.*, c.* EXCLUDE (trace), unnest([<dimensions>], recursive := true)
  FROM whole w LEFT JOIN costs c ON c.trace = w.trace
),
spans AS ({_SPANS.format(columns="at_us, tenant, task, route", rows="whole")}),
named_spans AS ({_SPANS.format(columns=_NAMED, rows="named")})
"""
_PART = {
    "requests": f"""
SELECT {_DAY}, 'requests' AS part, tenant, task, route, status, acceptance,
  count(*) AS n, sum(coalesce(cost_usd_picos, 0))::BIGINT AS picos,
  sum(usd * usd) AS usd_2, sum(usd * usd * usd) AS usd_3,
  min(at_us) AS first_us, max(at_us) AS last_us
FROM whole GROUP BY ALL
""",
    "times": f"""
SELECT {_DAY}, 'times' AS part, tenant, task, route, metric, {_BUCKET}, count(*) AS n
FROM spans GROUP BY ALL
""",
    "steps": f"""
SELECT {_DAY}, 'steps' AS part, tenant, task, route, step, deployment,
  count(*) FILTER (last) AS reached, count(*) FILTER (last AND failure IS NOT NULL) AS failed,
  count(*) FILTER (last AND gate = 'accept') AS passed,
  count(*) FILTER (last AND gate = 'escalate') AS escalated,
  count(*) FILTER (gate IS NOT NULL) AS gated, count(*) FILTER (gave) AS gave,
  count(*) FILTER (gave AND acceptance = 'accepted') AS gave_accepted,
  count(*) FILTER (gave AND acceptance = 'rejected') AS gave_rejected,
  count(*) FILTER (gave AND acceptance = 'undecided') AS gave_undecided,
  sum(tokens)::BIGINT AS tokens, sum(picos)::BIGINT AS picos
FROM lasts GROUP BY ALL
""",
    "failures": f"""
SELECT {_DAY}, 'failures' AS part, tenant, task, route, deployment,
  failure AS failure_kind, count(*) AS n
FROM tried WHERE failure IS NOT NULL GROUP BY ALL
""",
    "by": f"""
SELECT {_DAY}, 'by' AS part, tenant, task, segment, dimension, name, status, acceptance,
  count(*) AS n, sum(coalesce(cost_usd_picos, 0))::BIGINT AS picos,
  sum(usd * usd) AS usd_2, sum(usd * usd * usd) AS usd_3,
  min(at_us) AS first_us, max(at_us) AS last_us,
  sum(coalesce(answer_picos, 0))::BIGINT AS answer_picos,
  sum(coalesce(step_picos, 0))::BIGINT AS step_picos,
  sum(coalesce(retry_picos, 0))::BIGINT AS retry_picos,
  sum(judge_picos)::BIGINT AS judge_picos, sum(looks)::BIGINT AS looks
FROM named GROUP BY ALL
""",
    "by_times": f"""
SELECT {_DAY}, 'by_times' AS part, tenant, task, segment, dimension, name, metric, {_BUCKET},
  count(*) AS n
FROM named_spans GROUP BY ALL
""",
    "models": f"""
SELECT {_DAY}, 'models' AS part, tenant, task, deployment, model AS name, count(*) AS n,
  min(at_us) AS first_us, max(at_us) AS last_us
FROM tried WHERE model IS NOT NULL GROUP BY ALL
""",
}


def _sums(parts: Sequence[str], dimensions: Sequence[str]) -> str:
    """SQL for the rows of these parts, in the columns that roll-ups have."""
    known = [name for name in DIMENSIONS if name in dimensions]
    made = [f"{{dimension: '{name}', name: {_NAME[name]}}}" for name in known or ["all"]]
    wanted = [name for name in PARTS if name in parts and (known or not name.startswith("by"))]
    rows = [f"({ROLLED_NOTHING})", *(_PART[name] for name in wanted)]
    return _WITH.replace("<dimensions>", ", ".join(made)) + " UNION ALL BY NAME ".join(rows)
