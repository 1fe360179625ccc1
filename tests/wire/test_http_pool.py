"""The upstream pool: reuse, the keep-alive race, bounds, flow control, every way to fail."""

import asyncio
import contextlib
import random
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wirekit import LOOPS, pieces_of, run, self_signed, until

from pointsman.backends import http_wire
from pointsman.backends.http_pool import HttpPool, Lane, Origin, UpstreamResponse, Way, WireError
from pointsman.backends.http_wire import WireConnection
from pointsman.domain.transport import UpstreamTls
from pointsman.testing import (
    STREAM_HEAD,
    Flag,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    closed_at_once,
    cut,
    echo,
    empty_answer,
    event_stream,
    free_port,
    head_only,
    malformed_framing,
    raw_answer,
    silence,
    status_answer,
    trickle,
)

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=80)
OK = b"HTTP/1.1 200 OK\r\n"


class Caller:
    """A pool and one upstream, with short names for the tests."""

    def __init__(self, pool: HttpPool, origin: Origin) -> None:
        self.pool, self.origin = pool, origin

    async def ask(
        self,
        body: bytes = b"{}",
        *,
        method: str = "POST",
        target: str = "/chat/completions",
        headers: Any = ((b"content-type", b"application/json"),),
        connect_s: float = 2.0,
        first_s: float = 2.0,
    ) -> UpstreamResponse:
        return await self.pool.request(
            self.origin,
            method,
            target,
            headers,
            body,
            connect_timeout_s=connect_s,
            first_byte_timeout_s=first_s,
        )

    async def whole(self, *, read_s: float = 2.0, **how: Any) -> bytes:
        response = await self.ask(**how)
        return await response.read(limit=1_000_000, timeout_s=read_s)

    async def fails(self, kind: str, **how: Any) -> WireError:
        with pytest.raises(WireError) as caught:
            await self.whole(**how)
        assert caught.value.kind == kind
        return caught.value


@contextlib.asynccontextmanager
async def calling(upstream: ScriptedUpstream, **bounds: Any) -> AsyncIterator[Caller]:
    pool = HttpPool(**bounds)
    async with upstream:
        try:
            yield Caller(pool, Origin.parse(upstream.base_url))
        finally:
            await pool.close()
            assert (pool.open_connections, pool.idle_connections, pool.waiting) == (0, 0, 0)


# The request.


def test_the_request_arrives_as_given() -> None:
    async def main() -> None:
        async with calling(ScriptedUpstream(echo())) as caller:
            answer = await caller.whole(body=b'{"a":1}', headers=[(b"x-a", b"b")])
            assert b'"target": "/v1/chat/completions"' in answer
            port = caller.origin.port
            assert (
                f'"host": "127.0.0.1:{port}", "x-a": "b", "content-length": "7"'.encode() in answer
            )

    run(main())


def test_a_get_has_no_length_and_a_large_body_arrives_whole() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream()
        async with calling(upstream) as caller:
            await caller.whole(body=b"", method="GET", target="/models")
            assert "content-length" not in upstream.requests[0].headers
            await caller.whole(body=b"x" * 3_000_000)
            assert upstream.requests[1].body == b"x" * 3_000_000

    run(main())


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", []),
        ("/a\r\nx: y", []),
        ("/ä", []),
        ("/a", [(b"x", b"y\r\nz: 1")]),
        ("/a", [(b"x\n", b"y")]),
    ],
)
def test_what_would_break_out_of_its_line_is_not_sent(target: str, headers: Any) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream()
        async with calling(upstream) as caller:
            with pytest.raises(ValueError, match="request"):
                await caller.ask(target=target, headers=headers)
            assert upstream.requests == []

    run(main())


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://h:8001/v1/", Origin("http", "h", 8001, "/v1"), "h:8001"),
        ("https://h/v1", Origin("https", "h", 443, "/v1"), "h"),
        ("http://[::1]:80", Origin("http", "::1", 80, ""), "[::1]"),
        ("http://[::1]:8000/a/b", Origin("http", "::1", 8000, "/a/b"), "[::1]:8000"),
    ],
)
def test_origins(url: str, origin: Origin, authority: str) -> None:
    assert Origin.parse(url) == origin
    assert origin.authority == authority


@pytest.mark.parametrize(
    "url", ["ftp://h", "h:80", "http://", "http://h/?a=b", "http://u:p@h", "http://h/a b", ""]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|base URL"):
        Origin.parse(url)


# The answer.


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stream_is_read_to_its_end_and_the_connection_used_again(loop: str) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_stream("a b c"), default=chat_answer())
        async with calling(upstream) as caller:
            response = await caller.ask()
            assert response.status == 200
            assert response.headers[b"content-type"] == b"text/event-stream"
            data = b"".join([chunk async for chunk in response])
            assert data.endswith(b"data: [DONE]\n\n")
            assert await response.next_chunk(1.0) is None
            await caller.whole()
            assert upstream.connections == 1
            assert caller.pool.idle_connections == 1

    run(main(), loop=loop)


BODIES = {
    "length": OK + b"Content-Length: 5\r\n\r\nhello",
    "chunked": OK
    + b"Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n",
    "to the end": OK + b"\r\nhello",
    "1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "after interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
    + OK
    + b"content-length: 5\r\n\r\nhello",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    "with more behind it": OK + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
    "with noise behind it": OK + b"Content-Length: 5\r\n\r\nhello\x00\x01",
}


@pytest.mark.parametrize("name", BODIES)
def test_every_framing_of_a_body_is_read(name: str) -> None:
    async def main() -> None:
        async with calling(ScriptedUpstream(raw_answer(BODIES[name]))) as caller:
            response = await caller.ask()
            assert await response.read(limit=5, timeout_s=1.0) == b"hello"
            assert b"link" not in response.headers
            assert b"t" not in response.headers

    run(main())


def test_answers_without_a_body() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(
            empty_answer(),
            raw_answer(b"HTTP/1.1 204 No Content\r\n\r\n", then="keep"),
            raw_answer(OK + b"Content-Length: 99\r\n\r\n", then="hang"),
        )
        async with calling(upstream) as caller:
            assert await caller.whole() == b""
            assert await caller.whole() == b""
            assert upstream.connections == 1
            assert await caller.whole(method="HEAD", body=b"") == b""

    run(main())


def test_the_status_and_headers_of_a_refusal_are_given() -> None:
    async def main() -> None:
        script = status_answer(
            429, headers=[("Retry-After", "3"), ("Set-Cookie", "a"), ("set-cookie", "b")]
        )
        async with calling(ScriptedUpstream(script)) as caller:
            response = await caller.ask()
            assert (response.status, response.headers[b"retry-after"]) == (429, b"3")
            assert response.headers[b"set-cookie"] == b"a, b"
            assert b"scripted 429" in await response.read(limit=1000, timeout_s=1.0)

    run(main())


# Ways to fail.


@pytest.mark.parametrize("loop", LOOPS)
def test_a_closed_port_is_refused_at_once(loop: str) -> None:
    async def main() -> None:
        pool = HttpPool()
        caller = Caller(pool, Origin("http", "127.0.0.1", free_port()))
        await caller.fails("refused")
        await Caller(pool, Origin("http", "no-such-host.invalid", 80)).fails("refused")
        await Caller(pool, Origin("http", "a" * 70, 80)).fails("refused")
        assert pool.open_connections == 0
        await pool.close()

    run(main(), loop=loop)


def test_a_listener_that_never_accepts_is_a_connect_timeout() -> None:
    async def main() -> None:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        for _ in range(4):  # the backlog is full after one or two
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        pool = HttpPool()
        await Caller(pool, Origin("http", *address)).fails("connect_timeout", connect_s=0.1)
        assert pool.open_connections == 0
        for each in (listener, *fillers):
            each.close()
        await pool.close()

    run(main())


FAILURES = {
    "never answers": (silence(), "first_token_timeout"),
    "head, then nothing": (head_only("hang"), "first_token_timeout"),
    "closes at once": (closed_at_once(), "cut"),
    "resets at once": (closed_at_once("reset"), "cut"),
    "closes in the head": (raw_answer(OK + b"Content-"), "cut"),
    "closes after the head": (head_only(), "cut"),
    "closes before the length": (raw_answer(OK + b"Content-Length: 5\r\n\r\nhell"), "cut"),
    "closes in a chunk": (cut(chat_stream(), len(STREAM_HEAD) + 20), "cut"),
    "closes before the last chunk": (raw_answer(STREAM_HEAD + b"1\r\na\r\n"), "cut"),
    "resets a body to the end": (raw_answer(OK + b"\r\nhel", then="reset"), "cut"),
    "stops in the middle": (
        raw_answer(STREAM_HEAD + b"1\r\na\r\n", then="hang"),
        "between_tokens_timeout",
    ),
    "chunk size no number": (malformed_framing(), "malformed"),
    "no HTTP": (raw_answer(b"SSH-2.0-OpenSSH\r\n"), "malformed"),
    "version": (raw_answer(b"HTTP/2.0 200 OK\r\n\r\n"), "malformed"),
    "length and coding": (
        raw_answer(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "malformed",
    ),
    "two lengths": (
        raw_answer(OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        "malformed",
    ),
    "unknown coding": (raw_answer(OK + b"Transfer-Encoding: gzip\r\n\r\nabc"), "malformed"),
    "switches protocols": (
        raw_answer(b"HTTP/1.1 101 Switching\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n"),
        "malformed",
    ),
    "interim without end": (raw_answer(b"HTTP/1.1 102 Processing\r\n\r\n" * 99), "malformed"),
    "endless header": (raw_answer(OK + b"X: " + b"x" * 300_000, then="hang"), "malformed"),
    "too many headers": (
        raw_answer(OK + b"X: yyyy\r\n" * 12000 + b"\r\n", then="hang"),
        "malformed",
    ),
    "too many names": (
        raw_answer(OK + b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"\r\n", then="hang"),
        "malformed",
    ),
    "endless trailer": (
        raw_answer(STREAM_HEAD + b"0\r\nX: " + b"x" * 400_000, then="hang"),
        "malformed",
    ),
    "longer than the limit": (
        raw_answer(OK + b"Content-Length: 2000000\r\n\r\n", then="hang"),
        "too_large",
    ),
    "grows beyond the limit": (raw_answer(OK + b"\r\n" + b"x" * 1_000_001), "too_large"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_name_and_the_connection_is_not_used_again(name: str) -> None:
    script, kind = FAILURES[name]

    async def main() -> None:
        upstream = ScriptedUpstream(script)
        async with calling(upstream) as caller:
            error = await caller.fails(kind, first_s=0.2, read_s=0.2)
            assert error.detail
            await until(lambda: caller.pool.open_connections == 0)
            assert await caller.whole() != b""
            assert len(upstream.requests) == 2

    run(main())


def test_between_chunks_the_clock_starts_anew() -> None:
    async def main() -> None:
        script = trickle(event_stream([b"x" * 20]), size=8, every_s=0.02)
        async with calling(ScriptedUpstream(script)) as caller:
            response = await caller.ask()
            seen = b""
            while (chunk := await response.next_chunk(0.2)) is not None:
                seen += chunk
            assert seen == b"data: " + b"x" * 20 + b"\n\n"

    run(main())


def test_a_whole_read_has_one_time_limit() -> None:
    async def main() -> None:
        script = trickle(chat_answer("x" * 1000), size=1, every_s=0.01)
        async with calling(ScriptedUpstream(script)) as caller:
            response = await caller.ask(first_s=10)
            with pytest.raises(WireError) as caught:
                await response.read(limit=10_000, timeout_s=0.1)
            assert caught.value.kind == "between_tokens_timeout"

    run(main())


# Going away.


@pytest.mark.parametrize("loop", LOOPS)
def test_abort_is_seen_by_the_upstream_at_once(loop: str) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_stream("a b c d", every_s=60))
        async with calling(upstream) as caller:
            response = await caller.ask()
            await response.next_chunk(1.0)
            response.abort()
            await (await upstream.request(1)).cancelled.raised(2.0)
            with pytest.raises(WireError, match="cut"):
                await response.next_chunk(1.0)
            response.abort()

    run(main(), loop=loop)


@pytest.mark.parametrize("when", ["head", "body", "block"])
def test_cancelling_the_caller_is_seen_by_the_upstream(when: str) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(silence() if when == "head" else head_only("hang"))
        async with calling(upstream) as caller:

            async def call() -> None:
                with await caller.ask(first_s=60) as response:
                    if when == "body":
                        await response.next_chunk(60)
                    await asyncio.sleep(60)

            task = asyncio.ensure_future(call())
            received = await upstream.request(1)
            await asyncio.sleep(0.02)
            task.cancel()
            await received.cancelled.raised(2.0)
            await asyncio.wait([task])
            await until(lambda: caller.pool.open_connections == 0)

    run(main())


def test_release_after_the_last_event_keeps_the_connection() -> None:
    async def main() -> None:
        tail = raw_answer(
            STREAM_HEAD + b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n", then="keep", every_s=0.03
        )
        upstream = ScriptedUpstream(tail)
        async with calling(upstream) as caller:
            response = await caller.ask()
            assert b"[DONE]" in (await response.next_chunk(1.0) or b"")
            assert not response.ended
            response.release()
            await until(lambda: caller.pool.idle_connections == 1)
            await caller.whole()
            assert upstream.connections == 1

    run(main())


def test_release_of_an_answer_that_goes_on_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "_DROP_S", 0.05)

    async def main() -> None:
        scripts = (head_only("hang"), raw_answer(STREAM_HEAD, b"100000\r\n" + b"x" * 0x100000))
        upstream = ScriptedUpstream(*scripts)
        async with calling(upstream) as caller:
            for _ in scripts:
                response = await caller.ask()
                response.release()
                await until(lambda: caller.pool.open_connections == 0)

    run(main())


# Reuse.


def test_the_most_recently_used_connection_is_taken_first() -> None:
    async def main() -> None:
        gates = [Flag(), Flag(), Flag()]
        upstream = ScriptedUpstream(*(chat_answer(once=gate) for gate in gates))
        async with calling(upstream) as caller:
            tasks = []
            for number in (1, 2, 3):
                tasks.append(asyncio.ensure_future(caller.whole()))
                await upstream.request(number)
            for gate, task in zip(gates, tasks, strict=True):
                gate.set()
                await task
            for _ in range(5):
                await caller.whole()
            assert {request.connection for request in upstream.requests[3:]} == {3}

    run(main())


def test_the_keep_alive_race_is_run_again_once_on_a_fresh_connection() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_answer(), closed_at_once(), chat_answer("again"))
        async with calling(upstream) as caller:
            await caller.whole()
            assert b"again" in await caller.whole()
            assert [request.connection for request in upstream.requests] == [1, 1, 2]

    run(main())


def test_a_second_death_is_an_error() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_answer(), closed_at_once(), closed_at_once())
        async with calling(upstream) as caller:
            await caller.whole()
            await caller.fails("cut")
            assert len(upstream.requests) == 3

    run(main())


@pytest.mark.parametrize("script", [raw_answer(b"H"), raw_answer(b"HTTP/1.1 100 Continue\r\n\r\n")])
def test_one_byte_of_an_answer_forbids_the_second_try(script: Any) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_answer(), script)
        async with calling(upstream) as caller:
            await caller.whole()
            await caller.fails("cut")
            assert len(upstream.requests) == 2

    run(main())


def test_a_death_after_a_while_was_at_work_and_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_wire, "_RACE_S", 0.03)

    async def main() -> None:
        upstream = ScriptedUpstream(chat_answer(), silence())
        async with calling(upstream) as caller:
            await caller.whole()
            task = asyncio.ensure_future(caller.whole())
            await upstream.request(2)
            await asyncio.sleep(0.06)
            await upstream.refuse()
            with pytest.raises(WireError, match="cut"):
                await task

    run(main())


def test_connections_closed_by_the_upstream_while_idle_are_forgotten() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream()
        async with calling(upstream) as caller:
            await caller.whole()
            await upstream.refuse()
            await until(lambda: caller.pool.open_connections == 0)
            await upstream.accept()
            await caller.whole()

    run(main())


def test_bytes_on_an_idle_connection_close_it() -> None:
    async def main() -> None:
        late = raw_answer(OK + b"Content-Length: 2\r\n\r\nok", OK, then="keep", every_s=0.03)
        upstream = ScriptedUpstream(late, default=chat_answer("clean"))
        async with calling(upstream) as caller:
            assert await caller.whole() == b"ok"
            await until(lambda: caller.pool.open_connections == 0)
            assert b"clean" in await caller.whole()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2\r\n\r\nok" + OK,
    ],
)
def test_a_connection_is_not_kept_when_the_answer_forbids_it(answer: bytes) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(raw_answer(answer, then="hang"))
        async with calling(upstream) as caller:
            assert await caller.whole() == b"ok"
            await caller.whole()
            assert upstream.connections == 2

    run(main())


def test_an_answer_before_the_request_was_taken_closes_the_connection() -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.sleep(0.3)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(early, "127.0.0.1", 0, limit=1000)
        pool = HttpPool()
        caller = Caller(pool, Origin("http", *server.sockets[0].getsockname()))
        response = await caller.ask(b"x" * 30_000_000)
        assert response.status == 413
        await until(lambda: pool.open_connections == 0)
        assert pool.idle_connections == 0
        server.close()
        await pool.close()
        await asyncio.sleep(0.35)

    run(main())


def test_idle_connections_are_bounded_in_number_and_time() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream()
        bounds = {"max_idle_per_origin": 3, "idle_timeout_s": 0.2}
        async with calling(upstream, **bounds) as caller:
            await asyncio.gather(*(caller.whole() for _ in range(8)))
            assert caller.pool.idle_connections <= 3
            await until(lambda: caller.pool.open_connections == 0)

    run(main())


# Waiting.


def test_waiting_for_a_connection_is_in_order_and_bounded() -> None:
    async def main() -> None:
        gate = Flag()
        upstream = ScriptedUpstream(chat_answer(once=gate))
        bounds = {"max_connections_per_origin": 1, "max_waiting_per_origin": 5}
        async with calling(upstream, **bounds) as caller:
            first = asyncio.ensure_future(caller.whole())
            await upstream.request(1)
            line = []
            for n in range(5):
                line.append(asyncio.ensure_future(caller.whole(body=b"%d" % n)))
                await asyncio.sleep(0)
            assert caller.pool.waiting == 5
            error = await caller.fails("connect_timeout")
            assert "wait already" in error.detail
            gate.set()
            await asyncio.gather(first, *line)
            assert [request.body for request in upstream.requests[1:]] == [
                b"%d" % n for n in range(5)
            ]
            assert upstream.connections == 1

    run(main())


def test_waiting_for_a_connection_times_out_and_leaves_no_trace() -> None:
    async def main() -> None:
        gate = Flag()
        upstream = ScriptedUpstream(chat_answer(once=gate))
        async with calling(upstream, max_connections_per_origin=1) as caller:
            first = asyncio.ensure_future(caller.whole())
            await upstream.request(1)
            await caller.fails("connect_timeout", connect_s=0.05)
            assert caller.pool.waiting == 0
            gate.set()
            await first
            await caller.whole()

    run(main())


def test_a_place_freed_by_a_failure_goes_to_the_first_in_line() -> None:
    async def main() -> None:
        gate = Flag()
        upstream = ScriptedUpstream(cut(chat_answer(once=gate), 10))
        async with calling(upstream, max_connections_per_origin=1) as caller:
            first = asyncio.ensure_future(caller.fails("cut"))
            await upstream.request(1)
            second = asyncio.ensure_future(caller.whole())
            await asyncio.sleep(0)
            gate.set()
            await first
            assert await second != b""

    run(main())


@pytest.mark.parametrize("loop", LOOPS)
def test_two_hundred_cancellations_at_random_moments_leak_nothing(loop: str) -> None:
    draw = random.Random(11)
    scripts = [
        chat_answer(),
        chat_answer(after_s=0.004),
        chat_stream("a b c d", every_s=0.001),
        trickle(chat_answer(), size=40, every_s=0.001),
        closed_at_once(),
        raw_answer(b"nonsense"),
        cut(chat_stream(), 300),
        status_answer(500),
    ]

    async def main() -> None:
        upstream = ScriptedUpstream(*(draw.choice(scripts) for _ in range(400)))
        async with calling(upstream, max_connections_per_origin=8, max_idle_per_origin=4) as caller:

            async def call() -> None:
                with contextlib.suppress(WireError):
                    await caller.whole(connect_s=0.5, first_s=0.5)

            async def cancelled() -> None:
                task = asyncio.ensure_future(call())
                await asyncio.sleep(draw.random() * 0.03)
                task.cancel()
                await asyncio.wait([task])

            await asyncio.gather(*(cancelled() for _ in range(200)))
            pool = caller.pool
            await until(lambda: pool.open_connections == pool.idle_connections)
            assert pool.waiting == 0
            upstream.scripts.clear()
            await asyncio.gather(*(caller.whole() for _ in range(20)))
            assert pool.open_connections <= 8

    run(main(), loop=loop)


def test_closing_the_pool_ends_what_is_under_way() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(silence(), head_only("hang"))
        async with upstream:
            pool = HttpPool(max_connections_per_origin=2)
            caller = Caller(pool, Origin.parse(upstream.base_url))
            waiting = [asyncio.ensure_future(caller.whole(first_s=60)) for _ in range(3)]
            await upstream.request(2)
            await pool.close()
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(outcome, WireError) for outcome in outcomes)
            assert pool.open_connections == 0

    run(main())


# Pace.


def test_an_upstream_is_not_read_faster_than_it_is_consumed() -> None:
    async def main() -> None:
        sent = 0

        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(STREAM_HEAD)
            with contextlib.suppress(ConnectionError):
                for _ in range(1000):
                    writer.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                    await writer.drain()
                    sent += 0x8000
                writer.write(b"0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(pour, "127.0.0.1", 0)
        pool = HttpPool()
        caller = Caller(pool, Origin("http", *server.sockets[0].getsockname()))
        response = await caller.ask()
        before = -1
        tracemalloc.start()
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sent < 16_000_000  # what the kernel's buffers hold
        assert peak < 3_000_000
        total = 0
        while (chunk := await response.next_chunk(1.0)) is not None:
            assert len(chunk) < 1_000_000
            total += len(chunk)
        assert total == 1000 * 0x8000
        server.close()
        await pool.close()

    run(main())


# TLS.


def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = self_signed(context, tmp_path)

    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(OK + b"Content-Length: 6\r\n\r\nsecret")
                await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        trusting, strict = HttpPool(), HttpPool()
        way = Way(tls=UpstreamTls(ca=str(certificate)))
        good = Caller(trusting, Origin("https", "localhost", port, way=way))
        assert await good.whole(method="GET", body=b"") == b"secret"
        await Caller(strict, Origin("https", "localhost", port)).fails("refused")
        await Caller(trusting, Origin("https", "127.0.0.1", port, way=way)).fails("refused")
        assert strict.open_connections == 0
        await trusting.close()
        await strict.close()
        server.close()

    run(main())


# Any split.


class Quiet(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def outcome(pieces: list[bytes], *, end: bool = True) -> Any:
    """Status, headers and body, or the failure, of an answer that arrives in these pieces."""

    async def main() -> Any:
        lane = Lane(HttpPool(), Origin("http", "h", 80))
        connection = WireConnection(lane, asyncio.get_running_loop())
        connection.connection_made(Quiet())
        asking = asyncio.ensure_future(connection.exchange(b"GET", b"", has_body=True, timeout_s=5))
        await asyncio.sleep(0)
        for piece in pieces:
            connection.data_received(piece)
        if end:
            connection.eof_received()
        connection.connection_lost(None)
        try:
            response = await asking
            return response.status, response.headers, await response.read(limit=10**6, timeout_s=5)
        except WireError as error:
            return error.kind

    return asyncio.run(main())


@QUIET
@given(
    st.one_of(
        st.binary(max_size=300).map(lambda b: OK + b"Content-Length: %d\r\n\r\n" % len(b) + b),
        st.binary(max_size=300).map(lambda b: OK + b"X: y\r\n\r\n" + b),
        st.lists(st.binary(min_size=1, max_size=99), max_size=5).map(
            lambda chunks: (
                STREAM_HEAD
                + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
                + b"0\r\n\r\n"
            )
        ),
        st.sampled_from(list(BODIES.values())),
        st.binary(max_size=200).map(lambda noise: OK + noise),
    ),
    st.lists(st.integers(0, 1000), max_size=20),
)
def test_any_split_of_the_bytes_gives_the_same_answer(data: bytes, cuts: list[int]) -> None:
    assert outcome(pieces_of(data, cuts)) == outcome([data])


@QUIET
@given(st.sampled_from([BODIES["length"], BODIES["chunked"]]), st.integers(0, 200))
def test_an_answer_cut_anywhere_is_never_taken_for_whole(data: bytes, at: int) -> None:
    data = data[: at % len(data)]
    assert outcome([data]) == "cut"
