"""One sample asked: a conversation through the port `Answerer`, within its time, patiently."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.money import Usage
from pointsman.domain.ports import Answerer
from pointsman.domain.records import Failure
from pointsman.evals.case import Case
from pointsman.evals.conversing import Talk, hear, request_of
from pointsman.evals.pacing import Pace
from pointsman.evals.sample import Sample

# Failures that another try may not have, and those of them that say that something is full.
_FULL = frozenset(("rate_limited", "busy", "circuit_open"))
_SLOW = frozenset(
    ("total_timeout", "first_token_timeout", "between_tokens_timeout", "connect_timeout")
)
_AGAIN = _FULL | {
    "server_error",
    "cut",
    "refused",
    "engine_down",
    "connect_timeout",
    "first_token_timeout",
}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
# What a record keeps of an answer.
MAX_ANSWER_CHARS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What all samples of a run share."""

    answerer: Answerer
    subject: Subject
    fields: dict[str, object]
    timeout_s: float
    retries: int
    pace: Pace
    monotonic: Callable[[], float]
    now_us: Callable[[], int]


async def ask_sample(
    case: Case, asking: Asking, *, epoch: int, seed: int | None, session: str, key: str
) -> tuple[Sample, Talk]:
    """The sample without scores, and the conversation it came of.

    Raises: what the answerer raises for a subject that can never be asked.
    """
    began = asking.monotonic()
    talk, tally = Talk(case=case), _Tally()
    failure: Failure | None = None
    while talk.over is None and failure is None:
        request = request_of(talk, model=asking.subject.asks, fields=asking.fields, seed=seed)
        answered = await _patiently(asking, request, session, tally, by=began + asking.timeout_s)
        if answered.reply is None:
            failure = answered.failure or Failure(kind="empty")
        else:
            tally.verdict = answered.verdict or tally.verdict
            talk = hear(talk, answered.reply)
    return _sample(case, talk, tally, failure, epoch=epoch, seed=seed, key=key,
                   at_us=asking.now_us()), talk  # fmt: skip


async def _patiently(
    asking: Asking, request: dict[str, object], session: str, tally: "_Tally", *, by: float
) -> Answered:
    """One request, again where it may help and there is time for it."""
    tries = 0
    while True:
        left_s = by - asking.monotonic()
        if left_s <= 0:
            return Answered(failure=Failure(kind="total_timeout", detail="the case's time is over"))
        began = asking.monotonic()
        answered = await asking.answerer.ask(
            request, asking.subject, session=session, timeout_s=left_s
        )
        ended = asking.monotonic()
        tally.take(answered)
        failure = answered.failure
        if answered.reply is not None or failure is None:
            asking.pace.fine()
            return answered
        if failure.kind in _FULL or failure.kind in _SLOW or failure.status in (429, 503):
            asking.pace.full(at_s=ended, took_s=ended - began)
        if failure.kind not in _AGAIN or tries >= asking.retries:
            return answered
        wait_s = _wait_s(answered, tries)
        if ended + wait_s >= by:
            return answered
        tries += 1
        tally.retries += 1
        await asyncio.sleep(wait_s)


def _wait_s(answered: Answered, tries: int) -> float:
    """As long as we were told to wait, else twice as long each time, by chance a little less."""
    told = answered.retry_after_s
    if told is not None:
        return min(max(0.0, told), _LONGEST_WAIT_S)
    most = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * float(2**tries))
    return most * random.uniform(0.5, 1.0)  # noqa: S311  # spreads retries, keeps no secret


class _Tally:
    """What the requests of one sample came to."""

    __slots__ = ("attempts", "cost", "deployments", "latency_ms", "overhead_us", "requests",
                 "retries", "traces", "usage", "verdict")  # fmt: skip

    def __init__(self) -> None:
        self.traces: list[str] = []
        self.deployments: list[str] = []
        self.attempts = self.requests = self.retries = self.cost = 0
        self.latency_ms = 0.0
        self.overhead_us: int | None = None
        self.usage: Usage | None = None
        self.verdict: str | None = None

    def take(self, answered: Answered) -> None:
        self.requests += 1
        self.attempts += answered.attempts
        self.cost += answered.cost_usd_picos
        self.latency_ms += answered.latency_ms
        self.deployments += answered.deployments
        if answered.trace is not None:
            self.traces.append(answered.trace)
        if answered.overhead_us is not None:
            self.overhead_us = (self.overhead_us or 0) + answered.overhead_us
        if answered.usage is not None:
            self.usage = answered.usage if self.usage is None else _sum(self.usage, answered.usage)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        source="reported" if one.source == other.source == "reported" else "estimated",
    )


def _sample(
    case: Case,
    talk: Talk,
    tally: _Tally,
    failure: Failure | None,
    *,
    epoch: int,
    seed: int | None,
    key: str,
    at_us: int,
) -> Sample:
    reply = talk.last
    reason = f"{failure.kind}: {failure.detail}"[:500].rstrip(": ") if failure else ""
    several = len(talk.added) > 1
    sample = Sample(
        case=case.id,
        epoch=epoch,
        cluster=case.group,
        tags=case.tags,
        status="answered" if failure is None else "missing",
        reason=reason or ("" if talk.over in (None, "answered", "no script") else str(talk.over)),
        failure=failure,
        transcript=talk.added if several else (),
        tool_calls=talk.calls,
        traces=tuple(tally.traces),
        deployments=tuple(tally.deployments),
        requests=tally.requests,
        attempts=tally.attempts,
        retries=tally.retries,
        usage=tally.usage,
        cost_usd_picos=tally.cost,
        latency_ms=round(tally.latency_ms, 3),
        overhead_us=tally.overhead_us,
        verdict=tally.verdict,
        seed=seed,
        at_us=at_us,
        key=key,
    )
    if reply is None or failure is not None:
        return sample
    return msgspec.structs.replace(
        sample,
        answer=reply.content[:MAX_ANSWER_CHARS],
        refusal=reply.refusal,
        finish_reason=reply.finish_reason,
    )
