"""An answer on one HTTP exchange, in the words of its surface."""

from collections.abc import Awaitable, Mapping, Sequence

import msgspec

from pointsman.answering.sink import Headers
from pointsman.domain.errors import PointsmanError
from pointsman.domain.messages import ModelRequest
from pointsman.gateway.errors import error_head
from pointsman.gateway.http_server import Exchange
from pointsman.surfaces.surface import Surface

_JSON = (b"content-type", b"application/json")
_STREAM_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class SurfaceSink:
    """Implements the port `Sink`: the surface's writer says what, the exchange takes it."""

    __slots__ = ("_exchange", "_surface", "_writer")

    def __init__(self, exchange: Exchange, surface: Surface, request: ModelRequest) -> None:
        self._exchange = exchange
        self._surface = surface
        self._writer = surface.writer(request)

    def whole(self, headers: Headers, body: bytes) -> None:
        """200 and the whole answer."""
        self._exchange.respond(200, [_JSON, *self._head(headers)], self._writer.whole(body))

    def refuse(self, error: PointsmanError, headers: Headers) -> None:
        """The error with its own status, and Retry-After where there is one."""
        status, body = self._surface.error(error, trace=_trace(headers).decode())
        self._exchange.respond(status, [*error_head(error), *self._head(headers)], body)

    def held(self, headers: Headers, told: Mapping[str, object]) -> None:
        """202 with where to ask for the answer, in the words of no surface."""
        where = (b"location", str(told["url"]).encode())
        head = [_JSON, where, (b"retry-after", b"5"), *self._head(headers)]
        self._exchange.respond(202, head, msgspec.json.encode(told))

    def open_stream(self, headers: Headers) -> None:
        """200, and events follow."""
        self._exchange.start(200, [*_STREAM_HEAD, *self._head(headers)])

    def events(self, payloads: Sequence[bytes]) -> None:
        """All in one write."""
        self._exchange.write(self._writer.events(payloads))

    def comment(self) -> None:
        """Clients ignore it, proxies see life."""
        self._exchange.write(self._writer.comment())

    def drained(self) -> Awaitable[None] | None:
        """What to wait for while the client reads more slowly than the engine writes."""
        return self._exchange.drain() if self._exchange.behind else None

    def close_stream(self) -> None:
        """The mark of a whole answer."""
        self._exchange.write(self._writer.close())
        self._exchange.finish()

    def break_stream(self, error: PointsmanError) -> None:
        """What happened, as the surface tells it, and no mark of a whole answer."""
        self._exchange.write(self._writer.broken(error))
        self._exchange.finish()

    def _head(self, headers: Headers) -> Headers:
        name = self._surface.named_in
        return headers if name is None else [*headers, (name, _trace(headers))]


def _trace(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"x-pointsman-trace"), b"")
