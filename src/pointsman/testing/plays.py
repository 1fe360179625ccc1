"""What a script says: bytes in steps, and how the connection goes on."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Usage = Literal["asked", "always", "never"]


Then = Literal["keep", "close", "reset", "hang"]


Logprobs = Sequence[float] | None


class Flag:
    """An event that any thread may set, and any thread or task may wait for."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def set(self) -> None:
        """Raise the flag, for good."""
        with self._lock:
            self._event.set()
            waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, waiter)

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self._event.is_set()

    def wait(self, timeout_s: float = 20.0) -> bool:
        """Block this thread until it is raised; False if it was not in time."""
        return self._event.wait(timeout_s)

    async def raised(self, timeout_s: float = 20.0) -> None:
        """Return once it is raised. Raises: TimeoutError."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._event.is_set():
                return
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append((loop, waiter))
        async with asyncio.timeout(timeout_s):
            await waiter


@dataclass(kw_only=True)
class Received:
    """A request as the upstream saw it."""

    number: int  # from 1, in the order of arrival
    connection: int  # from 1: equal for requests that shared a connection
    method: str
    target: str
    headers: dict[str, str]  # names lower-case
    body: bytes
    cancelled: Flag = field(default_factory=Flag)  # the client closed before the answer's end
    answered: Flag = field(default_factory=Flag)  # the script has been played to its end
    sent: int = 0  # bytes of the answer that the kernel has taken, so far

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def asks_usage(self) -> bool:
        """Whether the client set `stream_options.include_usage`."""
        with contextlib.suppress(ValueError, AttributeError):
            return bool((self.json.get("stream_options") or {}).get("include_usage"))
        return False


@dataclass(frozen=True, kw_only=True)
class Step:
    """Bytes to write after a pause, or once a flag is raised."""

    data: bytes
    after_s: float = 0.0
    once: Flag | None = None


@dataclass(frozen=True, kw_only=True)
class Play:
    """What an upstream writes, then what it does with the connection.

    `keep` it for the next request, `close` it, `reset` it (RST), or `hang` until the client leaves.
    """

    steps: tuple[Step, ...]
    then: Then = "keep"


Script = Callable[[Received], Play]


def resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
