"""The backend for every OpenAI-compatible engine: one call over the pool, whole or streamed."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache
from typing import Any

from pointsman.backends.address import Address
from pointsman.backends.dialects import ENGINES
from pointsman.backends.http_pool import HttpPool, Origin, Way
from pointsman.backends.http_wire import Headers, UpstreamResponse
from pointsman.backends.openai_attempt import Attempt
from pointsman.backends.openai_stream import OpenAIStream
from pointsman.backends.outgoing import Outgoing
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed, Completion, UpstreamCall
from pointsman.domain.records import Failure


class OpenAIBackend:
    """Speaks to deployments over one pool; how many at once is for the caller to say."""

    def __init__(
        self,
        pool: HttpPool,
        address_of: Callable[[Deployment], Address | None],
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._address_of = address_of
        self.clock = clock  # monotonic seconds
        self._origins: dict[str | tuple[str, Way], Origin] = {}

    def complete(self, call: UpstreamCall) -> Coroutine[Any, Any, Completion]:
        """A whole answer. Raises: AttemptFailed with what went wrong."""
        return Attempt(self, call).whole()

    def stream(self, call: UpstreamCall) -> "OpenAIStream":
        """A streamed answer; the connection is made when it is first iterated."""
        return OpenAIStream(Attempt(self, call))

    def open(
        self, call: UpstreamCall, outgoing: Outgoing, *, left_s: float
    ) -> Awaitable[UpstreamResponse]:
        """Send the call; the response's head has arrived when this returns, within `left_s`."""
        deployment = call.deployment
        address = self._address_of(deployment)
        if address is None:
            raise AttemptFailed(Failure(kind="engine_down", detail=f"{deployment.name} is down"))
        where = address.base_url if address.way is None else (address.base_url, address.way)
        origin = self._origins.get(where)
        if origin is None:
            origin = self._origins[where] = Origin.parse(address.base_url, address.way)
        limits = deployment.limits
        headers: Headers = _headers(call.request.stream, address.api_key)
        if call.lines:
            headers = [*headers, *call.lines]
        return self._pool.request(
            origin,
            b"POST",
            ENGINES[deployment.engine].path(call.request.operation),
            headers,
            outgoing.body,
            connect_timeout_s=limits.connect_timeout_s,
            first_byte_timeout_s=limits.first_token_timeout_s,
            total_timeout_s=left_s,
        )


@lru_cache(maxsize=1024)
def _headers(stream: bool, api_key: str | None) -> tuple[tuple[bytes, bytes], ...]:
    accept = b"text/event-stream" if stream else b"application/json"
    usual = ((b"content-type", b"application/json"), (b"accept", accept))
    if not api_key:
        return usual
    return (*usual, (b"authorization", b"Bearer " + api_key.encode()))
