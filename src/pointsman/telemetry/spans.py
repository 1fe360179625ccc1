"""An ended request as spans: one of the request, one of each attempt; nothing of what was said.

Pure, and free of OpenTelemetry's own code. Failures tell their kind, never an engine's words:
those may repeat the prompt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pointsman.domain.money import Usage, usd
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Attempt, End
from pointsman.domain.tracing import Parent, span_bits, trace_bits
from pointsman.telemetry import table
from pointsman.telemetry.table import LABELS, OTHER

_HOST = re.compile(r"https?://(\[[^\]]*\]|[^:/?#]*)(?::([0-9]+))?")
_MOST_CHARS = 128  # of what clients and engines name
Value = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What one ended request left to be exported: its records, which hold no text of people."""

    admission: Admission
    end: End
    verified: str | None
    parent: Parent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span; times in nanoseconds since 1970."""

    name: str
    kind: Literal["server", "client"]
    trace: int
    span: int
    parent: int | None
    remote: bool = False  # the parent is the client's
    state: str = ""  # the client's tracestate
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    error: str | None = None


def spans_of(ended: Ended, deployments: Mapping[str, Deployment]) -> list[Span]:
    """The request's span, then those of its attempts, in order.

    Raises: ValueError for a record whose trace is none of ours.
    """
    admission, end, parent = ended.admission, ended.end, ended.parent
    own = trace_bits(admission.trace)
    trace, state = (own, "") if parent is None else (parent.trace, parent.state.decode("latin-1"))
    end_ns = end.at_us * 1000
    start_ns = end_ns - end.total_ms * 1_000_000
    operation = table.OPERATIONS.get(admission.surface, OTHER)
    request = Span(
        name=f"{operation} {_short(admission.asked)}",
        kind="server",
        trace=trace,
        span=span_bits(own),
        parent=None if parent is None else parent.span,
        remote=parent is not None,
        state=state,
        start_ns=start_ns,
        end_ns=end_ns,
        attributes=_of_request(ended, operation, deployments),
        error=None if end.status == "delivered" else end.error or end.status,
    )
    spans = [request]
    for number, attempt in enumerate(end.attempts):
        began_ns = min(start_ns + attempt.started_ms * 1_000_000, end_ns)
        deployment = deployments.get(attempt.deployment)
        spans.append(
            Span(
                name=f"{operation} {_model(attempt, deployment)}",
                kind="client",
                trace=trace,
                span=span_bits(own, number),
                parent=request.span,
                state=state,
                start_ns=began_ns,
                end_ns=min(began_ns + attempt.total_ms * 1_000_000, end_ns),
                attributes=_of_attempt(attempt, admission, operation, deployment),
                error=attempt.failure.kind if attempt.failure else None,
            )
        )
    return spans


def _of_request(
    ended: Ended, operation: str, deployments: Mapping[str, Deployment]
) -> dict[str, Value]:
    admission, end = ended.admission, ended.end
    shown = end.attempts[end.delivered] if end.delivered is not None else None
    provider = table.GATEWAY
    if shown is not None:
        provider = _provider(deployments.get(shown.deployment))
    said: dict[str, Value | None] = {
        table.OPERATION: operation,
        table.PROVIDER: provider,
        table.REQUEST_MODEL: _short(admission.asked),
        table.REQUEST_STREAM: admission.stream,
        table.CONVERSATION: admission.session,
        table.TRACE: admission.trace,
        table.CONFIG: admission.config,
        table.TENANT: admission.tenant,
        table.TASK: admission.task,
        table.ROUTE: admission.decision.route,
        table.PROMPT: admission.prompt,
        table.SURFACE: admission.surface,
        table.STATUS: end.status,
        table.ATTEMPTS: len(end.attempts),
        table.COST: usd(end.cost_usd_picos),
        table.OVERHEAD: end.overhead_us / 1e6,
        table.VERIFIED: ended.verified,
    }
    if end.status != "delivered":
        said[table.ERROR_TYPE] = end.error or end.status
    if shown is not None:
        said |= _answer(shown)
        said[table.DEPLOYMENT] = shown.deployment
        if admission.stream and end.first_byte_ms is not None:
            said[table.FIRST_CHUNK] = end.first_byte_ms / 1000
    return _known(said)


def _of_attempt(
    attempt: Attempt, admission: Admission, operation: str, deployment: Deployment | None
) -> dict[str, Value]:
    said: dict[str, Value | None] = {
        table.OPERATION: operation,
        table.PROVIDER: _provider(deployment),
        table.REQUEST_MODEL: _model(attempt, deployment),
        table.REQUEST_STREAM: admission.stream,
        table.TRACE: admission.trace,
        table.DEPLOYMENT: attempt.deployment,
        table.STEP: attempt.step,
        table.COST: usd(attempt.cost_usd_picos),
        **_answer(attempt),
    }
    if attempt.failure is not None:
        said[table.ERROR_TYPE] = attempt.failure.kind
    if attempt.gate is not None:
        said[table.VERDICT] = attempt.gate.verdict
    if admission.stream and attempt.first_token_ms is not None:
        said[table.FIRST_CHUNK] = attempt.first_token_ms / 1000
    found = _HOST.match(deployment.base_url) if deployment and deployment.base_url else None
    if found is not None:
        said[table.SERVER_ADDRESS] = found[1].strip("[]")
        default = 443 if found[0].startswith("https") else 80
        said[table.SERVER_PORT] = int(found[2]) if found[2] else default
    return _known(said)


def _answer(attempt: Attempt) -> dict[str, Value | None]:
    usage: Usage | None = attempt.usage
    said: dict[str, Value | None] = {
        table.RESPONSE_MODEL: attempt.model and _short(attempt.model),
        table.RESPONSE_ID: attempt.response_id and _short(attempt.response_id),
    }
    if attempt.finish_reason is not None:
        known = LABELS["finish_reason"].values or ()
        said[table.FINISH_REASONS] = (
            attempt.finish_reason if attempt.finish_reason in known else OTHER,
        )
    if usage is not None:
        said[table.INPUT_TOKENS] = usage.prompt_tokens
        said[table.OUTPUT_TOKENS] = usage.completion_tokens
        said[table.CACHED_TOKENS] = usage.cached_tokens or None
        said[table.REASONING_TOKENS] = usage.reasoning_tokens or None
    return said


def _known(said: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in said.items() if value is not None}


def _provider(deployment: Deployment | None) -> str:
    if deployment is None:
        return OTHER
    return table.PROVIDERS.get(deployment.engine, deployment.engine)


def _model(attempt: Attempt, deployment: Deployment | None) -> str:
    return attempt.deployment if deployment is None else deployment.served_name


def _short(said: str) -> str:
    return said[:_MOST_CHARS]
