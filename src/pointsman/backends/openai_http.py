"""The backend for every OpenAI-compatible engine: one call over the pool, whole or streamed."""

from collections.abc import Callable

from pointsman.backends.address import Address
from pointsman.backends.http_pool import HttpPool, Origin, Way
from pointsman.backends.http_wire import UpstreamResponse, WireError
from pointsman.backends.openai_attempt import Attempt
from pointsman.backends.openai_stream import OpenAIStream
from pointsman.backends.outgoing import Outgoing
from pointsman.backends.places import Places
from pointsman.domain.portfolio import Deployment
from pointsman.domain.ports import AttemptFailed, Completion, UpstreamCall
from pointsman.domain.records import Failure


class OpenAIBackend:
    """Speaks to deployments over one pool; at most `limits.concurrency` attempts each."""

    def __init__(
        self,
        pool: HttpPool,
        address_of: Callable[[Deployment], Address | None],
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._address_of = address_of
        self._clock = clock
        self._origins: dict[str | tuple[str, Way], Origin] = {}
        self._places: dict[str, Places] = {}

    async def complete(self, call: UpstreamCall) -> Completion:
        """A whole answer. Raises: AttemptFailed with what went wrong."""
        attempt = Attempt(self, call)
        try:
            return await attempt.whole()
        except WireError as error:
            raise attempt.failed(error.kind, error.detail) from error
        finally:
            attempt.close()

    def stream(self, call: UpstreamCall) -> "OpenAIStream":
        """A streamed answer; the connection is made when it is first iterated."""
        return OpenAIStream(Attempt(self, call))

    async def open(self, call: UpstreamCall, outgoing: Outgoing) -> UpstreamResponse:
        """Send the call; the response's head has arrived when this returns."""
        deployment = call.deployment
        address = self._address_of(deployment)
        if address is None:
            raise AttemptFailed(Failure(kind="engine_down", detail=f"{deployment.name} is down"))
        where = address.base_url if address.way is None else (address.base_url, address.way)
        origin = self._origins.get(where)
        if origin is None:
            origin = self._origins[where] = Origin.parse(address.base_url, address.way)
        limits = deployment.limits
        headers = [(b"content-type", b"application/json"), (b"accept", _accept(call))]
        if address.api_key:
            headers.append((b"authorization", b"Bearer " + address.api_key.encode()))
        return await self._pool.request(
            origin,
            b"POST",
            "/chat/completions",
            headers,
            outgoing.body,
            connect_timeout_s=min(limits.connect_timeout_s, call.deadline_s),
            first_byte_timeout_s=min(limits.first_token_timeout_s, call.deadline_s),
        )

    async def place(self, deployment: Deployment) -> Places:
        """Take a place on the deployment, waiting no longer than a connection may take.

        Raises: AttemptFailed (busy).
        """
        limits = deployment.limits
        places = self._places.get(deployment.name)
        if places is None:
            places = self._places[deployment.name] = Places(limits.concurrency)
        places.limit = limits.concurrency  # a changed configuration may have changed it
        if not await places.take(limits.connect_timeout_s):
            detail = f"{limits.concurrency} attempts are running"
            raise AttemptFailed(Failure(kind="busy", detail=detail))
        return places

    def clock(self) -> float:
        """Monotonic seconds."""
        return self._clock()


def _accept(call: UpstreamCall) -> bytes:
    return b"text/event-stream" if call.request.stream else b"application/json"
