"""Asks a running gateway over its wire, with a key: the port `Answerer` for other machines."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.backends.http_pool import HttpPool, Origin, WireError
from pointsman.backends.http_wire import UpstreamResponse
from pointsman.backends.kept_answers import kept_answer
from pointsman.backends.refusals import refused
from pointsman.backends.vectors import vectors_in
from pointsman.domain.errors import Forbidden, NotFound, Unauthenticated, UpstreamError, UsageError
from pointsman.domain.evaluations import Answered, Subject
from pointsman.domain.messages import Reply
from pointsman.domain.records import Failure, FailureKind

_MOST_BYTES = 64 * 1024 * 1024
_NEVER: Mapping[int, type[Unauthenticated] | type[Forbidden] | type[NotFound]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
}
_KINDS: Mapping[str, FailureKind] = {
    "refused": "refused",
    "connect_timeout": "connect_timeout",
    "first_token_timeout": "first_token_timeout",
    "total_timeout": "total_timeout",
    "between_tokens_timeout": "between_tokens_timeout",
}


class GatewayAnswerer:
    """Each request is one to `/v1/chat/completions`; what it cost is what the gateway says."""

    def __init__(self, url: str, *, api_key: str | None = None, pool: HttpPool) -> None:
        """Raises: UsageError for an address that is none."""
        self._pool = pool
        try:
            self._origin = Origin.parse(url)
        except ValueError as error:
            raise UsageError(f"{url!r} is no address of a gateway: {error}") from None
        self._headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
        if api_key:
            self._headers.append((b"authorization", b"Bearer " + api_key.encode()))

    async def ask(
        self, request: Mapping[str, Any], subject: Subject, *, session: str, timeout_s: float
    ) -> Answered:
        """One answer, or why there is none.

        Raises: Unauthenticated, Forbidden, NotFound where no request of this run can succeed;
            UpstreamError where no gateway answers there.
        """
        began = time.monotonic()
        body = msgspec.json.encode(request)
        try:
            response, said = await self._post("/chat/completions", body, session, timeout_s)
        except WireError as error:
            if error.kind == "refused":
                raise self._nobody(error) from error
            failure = Failure(kind=_KINDS.get(error.kind, "cut"), detail=str(error)[:200])
            return Answered(failure=failure, latency_ms=(time.monotonic() - began) * 1000)
        return _answered(response, said, (time.monotonic() - began) * 1000)

    async def embed(
        self, texts: Sequence[str], *, model: str, timeout_s: float
    ) -> Sequence[Sequence[float]]:
        """One vector for each text. Raises: PointsmanError."""
        body = msgspec.json.encode({"model": model, "input": list(texts)})
        try:
            response, said = await self._post("/embeddings", body, "embeddings", timeout_s)
        except WireError as error:
            raise self._nobody(error) from error
        if response.status != 200:
            failure = refused(response.status, response.headers, said)
            raise UpstreamError(f"{model} gave no vectors", why=failure.detail)
        return vectors_in(said, count=len(texts))

    async def _post(
        self, path: str, body: bytes, session: str, timeout_s: float
    ) -> tuple[UpstreamResponse, bytes]:
        """Raises: WireError."""
        began = time.monotonic()
        response = await self._pool.request(
            self._origin,
            b"POST",
            path,
            [*self._headers, (b"x-session-id", session.encode())],
            body,
            connect_timeout_s=min(10.0, timeout_s),
            first_byte_timeout_s=timeout_s,
            total_timeout_s=timeout_s,
        )
        with response:
            left_s = max(0.001, timeout_s - (time.monotonic() - began))
            return response, await response.read(limit=_MOST_BYTES, timeout_s=left_s)

    def _nobody(self, error: WireError) -> UpstreamError:
        origin = self._origin
        return UpstreamError(
            f"no gateway answers at {origin.scheme}://{origin.authority}",
            why=str(error),
            next="start it with `pointsman serve`; what was answered so far is kept",
        )


def _answered(response: UpstreamResponse, body: bytes, latency_ms: float) -> Answered:
    head = {name: value.decode("latin-1") for name, value in response.headers.items()}
    attempts, cost = head.get(b"x-pointsman-attempts", ""), head.get(b"x-pointsman-cost-usd-picos")
    deployment, verdict = head.get(b"x-pointsman-deployment"), head.get(b"x-pointsman-policy")
    reply, usage, failure = None, None, None
    if response.status == 200:
        reply, usage = kept_answer(body)
        if reply is None:
            failure = Failure(kind="malformed", detail="the answer cannot be read")
    elif response.status == 202:
        reply, verdict = Reply(refusal="held for people"), "hold"
    else:
        failure = refused(response.status, response.headers, body)
        never = _NEVER.get(response.status)
        if failure.code == "content_filter":
            reply, failure, verdict = Reply(refusal=failure.detail), None, "block"
        elif never is not None and failure.code != "budget_exceeded":
            raise never(failure.detail or f"the gateway answered {response.status}")
    return Answered(
        reply=reply,
        failure=failure,
        trace=head.get(b"x-pointsman-trace"),
        deployments=(deployment,) if deployment else (),
        attempts=int(attempts) if attempts.isdigit() else 1,
        usage=usage,
        cost_usd_picos=int(cost) if cost is not None and cost.isdigit() else 0,
        latency_ms=latency_ms,
        verdict=verdict,
        retry_after_s=failure.retry_after_s if failure is not None else None,
    )
