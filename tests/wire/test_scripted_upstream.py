"""The scripted upstream and the settable clock: what other tests lean on."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from wirekit import run

from pointsman.testing import (
    Flag,
    ScriptedUpstream,
    SimClock,
    chat_answer,
    chat_stream,
    closed_at_once,
    cut,
    free_port,
    malformed_event,
    silence,
    status_answer,
    tokens,
    trickle,
)


async def ask(upstream: ScriptedUpstream, body: Any = None) -> bytes:
    """Everything that the upstream says to one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    data = json.dumps(body or {}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close"
    head += f"\r\ncontent-length: {len(data)}"
    writer.write(head.encode() + b"\r\n\r\n" + data)
    try:
        return await reader.read()
    finally:
        writer.close()


def events(answer: bytes) -> list[Any]:
    lines = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: ")]
    return [line if line == b"[DONE]" else json.loads(line) for line in lines]


def test_a_chat_answer_is_a_completion_with_deterministic_ids() -> None:
    async def main() -> None:
        script = chat_answer("two words", logprobs=[-0.1, -0.2], reasoning_content="hm")
        async with ScriptedUpstream(script) as upstream:
            answer = json.loads((await ask(upstream)).split(b"\r\n\r\n", 1)[1])
            assert answer["id"] == "chatcmpl-1"
            choice = answer["choices"][0]
            assert choice["message"]["content"] == "two words"
            assert choice["message"]["reasoning_content"] == "hm"
            assert [entry["logprob"] for entry in choice["logprobs"]["content"]] == [-0.1, -0.2]
            assert answer["usage"]["total_tokens"] == 13
            assert upstream.requests[0].json == {}

    run(main())


@pytest.mark.parametrize(
    ("usage", "body", "expected"),
    [
        ("asked", {}, False),
        ("asked", {"stream_options": {"include_usage": True}}, True),
        ("always", {}, True),
        ("never", {"stream_options": {"include_usage": True}}, False),
    ],
)
def test_a_chat_stream_speaks_openai(usage: Any, body: Any, expected: bool) -> None:
    async def main() -> None:
        async with ScriptedUpstream(chat_stream("a b", usage=usage, logprobs=[-1.0])) as upstream:
            *frames, done = events(await ask(upstream, body))
            assert done == b"[DONE]"
            assert frames[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
            text = [f["choices"][0]["delta"].get("content", "") for f in frames if f["choices"]]
            assert "".join(text) == "a b"
            assert frames[1]["choices"][0]["logprobs"]["content"][0]["logprob"] == -1.0
            assert {frame["id"] for frame in frames} == {"chatcmpl-1"}
            assert any(frame.get("usage") for frame in frames) is expected

    run(main())


def test_scripts_are_played_in_order_and_then_the_default() -> None:
    async def main() -> None:
        upstream = ScriptedUpstream(status_answer(500), default=status_answer(204))
        async with upstream.then(status_answer(429, "busy", [("Retry-After", "1")])):
            answers = [await ask(upstream) for _ in range(4)]
            assert [int(answer.split()[1]) for answer in answers] == [500, 429, 204, 204]
            assert b"Retry-After: 1" in answers[1]
            assert b"scripted 500" in answers[0]

    run(main())


def test_cut_and_trickle_keep_to_the_bytes_of_the_script() -> None:
    async def main() -> None:
        slowly = trickle(chat_answer("x"), size=50)
        async with ScriptedUpstream(
            chat_answer("x"), cut(chat_answer("x"), 40), slowly
        ) as upstream:
            whole, part, slow = [await ask(upstream) for _ in range(3)]
            assert part == whole[:40]
            assert len(slow) == len(whole)

    run(main())


def test_broken_answers() -> None:
    async def main() -> None:
        async with ScriptedUpstream(closed_at_once(), malformed_event()) as upstream:
            assert await ask(upstream) == b""
            assert b'data: {"choices": [\n\n' in await ask(upstream)

    run(main())


def test_a_flag_holds_an_answer_and_a_client_that_leaves_is_noticed() -> None:
    async def main() -> None:
        gate = Flag()
        async with ScriptedUpstream(chat_answer(once=gate), silence()) as upstream:
            first = asyncio.ensure_future(ask(upstream))
            received = await upstream.request(1)
            assert not received.answered.is_set()
            gate.set()
            assert b"200" in await first
            await received.answered.raised()
            assert not received.cancelled.is_set()
            second = asyncio.ensure_future(ask(upstream))
            received = await upstream.request(2)
            second.cancel()
            await received.cancelled.raised()
            with pytest.raises(TimeoutError):
                await upstream.request(3, timeout_s=0.01)

    run(main())


def test_refuse_closes_the_port_and_accept_opens_it_again() -> None:
    async def main() -> None:
        async with ScriptedUpstream() as upstream:
            port = upstream.port
            await upstream.refuse()
            with pytest.raises(ConnectionRefusedError):
                await ask(upstream)
            await upstream.accept()
            assert upstream.port == port
            assert b"200" in await ask(upstream)

    run(main())


def test_it_serves_blocking_clients_from_a_thread() -> None:
    with ScriptedUpstream(status_answer(503)) as upstream:
        url = upstream.base_url + "/chat/completions"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, data=b"{}")
        assert caught.value.code == 503
        caught.value.close()
        with urllib.request.urlopen(url, data=b"{}") as answer:
            assert json.load(answer)["model"] == "scripted"
        assert upstream.wait_request(2).target == "/v1/chat/completions"
        with pytest.raises(TimeoutError):
            upstream.wait_request(3, timeout_s=0.01)


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_tokens_join_to_the_text() -> None:
    for text in ("", "one", " one  two\nthree ", "   "):
        assert "".join(tokens(text)) == text


def test_the_clock_moves_when_told_and_wakes_sleepers_in_order() -> None:
    async def main() -> None:
        clock, woken = SimClock(1000.0), []

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (3, 1, 2)]
        await asyncio.sleep(0)
        clock.advance(2.5)
        await asyncio.sleep(0)
        assert woken == [1, 2]
        clock.advance(1)
        await asyncio.gather(*tasks)
        assert (clock(), clock.now_us()) == (1003.5, 1003_500_000)
        with pytest.raises(ValueError, match="forward"):
            clock.advance(-1)
        clock.set(5)
        assert clock() == 5

    run(main())
