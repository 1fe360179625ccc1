"""From failures of deployments to the error a client reads: pure, and free of internal detail."""

from collections.abc import Sequence

from pointsman.domain.errors import (
    InvalidRequest,
    Overloaded,
    PointsmanError,
    RateLimited,
    UpstreamError,
    UpstreamTimeout,
)
from pointsman.domain.plan import Decision
from pointsman.domain.records import Attempt, Failure

_TIMEOUTS = frozenset(
    {"connect_timeout", "first_token_timeout", "between_tokens_timeout", "total_timeout"}
)
_FULL = frozenset({"busy", "circuit_open"})  # ours to say: come back later


def refusal(
    route: str, failure: Failure, attempts: Sequence[Attempt], trace: str
) -> PointsmanError:
    """The error for a request that no deployment answered.

    A fault of the request itself is told in the engine's own words and status. Everything else
    names deployments and kinds of failure only: addresses and engine texts stay in the trace.
    """
    what = f"no deployment of {route!r} could answer"
    why = "; ".join(f"{a.deployment}: {a.failure.kind}" for a in attempts if a.failure)
    next_step = f"pointsman trace show {trace}"
    if failure.kind == "client_error":
        text = failure.detail or "the engine refused the request"
        # engines say 400, 413 or 422 of a prompt that is too long; OpenAI, and clients, 400
        status = 400 if failure.code == "context_length_exceeded" else failure.status
        return InvalidRequest(text, status=status, code=failure.code)
    if failure.kind == "rate_limited":
        wait = failure.retry_after_s if failure.retry_after_s is not None else 1.0
        return RateLimited(what, why=why, next=next_step, retry_after_s=wait)
    if failure.kind in _FULL:
        wait = failure.retry_after_s if failure.retry_after_s is not None else 1.0
        return Overloaded(what, why=why, next=next_step, retry_after_s=wait)
    if failure.kind in _TIMEOUTS:
        return UpstreamTimeout(what, why=why, next=next_step)
    return UpstreamError(what, why=why, next=next_step)


def unasked(decision: Decision, trace: str) -> PointsmanError:
    """The error for a request that no deployment was asked for: each is left alone for now."""
    back_s = min((each.back_in_ms for each in decision.unwell), default=0) / 1000
    return Overloaded(
        f"no deployment of {decision.route!r} is asked at present",
        why="; ".join(f"{each.deployment}: {each.state}" for each in decision.unwell),
        next=f"pointsman trace show {trace}",
        retry_after_s=max(1.0, back_s),
    )


def breakage(deployment: str, failure: Failure, trace: str) -> PointsmanError:
    """The error for a stream that broke after its first byte."""
    kind = UpstreamTimeout if failure.kind in _TIMEOUTS else UpstreamError
    return kind(
        f"the answer of {deployment!r} broke off: {failure.kind}",
        next=f"pointsman trace show {trace}",
        code="stream_interrupted",
    )
