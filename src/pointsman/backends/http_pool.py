"""Connections to upstreams, by origin, bounded; `http_lane` keeps them, `http_wire` speaks."""

import asyncio

from pointsman.backends.http_dial import Resolve, resolve
from pointsman.backends.http_lane import Lane
from pointsman.backends.http_origin import Origin, Way, request_head
from pointsman.backends.http_tls import TlsContexts
from pointsman.backends.http_wire import (
    Headers,
    StaleConnection,
    UpstreamResponse,
    WireError,
    WireFailure,
)

__all__ = ["HttpPool", "Lane", "Origin", "UpstreamResponse", "Way", "WireError", "WireFailure"]


class HttpPool:
    """Keeps connections by origin. The most recently used is taken first; waiting is in order.

    One request is repeated, once: when a *kept* connection closes with not one byte of an answer
    read, within a second. A server may close an idle connection just as we send; without the
    repeat each such race would be an error. A fresh connection that does the same is an error,
    since the server may have acted. The race cannot be told for certain from a server that dies
    at work on a kept connection, so such a request may run twice; it answers once.
    """

    def __init__(
        self,
        *,
        max_connections_per_origin: int = 512,
        max_idle_per_origin: int = 512,  # as many as may be open: streams end together
        max_waiting_per_origin: int = 4096,
        idle_timeout_s: float = 30.0,
        dns_refresh_s: float = 30.0,
        next_address_s: float = 0.25,
        resolve: Resolve = resolve,
        contexts: TlsContexts | None = None,
    ) -> None:
        self.max_connections = max_connections_per_origin
        self.max_idle = max_idle_per_origin
        self.max_waiting = max_waiting_per_origin
        self.idle_timeout_s = idle_timeout_s
        self.dns_refresh_s = dns_refresh_s  # between two looks at what a name means
        self.next_address_s = next_address_s  # before a name's next address is tried as well
        self.resolve = resolve
        self.contexts = contexts or TlsContexts()
        self._lanes: dict[tuple[str, str, int, Way | None], Lane] = {}
        self.timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self,
        origin: Origin,
        method: bytes | str,
        target: str,
        headers: Headers,
        body: bytes,
        *,
        connect_timeout_s: float,
        first_byte_timeout_s: float,
        total_timeout_s: float | None = None,
    ) -> UpstreamResponse:
        """Send a request; its answer once the head has arrived.

        Args: `target` is a path below the origin's base path, with its query; `headers` without
        Host and Content-Length. `connect_timeout_s` covers the wait for a free connection too,
        `first_byte_timeout_s` begins when the request is written and ends with the answer's head.
        All of it together takes no longer than `total_timeout_s`.
        Raises: WireError; ValueError for a target or header that would break out of its line.
        """
        assert not self._closed, "the pool is closed"
        verb = method if isinstance(method, bytes) else method.encode()
        head = request_head(origin, verb, target, headers, body)
        has_body = verb != b"HEAD"
        lane = self._lane(origin)
        by = lane.now() + (_FOREVER_S if total_timeout_s is None else total_timeout_s)
        connection = lane.take()
        if connection is None:
            connection = await lane.wait_or_connect(min(connect_timeout_s, by - lane.now()))
        try:
            patience_s = min(first_byte_timeout_s, by - lane.now())
            return await connection.exchange(head, body, has_body=has_body, timeout_s=patience_s)
        except StaleConnection:
            left_s = min(connect_timeout_s, by - lane.now())
            connection = await lane.wait_or_connect(left_s, fresh=True)
        try:
            patience_s = min(first_byte_timeout_s, by - lane.now())
            return await connection.exchange(head, body, has_body=has_body, timeout_s=patience_s)
        except StaleConnection:
            raise WireError("cut", "closed without an answer, twice") from None

    async def close(self) -> None:
        """Close every connection, used or idle; those waiting are refused."""
        self._closed = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for lane in self._lanes.values():
            lane.close()
        for lane in self._lanes.values():
            await lane.closed()

    @property
    def open_connections(self) -> int:
        """Connections made or being made."""
        return sum(lane.open for lane in self._lanes.values())

    @property
    def idle_connections(self) -> int:
        """Connections kept for the next request."""
        return sum(len(lane.idle) for lane in self._lanes.values())

    @property
    def waiting(self) -> int:
        """Requests waiting for a connection."""
        return sum(len(lane.waiters) for lane in self._lanes.values())

    # What lanes ask of us.

    def watch_idle(self) -> None:
        """See to it that idle connections are closed in time."""
        if self.timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.05, self.idle_timeout_s / 4), self._reap)

    # Inside.

    def _lane(self, origin: Origin) -> Lane:
        key = (origin.scheme, origin.host, origin.port, origin.way)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self, origin)
        return lane

    def _reap(self) -> None:
        self.timer = None
        before = asyncio.get_running_loop().time() - self.idle_timeout_s
        for lane in self._lanes.values():
            lane.reap(before)
        if any(lane.idle for lane in self._lanes.values()):
            self.watch_idle()


_FOREVER_S = 86_400.0
