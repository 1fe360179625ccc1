"""The suite's own upstream: what it does to a request is written in the request.

A prompt (or input, query, document) holds `conformance:SHAPE:TOKEN;`. The shape names the script to
be played, the token the exchange it belongs to, whatever surface or model a gateway made of it.
"""

import socket
import threading
from collections import defaultdict
from types import TracebackType
from typing import Self

from pointsman.testing import Play, Received, ScriptedUpstream, status_answer
from tests.conformance.engine import MARK
from tests.conformance.late import cut_after
from tests.conformance.ordinary import plain
from tests.conformance.shapes import SHAPES

_REMEMBERED = 5000


def mark(shape: str, token: str) -> str:
    """What to put into a prompt."""
    return f"conformance:{shape}:{token};"


class Upstream:
    """Listens on one port, in a thread of its own; the port after it refuses connections."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._server = ScriptedUpstream(default=self._choose)
        self._server.host, self._server.port = host, port
        self._refusing = socket.socket()
        self._news = threading.Condition()
        self._seen: dict[str, list[Received]] = defaultdict(list)
        self.unmarked_posts = 0  # that no case sent: a gateway's own

    @property
    def port(self) -> int:
        """Where the upstream listens."""
        return self._server.port

    @property
    def refusing_port(self) -> int:
        """Where nobody listens, and nobody else can."""
        port: int = self._refusing.getsockname()[1]
        return port

    @property
    def open_connections(self) -> int:
        """How many connections gateways hold now."""
        return self._server.open_connections

    def hang_up(self) -> None:
        """Close every connection; new ones are taken as before."""
        self._server.hang_up()

    def forget(self) -> None:
        """Let go of requests that were answered long ago, in runs that last."""
        with self._news:
            for token in list(self._seen)[:-_REMEMBERED]:
                del self._seen[token]
        self._server.forget()

    def __enter__(self) -> Self:
        """Raises: OSError where another listens on the port."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self._server.host, self.port))
        self._server.__enter__()
        self._refusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._refusing.bind((self._server.host, self.port + 1))
        except OSError:
            self._refusing.bind((self._server.host, 0))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._refusing.close()
        self._server.__exit__(kind, error, at)

    def seen(self, token: str) -> list[Received]:
        """The requests that came of one exchange so far."""
        with self._news:
            return list(self._seen[token])

    def wait(self, token: str, number: int = 1, timeout_s: float = 20.0) -> Received:
        """The request of that number, once it has come. Raises: TimeoutError."""
        with self._news:
            if self._news.wait_for(lambda: len(self._seen[token]) >= number, timeout_s):
                return self._seen[token][number - 1]
        raise TimeoutError(f"the upstream has not been asked ({number}) within {timeout_s:.0f} s")

    def _choose(self, received: Received) -> Play:
        found = MARK.search(received.body)
        if found is None:
            if received.method == "POST":
                self.unmarked_posts += 1
            return plain(received)
        shape, token = found[1].decode(), found[2].decode()
        with self._news:
            self._seen[token].append(received)
            self._news.notify_all()
        make = SHAPES.get(shape) or cut_after(shape)
        if make is None:
            return status_answer(418, {"error": {"message": f"no shape {shape!r}"}})(received)
        return make(received)
