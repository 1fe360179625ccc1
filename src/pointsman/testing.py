"""Stand-ins for tests, ours and our users': a scripted upstream and a settable clock; no asserts.

    async with ScriptedUpstream(chat_stream("Good morning"), status_answer(429)) as upstream:
        ...                                # one script per request, in order; then `default`
        assert upstream.requests[0].json["model"] == "qwen3-8b"

`with` instead of `async with` runs the upstream in a thread of its own.
"""

import asyncio
import contextlib
import heapq
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, cast

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
                loop.call_soon_threadsafe(_resolve, waiter)

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self._event.is_set()

    def wait(self, timeout_s: float = 5.0) -> bool:
        """Block this thread until it is raised; False if it was not in time."""
        return self._event.wait(timeout_s)

    async def raised(self, timeout_s: float = 5.0) -> None:
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


def status_answer(
    status: int,
    body: bytes | str | dict[str, Any] | None = None,
    headers: Sequence[tuple[str, str]] = (),
    *,
    after_s: float = 0.0,
    once: Flag | None = None,
) -> Script:
    """Any whole answer. Without a body: an OpenAI error for 4xx and 5xx, nothing otherwise."""
    if body is None and status >= 400:
        message = {"message": f"scripted {status}", "type": "scripted", "param": None, "code": None}
        body = {"error": message}
    data = json.dumps(body).encode() if isinstance(body, dict) else _bytes(body or b"")

    def script(_: Received) -> Play:
        lines = [f"HTTP/1.1 {status} Scripted", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append(f"content-length: {len(data)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return Play(steps=(Step(data=head + data, after_s=after_s, once=once),))

    return script


def chat_answer(
    text: str = "ok",
    *,
    model: str = "scripted",
    finish_reason: str = "stop",
    usage: bool = True,
    logprobs: Logprobs = None,
    after_s: float = 0.0,
    once: Flag | None = None,
    **message: Any,
) -> Script:
    """A chat completion. `logprobs`: one per token of `text` (see `tokens`), or recycled.

    Other keywords are put into the message, such as `tool_calls` or `reasoning_content`.
    """

    def script(request: Received) -> Play:
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text, **message},
            "finish_reason": finish_reason,
            "logprobs": _logprobs(tokens(text), logprobs),
        }
        answer = _envelope(request, "chat.completion", model) | {"choices": [choice]}
        if usage:
            answer["usage"] = _usage(text)
        return status_answer(200, answer, after_s=after_s, once=once)(request)

    return script


def chat_stream(
    text: str | Sequence[str] = "Good morning",
    *,
    model: str = "scripted",
    finish_reason: str = "stop",
    usage: Usage = "asked",
    logprobs: Logprobs = None,
    first_after_s: float = 0.0,
    every_s: float = 0.0,
    once: Flag | None = None,
    done: bool = True,
) -> Script:
    """A streamed chat completion: role, one event per piece, finish, usage, `[DONE]`.

    `once` holds back the pieces (the role comes at once); `done=False` ends without `[DONE]`.
    """
    pieces = tokens(text) if isinstance(text, str) else list(text)

    def script(request: Received) -> Play:
        def event(delta: dict[str, Any], finish: str | None = None, at: int | None = None) -> bytes:
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
            if logprobs is not None and at is not None:
                choice["logprobs"] = _logprobs([pieces[at]], [logprobs[at % len(logprobs)]])
            frame = _envelope(request, "chat.completion.chunk", model) | {"choices": [choice]}
            return json.dumps(frame).encode()

        events = [event({"role": "assistant", "content": ""})]
        events += [event({"content": piece}, at=at) for at, piece in enumerate(pieces)]
        events.append(event({}, finish_reason))
        if usage == "always" or (usage == "asked" and request.asks_usage):
            frame = _envelope(request, "chat.completion.chunk", model)
            frame |= {"choices": [], "usage": _usage("".join(pieces))}
            events.append(json.dumps(frame).encode())
        if done:
            events.append(b"[DONE]")
        return event_stream(events, first_after_s=first_after_s, every_s=every_s, once=once)(
            request
        )

    return script


def event_stream(
    events: Sequence[bytes],
    *,
    first_after_s: float = 0.0,
    every_s: float = 0.0,
    once: Flag | None = None,
) -> Script:
    """Server-sent events with the given data, each in a chunk of its own."""

    def script(_: Received) -> Play:
        steps = [Step(data=STREAM_HEAD)]
        for at, data in enumerate(events):
            pause = first_after_s if at == 0 else every_s
            gate = once if at == 1 else None
            steps.append(Step(data=chunk(b"data: " + data + b"\n\n"), after_s=pause, once=gate))
        steps.append(Step(data=b"0\r\n\r\n"))
        return Play(steps=tuple(steps))

    return script


def raw_answer(*pieces: bytes, then: Then = "close", every_s: float = 0.0) -> Script:
    """Exactly these bytes."""
    return lambda _: Play(
        steps=tuple(
            Step(data=piece, after_s=every_s if at else 0.0) for at, piece in enumerate(pieces)
        ),
        then=then,
    )


def silence() -> Script:
    """The request is taken and never answered."""
    return lambda _: Play(steps=(), then="hang")


def empty_answer() -> Script:
    """Status 200 and nothing in it."""
    return status_answer(200, b"")


def closed_at_once(then: Then = "close") -> Script:
    """The connection ends without a byte of an answer."""
    return lambda _: Play(steps=(), then=then)


def head_only(then: Then = "close") -> Script:
    """The head of a stream, then the end of the connection (or `hang`)."""
    return lambda _: Play(steps=(Step(data=STREAM_HEAD),), then=then)


def malformed_event() -> Script:
    """A stream with an event that is not JSON."""
    return event_stream([b'{"choices": [', b"[DONE]"])


def malformed_framing() -> Script:
    """A chunk whose size is no number."""
    return raw_answer(STREAM_HEAD + b"zz\r\ndata: {}\n\n\r\n", then="hang")


def cut(script: Script, after_bytes: int, *, then: Then = "close") -> Script:
    """The same answer, ended after so many bytes (head included)."""

    def cutting(request: Received) -> Play:
        steps: list[Step] = []
        left = after_bytes
        for step in script(request).steps:
            if left > 0:
                steps.append(replace(step, data=step.data[:left]))
            left -= len(step.data)
        return Play(steps=tuple(steps), then=then)

    return cutting


def trickle(script: Script, *, size: int = 1, every_s: float = 0.001) -> Script:
    """The same answer in pieces of `size` bytes, with a pause before each."""

    def slowly(request: Received) -> Play:
        play = script(request)
        data = b"".join(step.data for step in play.steps)
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        return replace(play, steps=tuple(Step(data=piece, after_s=every_s) for piece in pieces))

    return slowly


def echo() -> Script:
    """The request itself, as JSON: method, target, headers, body."""

    def script(request: Received) -> Play:
        seen = {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("utf-8", "replace"),
        }
        return status_answer(200, seen)(request)

    return script


class ScriptedUpstream:
    """An HTTP/1.1 upstream that plays one script per request and keeps what it received.

    Scripts are taken in the order in which requests arrive; when they have run out, `default` is
    played. `requests` grows as requests arrive; `request(n)` waits for one.
    """

    def __init__(self, *scripts: Script, default: Script | None = None) -> None:
        self.scripts: deque[Script] = deque(scripts)
        self.default: Script = default or chat_answer()
        self.requests: list[Received] = []
        self.connections = 0  # accepted so far
        self.open_connections = 0
        self.port = 0
        self._arrivals: list[Flag] = []
        self._lock = threading.Lock()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] | None = None

    @property
    def base_url(self) -> str:
        """What a configuration names: `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def then(self, *scripts: Script) -> Self:
        """More scripts, after those that wait."""
        self.scripts.extend(scripts)
        return self

    async def request(self, number: int = 1, *, timeout_s: float = 5.0) -> Received:
        """The request of that number, once it has arrived. Raises: TimeoutError."""
        await self._arrival(number).raised(timeout_s)
        return self.requests[number - 1]

    def wait_request(self, number: int = 1, *, timeout_s: float = 5.0) -> Received:
        """The same for a thread."""
        if not self._arrival(number).wait(timeout_s):
            raise TimeoutError(f"request {number} has not arrived")
        return self.requests[number - 1]

    async def refuse(self) -> None:
        """From now on the port refuses connections, and those open are closed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=_LIMIT, backlog=1024, reuse_address=True
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
                script = self.scripts.popleft() if self.scripts else self.default
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


class SimClock:
    """A clock that moves when told: seconds since 1970 when called, and sleeps that follow it."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self._now_s = now_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        """Seconds; good as a monotonic clock and as a wall clock."""
        return self._now_s

    def now_us(self) -> int:
        """Whole microseconds since 1970."""
        return round(self._now_s * 1_000_000)

    def advance(self, seconds: float) -> None:
        """Move on, waking the sleepers whose time has come. Raises: ValueError for backwards."""
        if seconds < 0:
            raise ValueError("a clock moves forward; use `set` to turn it back")
        self.set(self._now_s + seconds)

    def set(self, now_s: float) -> None:
        """Turn to a time, earlier ones included."""
        self._now_s = now_s
        while self._sleepers and self._sleepers[0][0] <= now_s:
            _resolve(heapq.heappop(self._sleepers)[2])

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been moved so far on."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now_s + seconds, self._count, waiter))
        if seconds > 0:
            await waiter


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tokens(text: str) -> list[str]:
    """The pieces that the scripts take for tokens: words with the space before them."""
    return re.findall(r"\s*\S+|\s+$", text)


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


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
        acting = asyncio.ensure_future(self._act(play))
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

    async def _act(self, play: Play) -> None:
        for step in play.steps:
            if step.after_s > 0:
                await asyncio.sleep(step.after_s)
            if step.once is not None:
                await step.once.raised(_HANG_S)
            self._writer.write(step.data)
            await self._writer.drain()
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


def _envelope(request: Received, kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{request.number}",
        "object": kind,
        "created": 1_800_000_000 + request.number,
        "model": model,
    }


def _usage(text: str) -> dict[str, int]:
    completion = len(tokens(text))
    return {
        "prompt_tokens": 11,
        "completion_tokens": completion,
        "total_tokens": 11 + completion,
    }


def _logprobs(pieces: Sequence[str], values: Logprobs) -> dict[str, Any] | None:
    if values is None:
        return None
    return {
        "content": [
            {
                "token": piece,
                "logprob": values[at % len(values)],
                "bytes": list(piece.encode()),
                "top_logprobs": [],
            }
            for at, piece in enumerate(pieces)
        ]
    }


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


_LIMIT = 1024 * 1024
_HANG_S = 3600.0
