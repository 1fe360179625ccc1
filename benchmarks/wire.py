"""What the two ends of the wire cost: CPU of a bare proxy per JSON request and per stream chunk.

Three processes: a client, the proxy (our server and pool, a handler of ten lines between them),
and a minimal upstream. Only the proxy's CPU is counted. Run on a quiet machine:

    python benchmarks/wire.py                 # five rounds, prints median and spread
    python benchmarks/wire.py --profile       # one round of each under cProfile

Ratios to another proxy need both measured side by side, on the same machine, interleaved.
"""

import argparse
import asyncio
import contextlib
import cProfile
import gc
import multiprocessing
import pstats
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from pointsman.backends.http_pool import HttpPool, Origin
from pointsman.gateway.http_server import Exchange, HttpServer

CHUNKS = 64
TOKEN = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",' + (
    b'"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
)
PROMPT = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"x" * 960)
ANSWER = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"%b"}}]}' % (b"y" * 300)
STREAM = b'{"stream":true,"messages":[{"role":"user","content":"%b"}]}' % (b"x" * 960)
JSON_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
TOKEN_CHUNK = b"%x\r\n%b\r\n" % (len(TOKEN), TOKEN)


class Upstream(asyncio.Protocol):
    """Answers whole requests that arrive in one or two reads; no more than this bench needs."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.seen, self.left = transport, b"", 0

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.seen.endswith(b"}]}"):
            return
        streamed, self.seen = b'"stream":true' in self.seen, b""
        if streamed:
            self.transport.write(STREAM_HEAD)
            self.left = CHUNKS
            self.token()
        else:
            self.transport.write(JSON_ANSWER)

    def token(self) -> None:
        self.left -= 1
        self.transport.write(TOKEN_CHUNK)
        if self.left:
            asyncio.get_running_loop().call_later(0.002, self.token)
        else:
            self.transport.write(b"0\r\n\r\n")


async def upstream(pipe: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


async def proxy(pipe: Connection, upstream_port: int) -> None:
    pool, origin = HttpPool(), Origin("http", "127.0.0.1", upstream_port)
    kind = (b"content-type", b"application/json")

    async def handle(exchange: Exchange) -> None:
        response = await pool.request(
            origin,
            "POST",
            exchange.path,
            (kind,),
            exchange.body,
            connect_timeout_s=5.0,
            first_byte_timeout_s=30.0,
        )
        answer_kind = response.headers[b"content-type"]
        if answer_kind != b"text/event-stream":
            body = await response.read(limit=1 << 24, timeout_s=30.0)
            exchange.respond(response.status, ((b"content-type", answer_kind),), body)
            return
        exchange.start(response.status, ((b"content-type", answer_kind),))
        with response:
            while (chunk := await response.next_chunk(30.0)) is not None:
                exchange.write(chunk)
                await exchange.drain()
        exchange.finish()

    server = HttpServer(handle)
    ((_, port),) = await server.start("127.0.0.1", 0)
    gc.collect()
    gc.freeze()
    pipe.send(port)
    loop = asyncio.get_running_loop()
    profile = cProfile.Profile()

    def command() -> None:
        match pipe.recv():
            case "cpu":
                pipe.send(time.process_time())
            case "profile":
                profile.enable()
            case "report":
                profile.disable()
                pstats.Stats(profile).sort_stats("tottime").print_stats(32)
                pipe.send(None)

    loop.add_reader(pipe.fileno(), command)
    await asyncio.Event().wait()


async def load(port: int, body: bytes, end: bytes, connections: int, seconds: float) -> int:
    """Requests answered in the time, each connection sending the next one at once."""
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-1\r\n"
    )
    request += b"user-agent: bench\r\naccept: */*\r\ncontent-type: application/json\r\n"
    request += b"content-length: %d\r\n\r\n" % len(body) + body
    stop = time.monotonic() + seconds

    async def client() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.monotonic() < stop:
            writer.write(request)
            await reader.readuntil(end)
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(client() for _ in range(connections))))


def live(main: Callable[..., Any], *args: Any) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(*args))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    processes = [context.Process(target=live, args=(upstream, theirs), daemon=True)]
    processes[0].start()
    upstream_port = ours.recv()
    pipe, far = context.Pipe()
    processes.append(context.Process(target=live, args=(proxy, far, upstream_port), daemon=True))
    processes[1].start()
    port = pipe.recv()

    def cpu_s() -> float:
        pipe.send("cpu")
        return float(pipe.recv())

    cells = {
        "JSON 1 KiB, us per request": (PROMPT, ANSWER, 1),
        f"stream of {CHUNKS}, us per chunk": (STREAM, b"\r\n0\r\n\r\n", CHUNKS),
    }
    for body, end, _ in cells.values():
        uvloop.run(load(port, body, end, options.connections, 0.5))
    if options.profile:
        pipe.send("profile")
    samples: dict[str, list[float]] = {name: [] for name in cells}
    for _ in range(1 if options.profile else options.rounds):
        for name, (body, end, parts) in cells.items():
            before = cpu_s()
            count = uvloop.run(load(port, body, end, options.connections, options.seconds))
            samples[name].append((cpu_s() - before) / count / parts * 1e6)
    for name, values in samples.items():
        middle, low, high = statistics.median(values), min(values), max(values)
        print(f"{name:32} {middle:6.1f}   ({low:.1f} to {high:.1f})")
    if options.profile:
        pipe.send("report")
        pipe.recv()
    for process in processes:
        process.terminate()


if __name__ == "__main__":
    main()
