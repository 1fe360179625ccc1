"""Asks this process itself, as a client would at the door: the port `Answerer`, without a wire."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.shell import Answering
from pointsman.answering.sink import Headers
from pointsman.answering.targets import Targets
from pointsman.backends.kept_answers import kept_reply
from pointsman.backends.vectors import vectors_in
from pointsman.domain.errors import PointsmanError, PolicyBlocked, UpstreamTimeout
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.messages import ModelRequest, Operation, Reply
from pointsman.domain.money import Usage
from pointsman.domain.records import Admission, Capture, End, Failure, FailureKind
from pointsman.domain.tracing import Parent
from pointsman.surfaces.chat import parse_chat
from pointsman.surfaces.embeddings import parse_embedding

PRINCIPAL = "evaluation"
_SURFACES: Mapping[Operation, str] = {"chat": "chat", "embedding": "embeddings"}
_OF_CODE: Mapping[str, FailureKind] = {
    "rate_limit_exceeded": "rate_limited",
    "overloaded": "busy",
    "upstream_timeout": "total_timeout",
    "invalid_request": "client_error",
    "budget_exceeded": "client_error",
}


class OwnAnswerer:
    """Each request is routed, governed, metered and written down as any other.

    `answering` and `targets` are asked for each time: a change of the configuration counts.
    """

    def __init__(
        self,
        answering: Callable[[], Answering],
        targets: Callable[[], Targets],
        clock: Clock,
        *,
        tenant: str = "default",
        capture: Capture | None = None,
    ) -> None:
        """Args: capture is the most that is kept of what is asked; None: as its task says."""
        self._capture = capture
        self._answering = answering
        self._targets = targets
        self._clock = clock
        self._tenant = tenant
        self._ended: dict[str, End] = {}  # by session, of requests that just ended
        self._wired: tuple[Answering, Answering] | None = None

    async def ask(
        self, request: Mapping[str, Any], subject: Subject, *, session: str, timeout_s: float
    ) -> Answered:
        """One answer, or why there is none.

        Raises: NotFound, InvalidRequest where the subject can never be asked so;
            JournalUnavailable where nothing can be written down.
        """
        asked = await self._ask(parse_chat, request, session=session, timeout_s=timeout_s)
        return self._answered(asked)

    async def embed(
        self, texts: Sequence[str], *, model: str, timeout_s: float
    ) -> Sequence[Sequence[float]]:
        """One vector for each text. Raises: PointsmanError."""
        request = {"model": model, "input": list(texts)}
        asked = await self._ask(parse_embedding, request, session="embeddings", timeout_s=timeout_s)
        if asked.sink.body is None:
            raise asked.error or UpstreamTimeout(f"{model} gave no vectors in {timeout_s:g} s")
        return vectors_in(asked.sink.body, count=len(texts))

    async def _ask(
        self,
        parse: Callable[[bytes], ModelRequest],
        request: Mapping[str, Any],
        *,
        session: str,
        timeout_s: float,
    ) -> "_Asked":
        body = msgspec.json.encode(request)
        asked = parse(body)
        target = self._targets().resolve(asked.model)
        target.check(asked.operation)
        sink = _Memory()
        arrived = self._clock.monotonic()
        failure: Failure | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._wire().answer(
                    Asked(
                        request=asked, body=body, target=target, tenant=self._tenant,
                        principal=PRINCIPAL, surface=_SURFACES[asked.operation],
                        arrived=arrived, bounds=None, session=session,
                        capture=self._capture,
                    ),
                    sink,
                )  # fmt: skip
        except TimeoutError:
            failure = Failure(kind="total_timeout", detail=f"no answer within {timeout_s:g} s")
        latency_ms = (self._clock.monotonic() - arrived) * 1000
        return _Asked(sink, sink.error, failure, self._ended.pop(session, None), latency_ms)

    def _wire(self) -> Answering:
        """The shell, telling us of each end as well."""
        own = self._answering()
        if self._wired is None or self._wired[0] is not own:

            def ended(
                admission: Admission, end: End, verified: str | None, parent: Parent | None
            ) -> None:
                own.ended(admission, end, verified, parent)
                if admission.principal == PRINCIPAL and admission.session is not None:
                    self._ended[admission.session] = end

            self._wired = (own, replace(own, ended=ended))
        return self._wired[1]

    def _answered(self, asked: "_Asked") -> Answered:
        sink, error, failure, end, latency_ms = asked
        reply: Reply | None = None
        verdict = sink.header(b"x-pointsman-policy")
        if sink.body is not None:
            reply = kept_reply(sink.body)
            if reply is None:
                failure = Failure(kind="malformed", detail="the answer cannot be read")
        elif sink.told is not None:
            reply, verdict = Reply(refusal="held for people"), "hold"
        elif isinstance(error, PolicyBlocked):
            reply, verdict = Reply(refusal=error.sentence), "block"
        elif failure is None:
            failure = failure_of(error, end)
        attempts = end.attempts if end is not None else ()
        return Answered(
            reply=reply,
            failure=failure if reply is None else None,
            trace=end.trace if end is not None else None,
            deployments=tuple(attempt.deployment for attempt in attempts),
            attempts=len(attempts),
            usage=usage_of([attempt.usage for attempt in attempts]),
            cost_usd_picos=end.cost_usd_picos if end is not None else 0,
            latency_ms=latency_ms,
            overhead_us=end.overhead_us if end is not None else None,
            verdict=verdict,
            retry_after_s=error.retry_after_s if error is not None else None,
        )


def usage_of(usages: Sequence[Usage | None]) -> Usage | None:
    """The tokens of all attempts together; None where nobody counted any."""
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in known),
        completion_tokens=sum(usage.completion_tokens for usage in known),
        cached_tokens=sum(usage.cached_tokens for usage in known),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
        source="estimated" if any(usage.source != "reported" for usage in known) else "reported",
    )


def failure_of(error: PointsmanError | None, end: End | None) -> Failure:
    """Why there is no answer: what the last attempt said, else our own word."""
    last = next((each.failure for each in reversed(end.attempts if end else ()) if each.failure),
                None)  # fmt: skip
    if last is not None:
        return last
    if error is None:
        return Failure(kind="empty", detail="nothing was delivered")
    kind = _OF_CODE.get(type(error).code, "server_error")
    return Failure(kind=kind, detail=error.sentence, code=error.reported_code)


class _Asked(NamedTuple):
    sink: "_Memory"
    error: PointsmanError | None
    failure: Failure | None
    end: End | None
    latency_ms: float


class _Memory:
    """Implements the port `Sink` for an answer that is not streamed."""

    __slots__ = ("_headers", "body", "error", "told")

    def __init__(self) -> None:
        self._headers: Headers = []
        self.body: bytes | None = None
        self.error: PointsmanError | None = None
        self.told: Mapping[str, object] | None = None

    def header(self, name: bytes) -> str | None:
        found = next((value for key, value in self._headers if key == name), None)
        return None if found is None else found.decode("latin-1")

    def whole(self, headers: Headers, body: bytes) -> None:
        self._headers, self.body = headers, body

    def refuse(self, error: PointsmanError, headers: Headers) -> None:
        self._headers, self.error = headers, error

    def held(self, headers: Headers, told: Mapping[str, object]) -> None:
        self._headers, self.told = headers, told

    def open_stream(self, headers: Headers) -> None:
        raise AssertionError("nothing is streamed here")

    def events(self, payloads: Sequence[bytes]) -> None:
        raise AssertionError("nothing is streamed here")

    def comment(self) -> None:
        """Nobody waits on the wire."""

    async def drained(self) -> None:
        """Memory takes everything."""

    def close_stream(self) -> None:
        raise AssertionError("nothing is streamed here")

    def break_stream(self, error: PointsmanError) -> None:
        self.error = error
