"""The door's HTTP server: framing, order, pace, limits, disconnects, shutdown."""

import asyncio
import json
import random
import re
import socket
import ssl
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wirekit import (
    LOOPS,
    Served,
    get,
    pieces_of,
    post,
    post_chunked,
    run,
    self_signed,
    serving,
    until,
)

from pointsman.gateway import http_server
from pointsman.gateway.http_connection import Connection
from pointsman.gateway.http_server import Exchange, HttpLimits, HttpServer

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


async def hello(exchange: Exchange) -> None:
    exchange.respond(200, [(b"content-type", b"text/plain")], b"hello")


async def echo(exchange: Exchange) -> None:
    seen = [exchange.method, exchange.path, exchange.query, exchange.body.decode("latin-1")]
    exchange.respond(200, [], json.dumps(seen).encode())


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.split(b"\r\n\r\n", 1)[1]


def answered(data: bytes, handler: Any = echo, **limits: Any) -> bytes:
    """What the server answers to bytes after which the client closes its side."""

    async def main() -> bytes:
        async with serving(handler, **limits) as served:
            return await served.talk(data, half_close=b"HTTP/1.0" not in data)

    return run(main())


# Answers.


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_is_answered_with_its_length_and_the_connection_kept(loop: str) -> None:
    async def main() -> None:
        async with serving(hello) as served:
            client = await served.connect()
            for _ in range(3):
                await client.send(get())
                answer = await client.until(b"hello")
                assert answer.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
                assert b"\r\ncontent-length: 5\r\n\r\nhello" in answer
                assert b"connection:" not in answer
            assert served.server.connections == 1
            client.close()
            await until(lambda: served.server.connections == 0)

    run(main(), loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_is_chunked_and_properly_ended(loop: str) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [(b"content-type", b"text/event-stream")])
        for piece in (b"one", b"", b"three"):
            exchange.write(piece)
            await exchange.drain()
        exchange.finish()

    async def main() -> None:
        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get() + get())
            answer = b""
            while answer.count(b"0\r\n\r\n") < 2:
                answer += await client.receive()
            assert (
                answer.count(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n5\r\nthree\r\n0") == 2
            )
            client.close()

    run(main(), loop=loop)


def test_http_1_0_gets_a_stream_to_the_end_of_the_connection() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"one")
        exchange.write(b"two")
        exchange.finish()

    answer = answered(get(version="1.0"), handler)
    assert b"connection: close" in answer
    assert b"transfer-encoding" not in answer
    assert body_of(answer) == b"onetwo"


def test_http_1_0_keep_alive_is_granted_when_asked_for() -> None:
    assert b"connection: close" in answered(get(version="1.0"))
    both = get("/", "Connection: keep-alive", version="1.0") + get(version="1.0")
    answer = answered(both)
    assert answer.index(b"connection: keep-alive") < answer.index(b"connection: close")


def test_head_has_the_length_and_no_body() -> None:
    answer = answered(get().replace(b"GET", b"HEAD"), hello)
    assert b"content-length: 5" in answer
    assert body_of(answer) == b""


def test_head_of_a_stream_has_no_body() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"unseen")
        exchange.finish()

    answer = answered(get().replace(b"GET", b"HEAD") + get(), handler)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"unseen") == 1


def test_no_content_has_no_length() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.respond(204, [], b"")

    assert b"content-length" not in answered(get(), handler)


def test_a_large_answer_arrives_whole() -> None:
    body = bytes(range(256)) * 4096 * 3

    async def handler(exchange: Exchange) -> None:
        exchange.respond(200, [], body)

    answer = answered(get("/", "Connection: close"), handler)
    assert body_of(answer) == body


def test_framing_headers_of_the_handler_are_dropped() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.respond(200, [(b"Content-Length", b"99"), (b"transfer-encoding", b"x")], b"hi")

    answer = answered(get(), handler)
    assert answer.count(b"ontent-") == 1
    assert b"transfer" not in answer


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb"])
def test_a_header_with_a_line_break_is_an_error_and_not_sent(value: bytes) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.respond(200, [(b"x", value)], b"hi")

    assert status_of(answered(get(), handler)) == 500


def test_a_handler_that_fails_is_an_openai_error_and_the_connection_goes_on() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.path == "/bad":
            raise RuntimeError("secret detail")
        exchange.respond(200, [], b"fine")

    answer = answered(get("/bad") + get("/good"), handler)
    assert status_of(answer) == 500
    error = json.loads(re.search(rb"\{.*?\}\}", answer)[0])["error"]  # type: ignore[index]
    assert set(error) == {"message", "type", "param", "code"}
    assert b"secret" not in answer
    assert answer.endswith(b"fine")


def test_a_handler_that_forgets_to_answer_is_an_error() -> None:
    async def handler(_: Exchange) -> None:
        return

    assert status_of(answered(get(), handler)) == 500


@pytest.mark.parametrize("way", ["raise", "return", "abort"])
def test_a_stream_that_breaks_off_is_seen_as_cut(way: str) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"part")
        if way == "raise":
            raise RuntimeError
        if way == "abort":
            exchange.abort()

    answer = answered(get(), handler)
    assert b"4\r\npart\r\n" in answer
    assert b"0\r\n\r\n" not in answer


def test_a_broken_http_1_0_stream_is_reset_as_its_end_is_no_sign() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.write(b"part")
        await asyncio.sleep(0)
        exchange.abort()

    assert answered(get(version="1.0"), handler).endswith(b"<RESET>")


# Requests.


def test_the_request_is_given_as_it_was_sent() -> None:
    seen: list[Exchange] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange)
        exchange.respond(200, [], b"")

    answered(post("/a%20b?c=d?e", b"body", "X-One: 1", "x-ONE:  2 \t", "Empty:"), handler)
    request = seen[0].request
    assert (request.method, request.path, request.query) == ("POST", "/a%20b", "c=d?e")
    assert request.body == b"body"
    assert request.headers[b"x-one"] == b"1, 2"
    assert request.headers[b"empty"] == b""
    assert request.peer == "127.0.0.1"
    assert request.id == 1


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("http://x.test/a?b=c", "/a", "b=c"),
        ("http://x.test", "/", ""),
        ("http://x.test?b=c", "/", "b=c"),
        ("/a//b?", "/a//b", ""),
    ],
)
def test_targets(target: str, path: str, query: str) -> None:
    answer = answered(get(target))
    assert json.loads(body_of(answer))[1:3] == [path, query]


ONE = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

SMUGGLING = {
    "length and coding": ONE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": ONE + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": ONE + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "two equal lengths": ONE + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "list of lengths": ONE + b"Content-Length: 3, 3\r\n\r\nabc",
    "signed length": ONE + b"Content-Length: +3\r\n\r\nabc",
    "negative length": ONE + b"Content-Length: -3\r\n\r\nabc",
    "hex length": ONE + b"Content-Length: 0x3\r\n\r\nabc",
    "spaced length": ONE + b"Content-Length: 3 3\r\n\r\nabc",
    "empty length": ONE + b"Content-Length:\r\n\r\n",
    "overflowing length": ONE + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "underscore length": ONE + b"Content-Length: 1_0\r\n\r\nabc",
    "unknown coding": ONE + b"Transfer-Encoding: gzip\r\n\r\n",
    "two codings": ONE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": ONE + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": ONE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding look-alike": ONE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding with a parameter": ONE + b"Transfer-Encoding: chunked;a\r\n\r\n0\r\n\r\n",
    "coding after a tab": ONE + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "identity": ONE + b"Transfer-Encoding: identity\r\n\r\n",
    "coding in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded line": ONE + b"A: 1\r\n  2\r\n\r\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\nHost: a\rB: c\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\nX",
    "bare CR at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
    "NUL in a value": ONE + b"A: x\0y\r\n\r\n",
    "NUL in a name": ONE + b"A\0: x\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "control in the target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "high byte in the target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "target without a slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "space before the colon": ONE + b"A : x\r\n\r\n",
    "no colon": ONE + b"Ax\r\n\r\n",
    "empty name": ONE + b": x\r\n\r\n",
    "space before the first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "two hosts": ONE + b"Host: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "version with two digits": b"GET / HTTP/11.1\r\nHost: a\r\n\r\n",
    "chunk size in C style": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "overflowing chunk size": CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF after a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "bare LF after a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "bare LF in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "bare CR in an extension": CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "length in the trailer": CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_what_two_parsers_could_read_in_two_ways_is_refused_and_closed(name: str) -> None:
    asked: list[str] = []

    async def handler(exchange: Exchange) -> None:
        asked.append(exchange.path)
        exchange.respond(200, [], b"")

    async def main() -> bytes:
        async with serving(handler) as served:
            return await served.talk(SMUGGLING[name], get("/second"))

    answer = run(main())
    assert status_of(answer) == 400
    assert b"connection: close" in answer
    assert json.loads(body_of(answer))["error"]["type"] == "invalid_request_error"
    assert asked == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"DESCRIBE / RTSP/1.0\r\n\r\n", 501),
        (get("/", "Expect: something"), 417),
    ],
)
def test_versions_and_methods_not_spoken_here(data: bytes, status: int) -> None:
    assert status_of(answered(data)) == status


def test_a_lenient_space_after_a_length_is_no_second_reading() -> None:
    answer = answered(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 \t\r\n\r\nabc" + get("/2"))
    assert answer.count(b"HTTP/1.1 200") == 2


def test_trailers_are_not_headers() -> None:
    seen: list[dict[bytes, bytes]] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.headers)
        exchange.respond(200, [], exchange.body)

    answer = answered(CHUNKED + b"3;x=y\r\nabc\r\n0\r\nX: y\r\nHost: b\r\n\r\n", handler)
    assert body_of(answer) == b"abc"
    assert seen == [{b"host": b"a", b"transfer-encoding": b"chunked"}]


@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/up", "Connection: Upgrade", "Upgrade: websocket"),
        post("/up", b"abc", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
        post_chunked("/up", b"ab", b"c").replace(
            b"Host: a", b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c"
        ),
    ],
    ids=["no body", "length", "chunked"],
)
def test_an_offered_upgrade_is_ignored_and_the_body_read(request_bytes: bytes) -> None:
    body = "abc" if request_bytes.startswith(b"POST") else ""
    answer = answered(request_bytes + get("/second"))
    assert json.dumps([request_bytes.split()[0].decode(), "/up", "", body]).encode() in answer
    assert b'"/second"' in answer


# Limits.


def test_an_announced_body_over_the_limit_is_refused_before_it_is_read() -> None:
    async def main() -> bytes:
        async with serving(echo, max_body_bytes=1000) as served:
            return await served.talk(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")

    answer = run(main())
    assert status_of(answer) == 413
    assert json.loads(body_of(answer))["error"]["code"] == "request_too_large"


def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    async def main() -> bytes:
        async with serving(echo, max_body_bytes=1000) as served:
            return await served.talk(post("/", b"x" * 2_000_000))

    assert status_of(run(main())) == 413


def test_a_chunked_body_is_refused_once_it_is_over_the_limit() -> None:
    assert (
        status_of(answered(post_chunked("/", b"x" * 600, b"x" * 401), max_body_bytes=1000)) == 413
    )
    assert (
        status_of(answered(post_chunked("/", b"x" * 600, b"x" * 400), max_body_bytes=1000)) == 200
    )


def test_chunk_extensions_and_trailers_are_bounded() -> None:
    extension = CHUNKED + b"1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n"
    trailer = CHUNKED + b"0\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"
    assert status_of(answered(extension)) == 400
    assert status_of(answered(trailer)) == 400


@pytest.mark.parametrize(
    "data",
    [
        get("/" + "x" * 40_000),
        get("/", "X: " + "x" * 40_000),
        get("/", *[f"X-{n}: 1" for n in range(101)]),
        get("/", *["X: " + "x" * 1000] * 40),
        b"GET /" + b"x" * 60_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000,
    ],
    ids=["target", "header", "count", "sum", "endless target", "endless header"],
)
def test_heads_are_bounded(data: bytes) -> None:
    assert status_of(answered(data)) == 431


def test_connections_over_the_limit_are_told_when_to_come_back() -> None:
    async def main() -> None:
        async with serving(hello, max_connections=2) as served:
            kept = [await served.connect() for _ in range(2)]
            for client in kept:
                await client.send(get())
                await client.until(b"hello")
            answer = await served.talk(get())
            assert status_of(answer) == 503
            assert b"retry-after: 1" in answer
            kept.pop().close()
            await until(lambda: served.server.connections == 1)
            assert status_of(await served.talk(get("/", "Connection: close"))) == 200
            kept.pop().close()

    run(main())


def test_a_flood_of_connections_is_dropped_beyond_those_told() -> None:
    async def main() -> None:
        async with serving(hello, max_connections=1) as served:
            first = await served.connect()
            await first.send(get())
            await first.until(b"hello")
            flood = [await served.connect() for _ in range(400)]
            answers = await asyncio.gather(*(client.rest() for client in flood))
            told = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503")]
            assert len(told) >= 256
            assert len(served.server._surplus) <= 256
            await first.send(get())
            await first.until(b"hello")
            for client in [first, *flood]:
                client.close()

    run(main())


def test_expect_continue_is_answered_before_the_body() -> None:
    async def main() -> None:
        async with serving(echo, max_body_bytes=100) as served:
            client = await served.connect()
            await client.send(post("/", b"abc", "Expect: 100-continue")[:-3])
            assert await client.receive() == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"abc")
            assert b'"abc"' in await client.until(b"]")
            client.close()
            too_large = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101"
            assert status_of(await served.talk(too_large + b"\r\n\r\n")) == 413

    run(main())


def test_expect_continue_waits_for_the_answers_before_it() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            if exchange.path == "/first":
                await go.wait()
            await echo(exchange)

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get("/first") + post("/", b"abc", "Expect: 100-continue")[:-3])
            await until(lambda: served.server.in_flight == 1)
            go.set()
            answer = await client.until(b"100 Continue\r\n\r\n")
            assert answer.index(b"/first") < answer.index(b"100 Continue")
            await client.send(b"abc")
            await client.until(b'"abc"]')
            client.close()

    run(main())


# Time.


@pytest.fixture
def fast_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "SWEEP_S", 0.02)


@pytest.mark.usefixtures("fast_sweep")
def test_a_head_that_trickles_is_timed_out() -> None:
    async def main() -> None:
        async with serving(hello, header_timeout_s=0.15) as served:
            client = await served.connect()
            for byte in b"GET / HTTP/1.1\r\n":
                await client.send(bytes([byte]))
            assert status_of(await client.rest()) == 408
            client.close()
            silent = await served.connect()
            assert await silent.rest() == b""
            silent.close()

    run(main())


@pytest.mark.usefixtures("fast_sweep")
def test_a_body_below_the_minimum_rate_is_timed_out_and_a_steady_one_is_not() -> None:
    async def main() -> None:
        limits = {"body_timeout_s": 0.1, "min_body_rate": 1000, "max_body_bytes": 10_000_000}
        async with serving(echo, **limits) as served:
            slow, steady = await served.connect(), await served.connect()
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n"
            await slow.send(head + b"x")
            await steady.send(head)
            for _ in range(6):
                await steady.send(b"y" * 500)
                await asyncio.sleep(0.05)
            assert status_of(await slow.rest()) == 408
            assert status_of(await steady.until(b"]")) == 200
            slow.close()
            steady.close()

    run(main())


@pytest.mark.usefixtures("fast_sweep")
def test_an_idle_connection_is_closed_and_one_at_work_is_not() -> None:
    async def main() -> None:
        async def handler(exchange: Exchange) -> None:
            await asyncio.sleep(0.3)
            exchange.respond(200, [], b"late")

        limits = {"idle_timeout_s": 0.1, "header_timeout_s": 0.1}
        async with serving(handler, **limits) as served:
            client = await served.connect()
            await client.send(get())
            assert (await client.rest()).endswith(b"late")
            client.close()

    run(main())


@pytest.mark.usefixtures("fast_sweep")
def test_a_client_that_takes_nothing_is_cut_off() -> None:
    ended: list[str] = []

    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        try:
            while True:
                exchange.write(b"x" * 65536)
                await exchange.drain()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        async with serving(handler, write_timeout_s=0.2) as served:
            client = await served.connect(receive_buffer=4096)
            await client.send(get())
            await until(lambda: ended == ["cancelled"])
            client.close()

    run(main())


# Pace.


def test_a_slow_reader_holds_the_writer_back_and_memory_stays_bounded() -> None:
    produced = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal produced
        exchange.start(200, [])
        for _ in range(2000):
            exchange.write(b"x" * 16384)
            produced += 16384
            await exchange.drain()
        exchange.finish()

    async def main() -> None:
        async with serving(handler, write_buffer_bytes=65536) as served:
            client = await served.connect(receive_buffer=8192)
            tracemalloc.start()
            await client.send(get())
            before = -1
            while before != produced:  # until it makes no more headway
                before = produced
                await asyncio.sleep(0.05)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert produced < 16_000_000
            assert peak < 2_000_000
            total = len(await client.until(b"\r\n0\r\n\r\n"))
            assert total > 2000 * 16384
            client.close()

    run(main())


def test_a_writer_that_never_waits_is_stopped() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.start(200, [])
        while not exchange.gone:
            exchange.write(b"x" * 65536)
            await asyncio.sleep(0)

    async def main() -> None:
        async with serving(handler, max_unsent_bytes=1_000_000) as served:
            client = await served.connect(receive_buffer=4096)
            await client.send(get())
            await until(lambda: served.server.connections == 0)
            client.close()

    run(main())


@pytest.mark.parametrize("loop", LOOPS)
def test_pipelined_requests_are_answered_in_order_with_bounded_look_ahead(loop: str) -> None:
    async def main() -> None:
        go = asyncio.Event()
        order: list[str] = []

        async def handler(exchange: Exchange) -> None:
            order.append(exchange.path)
            if exchange.path == "/0":
                await go.wait()
            exchange.respond(200, [], exchange.path.encode() + b";")

        async with serving(handler, max_pipelined=4) as served:
            client = await served.connect()
            await client.send(b"".join(get(f"/{n}") for n in range(3000)))
            await until(lambda: served.server.requests > 0)
            await asyncio.sleep(0.05)
            assert order == ["/0"]
            assert served.server.requests < 200  # one slice of bytes beyond the bound
            go.set()
            answer = await client.until(b"/2999;")
            assert re.findall(rb"/(\d+);", answer) == [b"%d" % n for n in range(3000)]
            client.close()

    run(main(), loop=loop)


def test_bodies_read_ahead_are_bounded_together() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await go.wait()
            exchange.respond(200, [], b"%d;" % len(exchange.body))

        async with serving(handler, max_pipelined_bytes=100_000) as served:
            client = await served.connect()
            sending = asyncio.ensure_future(client.send(post("/", b"x" * 90_000) * 8))
            await until(lambda: served.server.requests >= 3)
            await asyncio.sleep(0.05)
            assert served.server.requests == 3  # one at work, two read ahead
            go.set()
            seen = b""
            while seen.count(b"90000;") < 8:
                seen += await client.receive()
            await sending
            client.close()

    run(main())


def test_a_bad_request_behind_good_ones_is_refused_in_its_turn() -> None:
    async def main() -> bytes:
        async with serving(echo) as served:
            return await served.talk(get("/1") + get("/2") + b"BAD\r\n\r\n" + get("/3"))

    assert re.findall(rb"HTTP/1.1 (\d+)", run(main())) == [b"200", b"200", b"400"]


# Any split.

REQUESTS = st.lists(
    st.one_of(
        st.integers(0, 99).map(lambda n: get(f"/g{n}?q={n}", f"X: {n}", "X: again")),
        st.binary(max_size=300).map(lambda body: post("/p", body)),
        st.lists(st.binary(min_size=1, max_size=99), max_size=4).map(
            lambda chunks: post_chunked("/c", *chunks)
        ),
        st.binary(max_size=99).map(
            lambda body: post("/u", body, "Connection: upgrade", "Upgrade: h2c")
        ),
    ),
    min_size=1,
    max_size=5,
)


class Wire(asyncio.Transport):
    """A transport that keeps what is written; the test feeds the protocol by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.out = b""
        self.closing = False
        self.paused = False

    def write(self, data: Any) -> None:
        self.out += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closing = True

    abort = close


def requests_seen(pieces: list[bytes]) -> tuple[list[tuple[Any, ...]], bytes]:
    """What a handler sees of bytes that arrive in these pieces, and what is answered."""
    seen: list[tuple[Any, ...]] = []

    async def handler(exchange: Exchange) -> None:
        one = (exchange.method, exchange.path, exchange.query, exchange.headers, exchange.body)
        seen.append(one)
        exchange.respond(200, [], b"%d" % len(seen))

    async def main() -> bytes:
        server = HttpServer(handler, limits=HttpLimits(max_pipelined=2))
        server.date = b"date: x\r\n"
        wire, connection = Wire(), Connection(server)
        connection.connection_made(wire)
        for piece in pieces:
            if piece and not wire.closing:
                while wire.paused:
                    await asyncio.sleep(0)
                connection.data_received(piece)
        while server.in_flight:
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return wire.out

    return seen, asyncio.run(main())


@QUIET
@given(REQUESTS, st.lists(st.integers(0, 5000), max_size=30))
def test_any_split_of_the_bytes_gives_the_same_requests(
    requests: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(requests)
    whole, answers = requests_seen([data])
    assert len(whole) == len(requests)
    assert requests_seen(pieces_of(data, cuts)) == (whole, answers)


@pytest.mark.parametrize("name", list(SMUGGLING))
def test_byte_by_byte_gives_the_same_refusal(name: str) -> None:
    data = get("/ok") + SMUGGLING[name]
    whole = requests_seen([data])
    assert requests_seen([data[at : at + 1] for at in range(len(data))]) == whole


@QUIET
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_noise_is_survived(noise: bytes, cuts: list[int]) -> None:
    requests_seen(pieces_of(b"GET / HTTP/1.1\r\n" + noise, cuts))


# Disconnects.


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["close", "reset", "close 1.0"])
def test_a_client_that_goes_away_cancels_the_handler(way: str, loop: str) -> None:
    async def main() -> None:
        began, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(_: Exchange) -> None:
            began.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get(version="1.0" if "1.0" in way else "1.1"))
            await began.wait()
            if way == "reset":
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                client.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
            await asyncio.wait_for(cancelled.wait(), 2)
            await until(lambda: served.server.connections == 0)

    run(main(), loop=loop)


@pytest.mark.usefixtures("fast_sweep")
@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_goes_away_amid_a_stream_cancels_the_handler(loop: str) -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            exchange.start(200, [])
            try:
                while True:
                    exchange.write(b"data: x\n\n")
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get())
            await client.until(b"data: x")
            client.close()
            await asyncio.wait_for(cancelled.wait(), 2)

    run(main(), loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_half_closes_and_still_reads_gets_its_answer(loop: str) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await go.wait()
            exchange.respond(200, [], b"answer " + exchange.path.encode())

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get("/1") + get("/2"))
            client.half_close()
            probe = await client.receive()
            assert probe == b"HTTP/1.1 100 Continue\r\n\r\n"  # skipped by any client
            await asyncio.sleep(0.1)  # longer than the probe is waited for
            go.set()
            answer = await client.rest()
            assert b"answer /1" in answer
            assert answer.endswith(b"answer /2")
            client.close()

    run(main(), loop=loop)


def test_after_its_answer_a_handler_runs_on_without_its_client() -> None:
    async def main() -> None:
        go, finished = asyncio.Event(), asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            exchange.respond(200, [], b"hello")
            await go.wait()
            finished.set()

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get())
            await client.until(b"hello")
            client.close()
            await until(lambda: served.server.connections == 0)
            go.set()
            await asyncio.wait_for(finished.wait(), 2)

    run(main())


def test_writing_to_a_client_that_is_gone_does_nothing() -> None:
    async def main() -> None:
        done = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                assert exchange.gone
                exchange.start(200, [])
                exchange.write(b"x")
                await exchange.drain()
                exchange.finish()
                done.set()

        async with serving(handler) as served:
            client = await served.connect()
            await client.send(get())
            await until(lambda: served.server.in_flight == 1)
            client.close()
            await asyncio.wait_for(done.wait(), 2)

    run(main())


def test_two_hundred_disconnects_at_random_moments_leave_nothing() -> None:
    draw = random.Random(7)

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(draw.random() * 0.01)
        exchange.start(200, [])
        for _ in range(5):
            exchange.write(b"x" * draw.randrange(1, 20000))
            await exchange.drain()
            await asyncio.sleep(draw.random() * 0.005)
        exchange.finish()

    async def one(served: Served) -> None:
        client = await served.connect()
        request = post("/", b"y" * draw.randrange(5000))
        await client.send(request[: draw.randrange(1, len(request) + 1)])
        await asyncio.sleep(draw.random() * 0.03)
        client.close()

    async def main() -> None:
        async with serving(handler) as served:
            await asyncio.gather(*(one(served) for _ in range(200)))
            await until(lambda: served.server.connections == 0, within_s=4)
            assert served.server.in_flight == 0

    run(main())


# Shutdown.


def test_drain_lets_the_answer_in_flight_end_and_closes_the_idle() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            await go.wait()
            exchange.respond(200, [], b"last words")

        async with serving(handler) as served:
            idle, busy = await served.connect(), await served.connect()
            await busy.send(get())
            await until(lambda: served.server.in_flight == 1)
            draining = asyncio.ensure_future(served.server.drain(5.0))
            assert await idle.rest() == b""
            with pytest.raises(OSError):  # noqa: PT011
                await served.connect()
            go.set()
            answer = await busy.rest()
            assert b"connection: close" in answer
            assert answer.endswith(b"last words")
            busy.close()
            idle.close()
            await draining

    run(main())


def test_drain_cancels_what_does_not_end() -> None:
    async def main() -> None:
        async def handler(exchange: Exchange) -> None:
            if exchange.path == "/stream":
                exchange.start(200, [])
                exchange.write(b"begun")
            await asyncio.sleep(3600)

        async with serving(handler) as served:
            waiting, streaming = await served.connect(), await served.connect()
            await waiting.send(get())
            await streaming.send(get("/stream"))
            await streaming.until(b"begun")
            await until(lambda: served.server.in_flight == 2)
            await served.server.drain(0.05)
            assert status_of(await waiting.rest()) == 503
            assert b"0\r\n\r\n" not in await streaming.rest()
            waiting.close()
            streaming.close()

    run(main())


# Sockets.


def test_accepted_sockets_send_without_delay() -> None:
    async def main() -> None:
        seen: list[int] = []

        async def handler(exchange: Exchange) -> None:
            raw = exchange._connection.transport.get_extra_info("socket")
            seen.append(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            exchange.respond(200, [], b"")

        async with serving(handler) as served:
            await served.talk(get("/", "Connection: close"))
        assert seen[0]

    run(main())


def test_it_speaks_tls(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted = ssl.create_default_context(cafile=str(self_signed(context, tmp_path)))

    async def main() -> None:
        server = HttpServer(hello)
        ((host, port),) = await server.start("127.0.0.1", 0, certificates=lambda: context)
        reader, writer = await asyncio.open_connection(
            host, port, ssl=trusted, server_hostname="localhost"
        )
        writer.write(get() + get("/", "Connection: close"))
        assert (await reader.read()).count(b"hello") == 2
        writer.close()
        await server.drain(1)

    run(main())


def test_it_listens_on_sockets_it_is_given() -> None:
    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = HttpServer(hello)
        ((host, port),) = await server.start(sockets=[listener])
        answer = await Served(server, host, port).talk(get("/", "Connection: close"))
        assert body_of(answer) == b"hello"
        await server.drain(1)

    run(main())
