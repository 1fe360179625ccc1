"""The named queries: every question to the journal, its SQL, its parameters and its columns.

All of them read one table, `records` (see tables.py): sealed files and the unsealed tail.
Times are microseconds since 1970 (UTC), from `since_us` up to but without `until_us`; costs are
pico-dollars. A filter that is not given (None) lets everything through.
"""

# ruff: noqa: S608 - SQL is put together from the constants of this file; values are bound.

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

FAR_US = 2**62  # later than any record
NO_LIMIT = 2**62
# A wall clock may step back between an admission and its end; a request is far shorter than this.
_SLACK_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One question: what it gives, its SQL, its parameters with defaults, its columns."""

    gives: str
    sql: str
    params: Mapping[str, Any]
    columns: Mapping[str, str]
    required: frozenset[str] = frozenset()
    # Gives a later `since_us` for a page: asked before, in narrow columns, so that the wide ones
    # are read of a few row groups only (4 M records, 100 latest: 1.4 s without, 0.26 s with).
    edge: str = ""


_WINDOW: Mapping[str, Any] = {"since_us": 0, "until_us": FAR_US, "tenant": None, "task": None}
_PAGED: Mapping[str, Any] = {**_WINDOW, "limit": NO_LIMIT}

_ADMITTED = """
admitted AS (
  SELECT * FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
    AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
)"""
# Which end of a trace counts, should there be two: the first. Only ends of the traces asked for
# are compared, or a page of a hundred would sort the whole journal.
_ENDED = f"""
ended AS (
  SELECT * FROM records
  WHERE kind = 'end' AND at_us >= $since_us - {_SLACK_US}
    AND trace IN (SELECT trace FROM asked)
  QUALIFY row_number() OVER (PARTITION BY trace ORDER BY at_us, writer, seq, ordinal) = 1
)"""

_REQUESTS = f"""
WITH {_ADMITTED},
asked AS (SELECT * FROM admitted ORDER BY at_us DESC, trace DESC LIMIT $limit),
{_ENDED}
SELECT a.trace, a.at_us, a.tenant, a.principal, a.task, a.route, a.asked, a.prompt, a.config,
  a.stream, a.session, e.status, e.http_status, e.cost_usd_picos, e.first_byte_ms, e.held_ms,
  e.total_ms, e.overhead_us, e.attempts, e.attempt_count, e.delivered,
  json_extract_string(e.attempts, '$[' || e.delivered || '].deployment') AS deployment, e.error
FROM asked a LEFT JOIN ended e ON e.trace = a.trace
ORDER BY a.at_us DESC, a.trace DESC
"""

_REQUESTS_EDGE = """
SELECT coalesce(min(at_us), $since_us) FROM (
  SELECT at_us FROM records
  WHERE kind = 'admission' AND at_us >= $since_us AND at_us < $until_us
    AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
  ORDER BY at_us DESC LIMIT $limit)
"""

_ATTEMPTS = f"""
WITH {_ADMITTED},
tried AS (SELECT DISTINCT trace FROM records WHERE kind = 'end' AND attempt_count > 0),
asked AS (
  SELECT trace, at_us, tenant, task, route FROM admitted WHERE trace IN (SELECT trace FROM tried)
  ORDER BY at_us DESC, trace DESC LIMIT $limit
),
{_ENDED},
tries AS (
  SELECT e.trace, e.delivered, unnest(range(e.attempt_count)) AS attempt,
    unnest(json_extract(e.attempts, '$[*]')) AS t
  FROM ended e
)
SELECT a.trace, a.at_us, a.tenant, a.task, a.route, t.attempt,
  (t->>'$.step')::BIGINT AS step, t->>'$.deployment' AS deployment, t->>'$.model' AS model,
  t->>'$.failure.kind' AS failure, t->>'$.gate.verdict' AS gate, t->>'$.gate.reason' AS gate_reason,
  coalesce((t->>'$.cost_usd_picos')::BIGINT, 0) AS cost_usd_picos,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.prompt_tokens')::BIGINT, 0) END AS prompt_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.completion_tokens')::BIGINT, 0) END AS completion_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce((t->>'$.usage.cached_tokens')::BIGINT, 0) END AS cached_tokens,
  CASE WHEN json_exists(t, '$.usage')
    THEN coalesce(t->>'$.usage.source', 'reported') END AS usage_source,
  coalesce((t->>'$.started_ms')::BIGINT, 0) AS started_ms,
  (t->>'$.first_token_ms')::BIGINT AS first_token_ms,
  coalesce((t->>'$.total_ms')::BIGINT, 0) AS total_ms,
  t->>'$.response_id' AS response_id,
  coalesce(t.attempt = t.delivered, false) AS delivered
FROM asked a JOIN tries t ON t.trace = a.trace
ORDER BY a.at_us DESC, a.trace DESC, t.attempt LIMIT $limit
"""

_OUTCOMES = """
SELECT trace, outcome, value, source, at_us, key, tenant, id FROM records
WHERE kind = 'outcome' AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
QUALIFY at_us >= $since_us AND at_us < $until_us
  AND ($trace::VARCHAR IS NULL OR trace = $trace) AND (key IS NULL OR
  row_number() OVER (PARTITION BY tenant, key ORDER BY at_us, writer, seq, ordinal) = 1)
ORDER BY at_us, id LIMIT $limit
"""

_TRACE = """
SELECT kind, at_us, payload, lower(hex(chain)) AS chain, writer, seq, ordinal FROM records
WHERE trace = $trace AND ($tenant::VARCHAR IS NULL OR EXISTS (
  SELECT 1 FROM records a WHERE a.kind = 'admission' AND a.trace = $trace AND a.tenant = $tenant))
ORDER BY CASE kind WHEN 'admission' THEN 0 WHEN 'end' THEN 1 ELSE 2 END,
  at_us, writer, seq, ordinal
"""

_BY_RESPONSE = """
WITH found AS (
  SELECT trace, at_us FROM records
  WHERE kind = 'end' AND list_contains(response_ids, $response_id)
  ORDER BY at_us DESC, trace DESC LIMIT 1
)
SELECT f.trace, a.tenant, f.at_us FROM found f
JOIN records a ON a.kind = 'admission' AND a.trace = f.trace LIMIT 1
"""

_FIND = """
WITH named AS (SELECT unnest($references::VARCHAR[]) AS reference),
ends AS (
  SELECT trace, at_us, unnest(response_ids) AS response_id FROM records
  WHERE kind = 'end' AND len(list_intersect(response_ids, $references::VARCHAR[])) > 0
),
found AS (
  SELECT reference, reference AS trace FROM named WHERE starts_with(reference, 'tr_')
  UNION ALL
  SELECT n.reference, arg_max(e.trace, e.at_us) FROM named n
  JOIN ends e ON e.response_id = n.reference GROUP BY n.reference
)
SELECT f.reference, f.trace, a.tenant, a.at_us FROM found f
JOIN records a ON a.kind = 'admission' AND a.trace = f.trace
QUALIFY row_number() OVER (PARTITION BY f.reference ORDER BY a.at_us DESC) = 1
"""

_ERASURES = """
SELECT payload FROM records WHERE kind = 'erasure' ORDER BY at_us, id
"""

_ROLLED_DAYS = """
SELECT day, latest_us, rules,
  final OR NOT (stale OR EXISTS (SELECT 1 FROM tail t WHERE t.trace IS NOT NULL
    AND (t.day = rolled.day OR t.day IS NULL))) AS fresh
FROM rolled WHERE day >= $since_day AND day < $until_day ORDER BY day
"""

_ROLLUPS = """
SELECT * FROM rollups
WHERE day >= $since_day AND day < $until_day
  AND ($days::BIGINT[] IS NULL OR list_contains($days::BIGINT[], day))
  AND ($tenant::VARCHAR IS NULL OR tenant = $tenant) AND ($task::VARCHAR IS NULL OR task = $task)
ORDER BY day, part, tenant, task, route
"""

_CONFIGS = """
SELECT at_us, digest, version, text FROM records
WHERE kind = 'config' AND at_us >= $since_us AND at_us < $until_us
ORDER BY at_us DESC, writer DESC, seq DESC, ordinal DESC LIMIT $limit
"""

_COUNTS = """
SELECT kind, count(*) AS records, min(at_us) AS first_us, max(at_us) AS last_us FROM records
WHERE at_us >= $since_us AND at_us < $until_us GROUP BY kind ORDER BY kind
"""

_LATENCY = f"""
WITH {_ADMITTED}, asked AS (SELECT trace, task, route FROM admitted), {_ENDED}
SELECT a.task, a.route, count(*) AS n,
  quantile_cont(e.total_ms, 0.5) AS total_ms_p50, quantile_cont(e.total_ms, 0.95) AS total_ms_p95,
  quantile_cont(e.first_byte_ms, 0.5) AS first_byte_ms_p50,
  quantile_cont(e.first_byte_ms, 0.95) AS first_byte_ms_p95,
  quantile_cont(e.overhead_us, 0.5) AS overhead_us_p50,
  quantile_cont(e.overhead_us, 0.95) AS overhead_us_p95
FROM asked a JOIN ended e ON e.trace = a.trace
WHERE e.status = 'delivered' GROUP BY ALL ORDER BY n DESC, a.task, a.route
"""

QUERIES: Mapping[str, NamedQuery] = MappingProxyType(
    {
        "requests": NamedQuery(
            gives="one row per request, newest first; status is null while it runs",
            sql=_REQUESTS,
            edge=_REQUESTS_EDGE,
            params=_PAGED,
            columns={
                "trace": "its id",
                "at_us": "when it was admitted",
                "tenant": "whose data it is",
                "principal": "who asked",
                "task": "the task, null where the client named a route or deployment",
                "route": "the route of the decision",
                "asked": "the model the client named",
                "prompt": "`name@version`, null without one",
                "config": "digest of the configuration in force",
                "stream": "true when the client asked for a stream",
                "session": "the client's session, null without one",
                "status": "delivered, refused, failed, cut or cancelled",
                "http_status": "what the client got",
                "cost_usd_picos": "of every attempt",
                "first_byte_ms": "from arrival to the first byte of the answer",
                "held_ms": "how long a held stream waited for its gate",
                "total_ms": "from arrival to the end",
                "overhead_us": "our own part of it",
                "attempts": "the attempts as JSON text, null for none",
                "attempt_count": "how many there were, 0 for none",
                "delivered": "index of the delivered attempt",
                "deployment": "the deployment that answered",
                "error": "our error code",
            },
        ),
        "attempts": NamedQuery(
            gives="one row per attempt of the requests that ended, newest request first",
            sql=_ATTEMPTS,
            params=_PAGED,
            columns={
                "trace": "the request",
                "at_us": "when the request was admitted",
                "tenant": "whose data it is",
                "task": "the task",
                "route": "the route",
                "attempt": "index in the request, from 0",
                "step": "index of the step of the plan",
                "deployment": "who was asked",
                "model": "the model the engine said it was",
                "failure": "kind of failure, null for an answer",
                "gate": "accept or escalate, null without a gate",
                "gate_reason": "why",
                "cost_usd_picos": "of this attempt",
                "prompt_tokens": "null when unknown",
                "completion_tokens": "null when unknown",
                "cached_tokens": "null when unknown",
                "usage_source": "reported or estimated",
                "started_ms": "after the request's arrival",
                "first_token_ms": "after the attempt's start",
                "total_ms": "of the attempt",
                "response_id": "the engine's id of the answer",
                "delivered": "true for the one whose answer went out",
            },
        ),
        "outcomes": NamedQuery(
            gives="the facts about traces, oldest first; one idempotency key is one fact",
            sql=_OUTCOMES,
            params={k: v for k, v in {**_PAGED, "trace": None}.items() if k != "task"},
            columns={
                "trace": "the request it is about",
                "outcome": "accepted, rejected, edited, verified, or the product's own word",
                "value": "JSON text, null without one",
                "source": "who said so",
                "at_us": "when it arrived",
                "key": "idempotency key of the tenant, null without one",
                "tenant": "whose data it is",
                "id": "its id",
            },
        ),
        "trace": NamedQuery(
            gives="every record of one request: admission, end, outcomes in order",
            sql=_TRACE,
            params={"trace": None, "tenant": None},
            required=frozenset({"trace"}),
            columns={
                "kind": "admission, end or outcome",
                "at_us": "when",
                "payload": "the exact JSON that was appended",
                "chain": "its chain hash, hex",
                "writer": "the process that wrote it",
                "seq": "which of its segments",
                "ordinal": "which record of that segment",
            },
        ),
        "find_by_response_id": NamedQuery(
            gives="the request that an engine's response id belongs to, the latest if several",
            sql=_BY_RESPONSE,
            params={"response_id": None},
            required=frozenset({"response_id"}),
            columns={
                "trace": "its id",
                "tenant": "whose data it is",
                "at_us": "when it ended",
            },
        ),
        "find": NamedQuery(
            gives="the requests that trace ids or engines' response ids name, one row each",
            sql=_FIND,
            params={"references": ()},
            required=frozenset({"references"}),
            columns={
                "reference": "as it was asked for",
                "trace": "the id of the request",
                "tenant": "whose data it is",
                "at_us": "when it was admitted",
            },
        ),
        "erasures": NamedQuery(
            gives="what was ordered to be erased, oldest first",
            sql=_ERASURES,
            params={},
            columns={"payload": "the record, as JSON text"},
        ),
        "rolled_days": NamedQuery(
            gives="the days that have sums, and whether those know every record of the day",
            sql=_ROLLED_DAYS,
            params={"since_day": 0, "until_day": FAR_US},
            columns={
                "day": "since 1970, UTC",
                "latest_us": "the latest outcome that decided",
                "rules": "digest of each task's acceptance rule, as JSON text",
                "fresh": "false where a record came after the sums were made",
            },
        ),
        "rollups": NamedQuery(
            gives="the sums of days, of four parts: requests, times, steps and failures",
            sql=_ROLLUPS,
            params={
                "since_day": 0,
                "until_day": FAR_US,
                "days": None,
                "tenant": None,
                "task": None,
            },
            columns={
                "day": "since 1970, UTC",
                "part": "requests, times, steps or failures; columns of the others are null",
                "tenant": "whose data it is",
                "task": "the task",
                "route": "the route",
                "status": "requests: how they ended, null while they run",
                "acceptance": "requests: accepted, rejected, undecided, cancelled or running",
                "n": "requests, times, failures: how many",
                "picos": "requests, steps: what they cost",
                "usd_2": "requests: sum of the squares of their costs, in dollars",
                "usd_3": "requests: sum of the cubes",
                "first_us": "requests: the earliest",
                "last_us": "requests: the latest",
                "metric": "times: total_ms, first_byte_ms or held_ms of delivered requests",
                "ms": "times: the middle of a bucket of sixteen an octave",
                "step": "steps: index in the plan",
                "deployment": "steps, failures: who was asked",
                "reached": "steps: requests with an attempt here",
                "failed": "steps: of them, those whose last attempt here gave no answer",
                "passed": "steps: of them, those whose gate accepted",
                "escalated": "steps: of them, those whose gate sent them on",
                "gated": "steps: attempts that met a gate",
                "gave": "steps: answers delivered from here",
                "gave_accepted": "steps: of them, accepted",
                "gave_rejected": "steps: of them, rejected",
                "gave_undecided": "steps: of them, without an outcome that decides",
                "tokens": "steps: of prompts and answers",
                "failure_kind": "failures: how attempts failed",
            },
        ),
        "configs": NamedQuery(
            gives="the configurations that came into force, newest first",
            sql=_CONFIGS,
            params={"since_us": 0, "until_us": FAR_US, "limit": NO_LIMIT},
            columns={
                "at_us": "since when",
                "digest": "what records name it by",
                "version": "of Pointsman",
                "text": "the resolved configuration as JSON text",
            },
        ),
        "counts": NamedQuery(
            gives="how many records there are, by kind",
            sql=_COUNTS,
            params={"since_us": 0, "until_us": FAR_US},
            columns={
                "kind": "of the record",
                "records": "how many",
                "first_us": "the earliest",
                "last_us": "the latest",
            },
        ),
        "latency": NamedQuery(
            gives="times of delivered requests by task and route",
            sql=_LATENCY,
            params=_WINDOW,
            columns={
                "task": "the task",
                "route": "the route",
                "n": "delivered requests",
                "total_ms_p50": "arrival to end, median",
                "total_ms_p95": "arrival to end",
                "first_byte_ms_p50": "arrival to first byte, median",
                "first_byte_ms_p95": "arrival to first byte",
                "overhead_us_p50": "our own part, median",
                "overhead_us_p95": "our own part",
            },
        ),
    }
)
