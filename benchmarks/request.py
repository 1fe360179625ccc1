"""What a whole request costs without sockets: door, answering, backend, journal, metrics.

    python benchmarks/request.py [--requests 5000] [--rounds 5] [--kib 1] [--streams] [--profile]
                                 [--rules none|small|default]
    valgrind --tool=callgrind --instr-atstart=no python benchmarks/request.py --counted

The real application between two transports that are only memory: what the kernel costs for
sockets is left out, everything of ours is in. CPU microseconds a request (with --streams: a
chunk), and the objects a request leaves to the garbage collector, which should be none. Under
callgrind: instructions of all requests together, as it says at its end.
"""

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from gateway_candidate import BINDING, POLICY, RULES

from pointsman.app import Application
from pointsman.backends.http_origin import Origin
from pointsman.backends.http_wire import WireConnection
from pointsman.config import load
from pointsman.domain.task import Configuration
from pointsman.gateway.collecting import settle
from pointsman.gateway.door import Door
from pointsman.gateway.http_connection import Connection
from pointsman.gateway.http_server import HttpServer

CONFIG = """
deployments:
  mock:
    model: Qwen/Qwen3-8B
    served_name: Qwen/Qwen3-8B
    engine: vllm
    base_url: http://127.0.0.1:9/v1
    price: {{input_usd_per_mtok: 0.02, output_usd_per_mtok: 0.06}}
    limits: {{concurrency: 1024}}
tenants:
  default: {{limits: {{usd_per_month: 1000000}}}}
tasks:
  work: {{route: main}}
routes:
  main: {{steps: [mock]}}
aliases: {{"Qwen/Qwen3-8B": "task:work"}}
journal: {{path: {journal}}}
"""
CHUNKS = 64
_AT_ONCE = 32
_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_USAGE = {"prompt_tokens": 200, "completion_tokens": 64, "total_tokens": 264}


def _answer() -> bytes:
    message = {"role": "assistant", "content": "word " * 60}
    body = msgspec.json.encode(
        {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
         "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _USAGE}
    )  # fmt: skip
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _chunk(**choice: Any) -> bytes:
    body = msgspec.json.encode({**_HEAD, "choices": [{"index": 0, **choice}]})
    return _framed(b"data: " + body + b"\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM = [
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + _chunk(delta={"role": "assistant", "content": ""}),
    *[_chunk(delta={"content": " word"}) for _ in range(CHUNKS)],
    _chunk(delta={}, finish_reason="stop"),
    _framed(b"data: " + msgspec.json.encode({**_HEAD, "choices": [], "usage": _USAGE}) + b"\n\n"),
    _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n",
]
ANSWER = _answer()


class Memory:
    """The half of a transport that both ends of the wire ask for."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 5) if name == "peername" else default

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


class Engine(Memory):
    """The upstream: answers each request in a later turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, parts: list[bytes]) -> None:
        self.loop, self.parts, self.left = loop, parts, 0
        self.protocol: WireConnection

    def write(self, data: bytes) -> None:
        self.left = 0
        self.loop.call_soon(self.next)

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"")

    def next(self) -> None:
        part = self.parts[self.left]
        self.left += 1
        self.protocol.data_received(part)
        if self.left < len(self.parts):
            self.loop.call_soon(self.next)


class Client(Memory):
    """A client that sends its next request once it has read the answer to the last."""

    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes, end: bytes | None) -> None:
        self.loop, self.request, self.end = loop, request, end
        self.left, self.done = 0, loop.create_future()
        self.protocol: Connection

    def go(self, count: int) -> None:
        self.left, self.done = count, self.loop.create_future()
        self.loop.call_soon(self.protocol.data_received, self.request)

    def write(self, data: bytes) -> None:
        assert not data.startswith(b"HTTP/1.1 ") or data.startswith(b"HTTP/1.1 200 "), data
        if self.end is None or data.endswith(self.end):
            self.left -= 1
            if self.left:
                self.loop.call_soon(self.protocol.data_received, self.request)
            else:
                self.done.set_result(None)

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))


def _request(kib: int, stream: bool) -> bytes:
    text = ("The quick brown fox jumps over the lazy dog. " * (kib * 23))[: kib * 1024 - 200]
    asked: dict[str, Any] = {
        "model": "Qwen/Qwen3-8B",
        "messages": [{"role": "system", "content": "Help."}, {"role": "user", "content": text}],
        "max_tokens": 64, "temperature": 0.7,
    }  # fmt: skip
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    body = msgspec.json.encode(asked)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\n"
    head += b"accept: */*\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _config(folder: Path, rules: str | None) -> Configuration:
    path, text = folder / "pointsman.yaml", CONFIG.format(journal=folder / "journal")
    if rules is not None:
        (folder / "policy.yaml").write_text(POLICY.format(rules=rules))
        text += BINDING
    path.write_text(text)
    return load(path, env={})


def _callgrind(switch: str) -> None:
    subprocess.run(["callgrind_control", "-i", switch, str(os.getpid())], check=True)


async def measure(options: argparse.Namespace, folder: str) -> None:
    """Print one line, or a profile."""
    loop = asyncio.get_running_loop()
    app = Application(_config(Path(folder), RULES[options.rules]))
    await app.start()
    door = Door(app)
    server = HttpServer(door, lines=door.lines, told=app.metrics.told, spools=door.spools)
    parts = STREAM if options.streams else [ANSWER]

    lane = app._pool._lane(Origin.parse("http://127.0.0.1:9/v1"))
    for _ in range(_AT_ONCE):
        engine = Engine(loop, parts)
        engine.protocol = WireConnection(lane, loop)
        engine.protocol.connection_made(engine)  # type: ignore[arg-type]
        lane.idle.append(engine.protocol)
        engine.protocol.idle_since = loop.time() + 3600

    request = _request(options.kib, options.streams)
    clients = [
        Client(loop, request, b"0\r\n\r\n" if options.streams else None) for _ in range(_AT_ONCE)
    ]
    for client in clients:
        client.protocol = Connection(server)
        client.protocol.connection_made(client)  # type: ignore[arg-type]

    async def load(requests: int) -> float:
        started = time.thread_time()
        for client in clients:
            client.go(requests // len(clients))
        await asyncio.gather(*(client.done for client in clients))
        return (time.thread_time() - started) / (requests // len(clients) * len(clients)) * 1e6

    await load(64 if options.counted else 1000)
    settle()
    if options.counted:
        _callgrind("on")
        await load(options.requests)
        _callgrind("off")
    elif options.profile:
        profile = cProfile.Profile()
        profile.enable()
        await load(options.requests)
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)
    else:
        per = CHUNKS if options.streams else 1
        rounds = [await load(options.requests) / per for _ in range(options.rounds)]
        gc.collect()
        gc.disable()
        await load(320)
        print(
            f"{options.kib} KiB, {'chunk' if options.streams else 'JSON'}: "
            f"{statistics.median(rounds):6.1f} µs [{min(rounds):.1f}, {max(rounds):.1f}], "
            f"{gc.collect() / 320:.1f} objects for the collector a request"
        )
    os._exit(0)  # the transports are no sockets: there is nothing to drain


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kib", type=int, default=1)
    parser.add_argument("--streams", action="store_true")
    parser.add_argument("--rules", choices=sorted(RULES), default="none")
    parser.add_argument("--counted", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(options, folder))


if __name__ == "__main__":
    main()
