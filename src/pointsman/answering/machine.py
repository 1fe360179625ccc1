"""What happens next in one request. No clock, no socket, no store: events in, effects out.

begin ─▶ Call ─▶ Answered ─▶ gate accepts / no gate ─▶ Deliver
           ▲         └─ gate says escalate ─▶ Call next step, or Deliver the best so far
           ├── Failed, nothing shown, to be tried again ─▶ Call the same step after a wait
           ├── Failed, nothing shown ─▶ Call next step or fallback, Deliver the best, or Refuse
           └── Failed, text was shown ─▶ Break (the client is told; nothing is pretended)
"""

from typing import assert_never

import msgspec
from msgspec.structs import replace

from pointsman.domain.plan import Plan, Step
from pointsman.domain.records import Attempt, Failure


class Shown(msgspec.Struct, frozen=True):
    """The first byte of the running attempt's answer is about to reach the client."""


class Answered(msgspec.Struct, frozen=True):
    """The running attempt ended with an answer, judged where its step has a gate."""

    attempt: Attempt


class Failed(msgspec.Struct, frozen=True):
    """The running attempt ended without a (whole) answer.

    `again_in_s`: it may be sent again after so long, since nothing was generated.
    """

    attempt: Attempt
    again_in_s: float | None = None


class Vanished(msgspec.Struct, frozen=True):
    """The client went away; the running attempt, if any, was aborted and is given."""

    attempt: Attempt | None


class Call(msgspec.Struct, frozen=True):
    """Try this step. `hold`: show nothing of it until its gate has decided."""

    index: int
    step: Step
    hold: bool
    retry: int = 0  # how many tries of it there were
    after_s: float = 0.0


class Deliver(msgspec.Struct, frozen=True):
    """Give the client this attempt's answer (what is not shown of it yet)."""

    attempt: int


class Refuse(msgspec.Struct, frozen=True):
    """No step gave anything: tell the client why."""

    failure: Failure


class Break(msgspec.Struct, frozen=True):
    """The answer was cut after its first byte: say so in the stream, end it without [DONE]."""

    failure: Failure


class Stop(msgspec.Struct, frozen=True):
    """Nobody listens: write the end and do nothing more."""


Event = Shown | Answered | Failed | Vanished
Effect = Call | Deliver | Refuse | Break | Stop


class Progress(msgspec.Struct, frozen=True):
    """Where one request stands; immutable, so that it can be replayed."""

    plan: Plan
    index: int = -1  # the running step
    retry: int = 0  # how many tries of it there were
    attempts: tuple[Attempt, ...] = ()
    best: int | None = None  # the latest whole answer that its gate did not accept
    shown: bool = False
    ended: bool = False


def begin(plan: Plan) -> tuple[Progress, Effect]:
    """The start of a request: the call of its first step; without a step nobody may be asked."""
    if not plan.steps:
        return Progress(plan, ended=True), Refuse(Failure(kind="circuit_open"))
    step = plan.steps[0]
    return Progress(plan, index=0), Call(0, step, step.gate is not None)


def advance(now: Progress, event: Event) -> tuple[Progress, Effect | None]:
    """The next state and what to do; None means carry on with the running attempt.

    Laws: every run ends exactly once with Deliver, Refuse, Break or Stop; attempts never
    outnumber steps and the retries that were allowed; after Shown no other step is called.
    """
    assert not now.ended, "an ended request got another event"
    match event:
        case Shown():
            return replace(now, shown=True), None
        case Answered(attempt):
            attempts = (*now.attempts, attempt)
            last = len(now.attempts)
            if now.shown or attempt.gate is None or attempt.gate.verdict == "accept":
                return replace(now, attempts=attempts, ended=True), Deliver(last)
            return _escalate(replace(now, attempts=attempts, best=last))
        case Failed(attempt, again_in_s):
            after = replace(now, attempts=(*now.attempts, attempt))
            assert attempt.failure is not None, "a failed attempt names its failure"
            if now.shown:
                return replace(after, ended=True), Break(attempt.failure)
            if again_in_s is not None:
                return _call(after, now.index, retry=now.retry + 1, after_s=again_in_s)
            return _after_failure(after)
        case Vanished(attempt):
            seen = now.attempts if attempt is None else (*now.attempts, attempt)
            return replace(now, attempts=seen, ended=True), Stop()
        case _:
            assert_never(event)


def _call(
    now: Progress, index: int, *, retry: int = 0, after_s: float = 0.0
) -> tuple[Progress, Effect]:
    step = now.plan.steps[index]
    call = Call(index, step, step.gate is not None, retry, after_s)
    return replace(now, index=index, retry=retry), call


def _escalate(now: Progress) -> tuple[Progress, Effect]:
    """On to the next ordinary step; fallbacks are for failures, so else the best stands."""
    following = now.index + 1
    if following < len(now.plan.steps) and now.plan.steps[following].role == "step":
        return _call(now, following)
    assert now.best is not None, "an escalation leaves an answer behind"
    return replace(now, ended=True), Deliver(now.best)


def _after_failure(now: Progress) -> tuple[Progress, Effect]:
    if now.index + 1 < len(now.plan.steps):
        return _call(now, now.index + 1)
    if now.best is not None:
        return replace(now, ended=True), Deliver(now.best)
    return replace(now, ended=True), Refuse(_telling(now.attempts))


def _telling(attempts: tuple[Attempt, ...]) -> Failure:
    """The failure that tells the client most: its own fault if every step said so, else the last
    that was not."""
    failures = [attempt.failure for attempt in attempts if attempt.failure is not None]
    ours = [failure for failure in failures if failure.kind != "client_error"]
    return ours[-1] if ours else failures[0]
