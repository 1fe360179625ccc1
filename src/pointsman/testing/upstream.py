"""An HTTP upstream that plays scripts."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, cast

from pointsman.testing.plays import Flag, Play, Received, Script
from pointsman.testing.scripts import (
    chat_answer,
)

_LIMIT = 1024 * 1024


_HANG_S = 3600.0


class ScriptedUpstream:
    """An HTTP/1.1 upstream that plays one script per request and keeps what it received.

    Scripts are taken in the order in which requests arrive; when they have run out, `default` is
    played. `requests` grows as requests arrive; `request(n)` waits for one.
    """

    def __init__(self, *scripts: Script, default: Script | None = None) -> None:
        self.scripts: deque[Script] = deque(scripts)
        self.read_scripts: deque[Script] = deque()  # of GETs
        self.default: Script = default or chat_answer()
        self.requests: list[Received] = []
        self.connections = 0  # accepted so far
        self.open_connections = 0
        self.host = "127.0.0.1"  # where to listen; `base_url` is for this machine
        self.port = 0
        self._arrivals: list[Flag] = []
        self._lock = threading.Lock()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def base_url(self) -> str:
        """What a configuration names: `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def then(self, *scripts: Script) -> Self:
        """More scripts, after those that wait."""
        self.scripts.extend(scripts)
        return self

    def then_read(self, *scripts: Script) -> Self:
        """What the next GETs are answered: a probe takes no script that an answer waits for."""
        self.read_scripts.extend(scripts)
        return self

    async def request(self, number: int = 1, *, timeout_s: float = 20.0) -> Received:
        """The request of that number, once it has arrived. Raises: TimeoutError."""
        await self._arrival(number).raised(timeout_s)
        return self.requests[number - 1]

    def wait_request(self, number: int = 1, *, timeout_s: float = 20.0) -> Received:
        """The same for a thread."""
        if not self._arrival(number).wait(timeout_s):
            raise TimeoutError(f"request {number} has not arrived")
        return self.requests[number - 1]

    async def refuse(self) -> None:
        """From now on the port refuses connections, and those open are closed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        """Close every open connection; new ones are taken as before. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel)

    def forget(self) -> None:
        """Let go of the requests received so far: the next one is number 1 again."""
        with self._lock:
            self.requests.clear()
            self._arrivals.clear()

    def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def accept(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, limit=_LIMIT, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    def __enter__(self) -> Self:
        ready = threading.Event()

        async def live() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._stop = partial(loop.call_soon_threadsafe, stop.set)
            async with self:
                ready.set()
                await stop.wait()

        self._thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
        self._thread.start()
        if not ready.wait(10.0):
            raise TimeoutError("the scripted upstream did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stop is not None and self._thread is not None:
            self._stop()
            self._thread.join(10.0)

    def _arrival(self, number: int) -> Flag:
        with self._lock:
            while len(self._arrivals) < number:
                self._arrivals.append(Flag())
            return self._arrivals[number - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        connection = _Connection(reader, writer, self.connections)
        try:
            while (received := await connection.receive()) is not None:
                received.number = len(self.requests) + 1
                self.requests.append(received)
                self._arrival(received.number).set()
                waiting = self.read_scripts if received.method == "GET" else self.scripts
                script = waiting.popleft() if waiting else self.default
                if not await connection.play(script(received), received):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            pass  # refuse() or the end of the block: the connection closes, no one waits
        finally:
            connection.close()
            self.open_connections -= 1
            self._tasks.discard(task)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class _Connection:
    """One client's connection: requests in, plays out, an eye on the client meanwhile."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._number = number
        self._ahead = b""  # read while watching: the start of the next request
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self) -> Received | None:
        """The next request, or None at the end of the connection."""
        first = self._ahead or await self._reader.read(1)
        self._ahead = b""
        if not first:
            return None
        head = first + await self._reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        for entry in fields:
            name, _, value = entry.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Received(
            number=0,  # given by the upstream, in the order of arrival
            connection=self._number,
            method=method,
            target=target,
            headers=headers,
            body=await self._body(headers),
        )

    async def play(self, play: Play, received: Received) -> bool:
        """Whether the connection goes on."""
        acting = asyncio.ensure_future(self._act(play, received))
        watching = asyncio.ensure_future(self._reader.read(1))
        try:
            while True:
                await asyncio.wait((acting, watching), return_when=asyncio.FIRST_COMPLETED)
                if watching.done() and not self._ahead:
                    if watching.exception() is not None or not watching.result():
                        if not acting.done():
                            received.cancelled.set()
                        return False
                    self._ahead = watching.result()
                    await asyncio.wait((acting,))
                if acting.done():
                    acting.result()
                    break
            received.answered.set()
        except OSError:
            received.cancelled.set()
            return False
        finally:
            acting.cancel()
            await self._settle(watching)
        if play.then == "reset":
            raw: socket.socket = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        return play.then == "keep" and received.headers.get("connection", "").lower() != "close"

    def close(self) -> None:
        """Close at once; what was written is still sent."""
        self._writer.close()

    async def _act(self, play: Play, received: Received) -> None:
        for step in play.steps:
            if step.after_s > 0:
                await asyncio.sleep(step.after_s)
            if step.once is not None:
                await step.once.raised(_HANG_S)
            self._writer.write(step.data)
            await self._writer.drain()
            received.sent += len(step.data)
        if play.then == "hang":
            await asyncio.sleep(_HANG_S)

    async def _settle(self, watching: "asyncio.Future[bytes]") -> None:
        """Stop watching, keeping a byte that came in the same moment."""
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            self._ahead = await watching or self._ahead

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readuntil(b"\r\n")
        return body
