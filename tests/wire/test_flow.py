"""An answer that flows: given out in the turn it arrives in, with every end that reading it has."""

import asyncio

import pytest
from test_http_pool import BODIES, calling
from wirekit import LOOPS, run, until

from pointsman.backends.http_wire import WireError
from pointsman.testing import (
    STREAM_HEAD,
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    event_stream,
    raw_answer,
    trickle,
)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", BODIES)
def test_every_body_flows_whole_and_the_connection_is_used_again(name: str, loop: str) -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(raw_answer(BODIES[name]), default=chat_answer())
        async with calling(upstream) as caller:
            response = await caller.ask()
            seen: list[bytes] = []
            assert not await response.flow(
                lambda data: bool(seen.append(data)), timeout_s=1.0, left_s=9.0
            )
            assert b"".join(seen) == b"hello"
            assert not await response.flow(lambda data: True, timeout_s=1.0, left_s=9.0)
            assert await caller.whole() != b""

    run(main(), loop=loop)


def test_it_stops_when_it_is_told_to_and_goes_on_from_there() -> None:
    async def main() -> None:
        events = event_stream([b"%d" % number for number in range(30)])
        async with calling(ScriptedUpstream(trickle(events, size=7, every_s=0.001))) as caller:
            response = await caller.ask()
            seen, stops = b"", 0

            def take(data: bytes) -> bool:
                nonlocal seen
                seen += data
                return len(seen) % 2 == 0

            while await response.flow(take, timeout_s=1.0, left_s=9.0):
                stops += 1
            assert seen == b"".join(b"data: %d\n\n" % number for number in range(30))
            assert stops > 1

    run(main())


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (raw_answer(STREAM_HEAD + b"3\r\nabc\r\n5\r\nde"), "cut"),
        (raw_answer(STREAM_HEAD + b"3\r\nabc\r\nzz\r\n", then="hang"), "malformed"),
        (raw_answer(STREAM_HEAD + b"3\r\nabc\r\n", then="hang"), "between_tokens_timeout"),
    ],
)
def test_what_came_before_a_failure_is_given_out_and_then_it_is_raised(
    script: object, kind: str
) -> None:
    async def main() -> None:
        async with calling(ScriptedUpstream(script)) as caller:
            response = await caller.ask()
            seen: list[bytes] = []
            with pytest.raises(WireError) as caught:
                await response.flow(lambda data: bool(seen.append(data)), timeout_s=0.1, left_s=9.0)
            assert caught.value.kind == kind
            assert seen
            response.abort()
            await until(lambda: caller.pool.open_connections == 0)

    run(main())


def test_all_of_it_has_one_time_limit() -> None:
    async def main() -> None:
        script = trickle(chat_answer("x" * 1000), size=1, every_s=0.01)
        async with calling(ScriptedUpstream(script)) as caller:
            response = await caller.ask(first_s=10)
            with pytest.raises(WireError, match="in time"):
                await response.flow(lambda data: False, timeout_s=5.0, left_s=0.2)

    run(main())


def test_trouble_of_who_takes_it_is_theirs_and_ends_nothing() -> None:
    async def main() -> None:
        async with calling(ScriptedUpstream(chat_stream("a b c", every_s=0.01))) as caller:
            response = await caller.ask()

            def take(data: bytes) -> bool:
                raise RuntimeError("no place for it")

            with pytest.raises(RuntimeError, match="no place"):
                await response.flow(take, timeout_s=1.0, left_s=9.0)
            data = b"".join([chunk async for chunk in response])
            assert data.endswith(b"data: [DONE]\n\n")

    run(main())


def test_cancelling_it_is_seen_by_the_upstream() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(chat_stream("a b c d", every_s=60))
        async with calling(upstream) as caller:
            response = await caller.ask()
            task = asyncio.ensure_future(
                response.flow(lambda data: False, timeout_s=60, left_s=600)
            )
            received = await upstream.request(1)
            await asyncio.sleep(0.02)
            task.cancel()
            await received.cancelled.raised(2.0)
            await asyncio.wait([task])

    run(main())
