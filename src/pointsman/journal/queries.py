"""The named queries: every question to the journal, its SQL, its parameters and its columns.

All of them read one table, `records` (see tables.py): sealed files and the unsealed tail.
Times are microseconds since 1970 (UTC), from `since_us` up to but without `until_us`; costs are
pico-dollars. A filter that is not given (None) lets everything through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pointsman.journal.query_sql import (
    ALARMS,
    ATTEMPTS,
    BY_RESPONSE,
    CONFIGS,
    CONFIGS_USED,
    COUNTS,
    DECISIONS,
    ERASURES,
    FIND,
    IDENTITIES,
    KEYED_FACTS,
    LATENCY,
    OPINIONS,
    OUTCOME_KINDS,
    OUTCOMES,
    REQUESTS,
    REQUESTS_EDGE,
    ROLLED_DAYS,
    ROLLED_TIMES,
    ROLLUPS,
    SAMPLINGS,
    SERVED,
    SPENT,
    TRACE,
)
from pointsman.journal.summing import DIMENSIONS

FAR_US = 2**62  # later than any record
NO_LIMIT = 2**62


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

QUERIES: Mapping[str, NamedQuery] = MappingProxyType(
    {
        "requests": NamedQuery(
            gives="one row per request, newest first; status is null while it runs",
            sql=REQUESTS,
            edge=REQUESTS_EDGE,
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
                "status": "delivered, refused, failed, cut or cancelled; held: people have not "
                "decided, or its client has not fetched it",
                "http_status": "what the client got; 202 stays where people looked first",
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
                "segment": "its tags, `key=value, ...`; null without any",
                "policy": "the policies that were asked of the request; null for none",
                "writer": "the process that admitted it",
            },
        ),
        "attempts": NamedQuery(
            gives="one row per attempt of the requests that ended, newest request first",
            sql=ATTEMPTS,
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
                "arm": "in which mode, by its name; null: as the deployment is",
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
                "queued_ms": "from its start, waiting for a place on the deployment",
                "first_token_ms": "after the attempt's start",
                "total_ms": "of the attempt",
                "response_id": "the engine's id of the answer",
                "delivered": "true for the one whose answer went out",
            },
        ),
        "decisions": NamedQuery(
            gives="one row per request with its whole decision, newest first",
            sql=DECISIONS,
            edge=REQUESTS_EDGE,
            params=_PAGED,
            columns={
                "trace": "its id",
                "at_us": "when it was admitted",
                "tenant": "whose data it is",
                "task": "the task, null where the client named a route or deployment",
                "route": "the route of the decision",
                "admission": "the exact JSON of its admission, with the decision",
                "end": "the exact JSON of its end, null while it runs",
                "status": "as of `requests`: a held answer that was fetched later is delivered",
                "delivered": "index of the delivered attempt",
            },
        ),
        "outcomes": NamedQuery(
            gives="the facts about traces, oldest first; one idempotency key is one fact",
            sql=OUTCOMES,
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
        "keyed_facts": NamedQuery(
            gives="the facts about these traces that have an idempotency key, the first of each",
            sql=KEYED_FACTS,
            params={"traces": None},
            required=frozenset({"traces"}),
            columns={"payload": "the exact JSON that was appended"},
        ),
        "served": NamedQuery(
            gives="what deployments served, by the ids that ends name",
            sql=SERVED,
            params={"ids": None},
            required=frozenset({"ids"}),
            columns={"payload": "the exact JSON that was appended"},
        ),
        "outcome_kinds": NamedQuery(
            gives="the kinds of outcomes that products told, the most frequent first",
            sql=OUTCOME_KINDS,
            params={"limit": NO_LIMIT},
            columns={
                "outcome": "the kind",
                "outcomes": "how many there are",
                "last_us": "when the latest came",
            },
        ),
        "trace": NamedQuery(
            gives="every record of one request in order: admission, end, outcomes, reviews",
            sql=TRACE,
            params={"trace": None, "tenant": None},
            required=frozenset({"trace"}),
            columns={
                "kind": "admission, end, outcome or review",
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
            sql=BY_RESPONSE,
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
            sql=FIND,
            params={"references": ()},
            required=frozenset({"references"}),
            columns={
                "reference": "as it was asked for",
                "trace": "the id of the request",
                "tenant": "whose data it is",
                "at_us": "when it was admitted",
            },
        ),
        "opinions": NamedQuery(
            gives="what judges and raters said of requests admitted in the range, oldest first",
            sql=OPINIONS,
            params=_PAGED,
            columns={
                "trace": "the request",
                "source": "judge:NAME or rater:NAME",
                "at_us": "when it was said",
                "payload": "the record, as JSON text",
                "task": "of the request",
                "tenant": "of the request",
                "session": "of the request",
                "asked_us": "when the request was admitted",
            },
        ),
        "samplings": NamedQuery(
            gives="draws of requests to label, oldest first",
            sql=SAMPLINGS,
            params={"task": None},
            columns={"payload": "the record, as JSON text"},
        ),
        "erasures": NamedQuery(
            gives="what was ordered to be erased, oldest first",
            sql=ERASURES,
            params={},
            columns={"payload": "the record, as JSON text"},
        ),
        "rolled_days": NamedQuery(
            gives="the days that have sums, and whether those know every record of the day",
            sql=ROLLED_DAYS,
            params={"since_day": 0, "until_day": FAR_US},
            columns={
                "day": "since 1970, UTC",
                "latest_us": "the latest outcome that decided",
                "rules": "digest of each task's acceptance rule, as JSON text",
                "form": "of the sums: before 2 they lack `by`, `by_times` and `models`",
                "fresh": "false where a record came after the sums were made",
            },
        ),
        "rollups": NamedQuery(
            gives="the sums of days, of several parts",
            sql=ROLLUPS,
            params={
                "since_day": 0,
                "until_day": FAR_US,
                "days": None,
                "tenant": None,
                "task": None,
                "parts": ("requests", "times", "steps", "failures"),
                "dimensions": DIMENSIONS,
            },
            columns={
                "day": "since 1970, UTC",
                "part": "requests, times, steps, failures, by, by_times or models; columns of the "
                "others are null",
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
                "segment": "by: the tags of the requests, `key=value, ...`",
                "dimension": "by, by_times: all, route, prompt, config, principal, asked, "
                "deployment (of the answer) or policy",
                "name": "by, by_times: the value of the dimension; models: the model",
                "answer_picos": "by: of `picos`, those of the delivered attempts",
                "step_picos": "by: of attempts that answered, and whose answer did not go out",
                "retry_picos": "by: of attempts that failed",
                "judge_picos": "by: what judging the answers cost, beside `picos`",
                "looks": "by: how often people reviewed or labelled an answer",
            },
        ),
        "rolled_times": NamedQuery(
            gives="the times in the sums of days, the buckets of each together",
            sql=ROLLED_TIMES,
            params={
                "since_day": 0,
                "until_day": FAR_US,
                "days": None,
                "tenant": None,
                "task": None,
                "parts": ("times", "by_times"),
                "dimensions": DIMENSIONS,
            },
            columns={
                "day": "since 1970, UTC",
                "part": "times or by_times",
                "tenant": "whose data it is",
                "task": "the task",
                "route": "times: the route",
                "segment": "by_times: the tags of the requests",
                "dimension": "by_times: as in `rollups`",
                "name": "by_times: the value of the dimension",
                "metric": "total_ms, first_byte_ms or held_ms of delivered requests",
                "ms": "the middles of buckets of sixteen an octave",
                "n": "how many are in each",
            },
        ),
        "alarms": NamedQuery(
            gives="what was noticed, who took note, and who was told, oldest first",
            sql=ALARMS,
            params={"since_us": 0},
            columns={"payload": "the record, as JSON text"},
        ),
        "identities": NamedQuery(
            gives="what deployments turned out to serve, oldest first",
            sql=IDENTITIES,
            params={"since_us": 0, "until_us": FAR_US},
            columns={"payload": "the record, as JSON text"},
        ),
        "configs": NamedQuery(
            gives="the configurations that came into force, newest first",
            sql=CONFIGS,
            params={"since_us": 0, "until_us": FAR_US, "limit": NO_LIMIT},
            columns={
                "at_us": "since when",
                "digest": "what records name it by",
                "version": "of Pointsman",
                "text": "the resolved configuration as JSON text",
            },
        ),
        "spent": NamedQuery(
            gives="what requests cost, by day, tenant, key and team",
            sql=SPENT,
            params={"since_us": 0, "until_us": FAR_US, "writer": None},
            columns={
                "day": "since 1970, UTC, of the admission",
                "tenant": "whose data it is",
                "principal": "the key",
                "team": "its team, if it has one",
                "requests": "requests that ended",
                "tokens": "of prompts and answers",
                "cost_usd_picos": "of every attempt",
            },
        ),
        "configs_used": NamedQuery(
            gives="how many requests of each task ran under which configuration",
            sql=CONFIGS_USED,
            params=_WINDOW,
            columns={
                "task": "the task, null where the client named a route or deployment",
                "config": "digest of the configuration",
                "requests": "how many were admitted under it",
            },
        ),
        "counts": NamedQuery(
            gives="how many records there are, by kind",
            sql=COUNTS,
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
            sql=LATENCY,
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
