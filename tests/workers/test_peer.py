"""Messages between processes: in order, answered once, a broken end told, not waited for."""

import asyncio
import socket
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.configurations import texts
from tests.support.gateway import a_config, a_deployment

from pointsman.config import parse
from pointsman.domain.errors import (
    ConfigurationError,
    JournalUnavailable,
    PointsmanError,
    WorkerFailed,
)
from pointsman.workers.backoff import Backoff
from pointsman.workers.messages import (
    Begin,
    Commit,
    Count,
    Counted,
    Done,
    Failed,
    Lend,
    News,
    Prepare,
    Pulse,
)
from pointsman.workers.peer import MAX_FRAME_BYTES, Peer, nothing_asked


class Ends:
    """Two peers over a socket pair, and what each heard."""

    def __init__(self, left: Peer, right: Peer, raw: socket.socket) -> None:
        self.left, self.right, self.raw = left, right, raw
        self.heard: list = []


@asynccontextmanager
async def two(asked=nothing_asked):
    a, b = socket.socketpair()
    heard: list = []
    left = await Peer.on(a, told=heard.append, asked=nothing_asked)
    right = await Peer.on(b, told=heard.append, asked=asked)
    ends = Ends(left, right, b)
    ends.heard = heard
    running = [asyncio.ensure_future(each.run()) for each in (left, right)]
    try:
        yield ends
    finally:
        left.close()
        right.close()
        await asyncio.gather(*running)


def test_what_is_told_arrives_in_order():
    async def tell() -> list:
        async with two() as ends:
            for number in range(200):
                ends.left.tell(Lend(slots=(number,)))
            await ends.left.ask(Count(), timeout_s=10)
            return [each.slots[0] for each in ends.heard]

    assert asyncio.run(tell()) == list(range(200))


def test_each_question_gets_its_own_answer_however_they_overtake():
    async def slowly(message):
        await asyncio.sleep(0.001 * (message.generation % 3))
        return Counted(snapshots=(str(message.generation).encode(),))

    async def ask() -> list:
        async with two(slowly) as ends:
            return await asyncio.gather(
                *(ends.left.ask(Commit(generation=n), timeout_s=10) for n in range(50))
            )

    assert [int(each.snapshots[0]) for each in asyncio.run(ask())] == list(range(50))


def test_an_error_is_raised_again_with_its_class_and_words():
    async def refuse(message):
        raise JournalUnavailable("no room", why="the disk is full", next="make room")

    async def ask() -> None:
        async with two(refuse) as ends:
            await ends.left.ask(Count(), timeout_s=10)

    with pytest.raises(JournalUnavailable) as raised:
        asyncio.run(ask())
    assert (raised.value.what, raised.value.why, raised.value.next) == (
        "no room", "the disk is full", "make room",
    )  # fmt: skip


def test_a_crash_while_answering_is_an_answer():
    async def crash(message):
        raise RuntimeError("boom with a secret")

    async def ask() -> None:
        async with two(crash) as ends:
            await ends.left.ask(Count(), timeout_s=10)

    with pytest.raises(WorkerFailed) as raised:
        asyncio.run(ask())
    assert "secret" not in str(raised.value)


def test_whoever_waits_for_a_process_that_goes_is_told():
    async def never(message):
        await asyncio.sleep(60)
        return Done()

    async def ask() -> None:
        async with two(never) as ends:
            asking = asyncio.ensure_future(ends.left.ask(Count(), timeout_s=60))
            await asyncio.sleep(0.01)
            ends.right.close()
            await asking

    with pytest.raises(WorkerFailed, match="gone"):
        asyncio.run(ask())


def test_a_process_that_does_not_answer_is_not_waited_for():
    async def never(message):
        await asyncio.sleep(60)
        return Done()

    async def ask() -> None:
        async with two(never) as ends:
            await ends.left.ask(Count(), timeout_s=0.05)

    with pytest.raises(WorkerFailed, match=r"no answer to Count within 0\.05 s"):
        asyncio.run(ask())


def test_nothing_is_kept_for_a_process_that_does_not_read():
    async def stuff() -> int:
        a, b = socket.socketpair()
        with b:
            left = await Peer.on(a, told=lambda message: None, asked=nothing_asked)
            big = Pulse(digest="d", ready=True, snapshot=b"x" * 2**20)
            for _ in range(200):
                left.tell(big)
            unsent = left._writer.transport.get_write_buffer_size()
            with pytest.raises(WorkerFailed):
                await left.ask(Count(), timeout_s=0.1)
            left._writer.transport.abort()
            return unsent

    assert asyncio.run(stuff()) < 70 * 2**20


@pytest.mark.parametrize(
    "sent",
    [b"\0\0\0\x01x", (MAX_FRAME_BYTES + 1).to_bytes(4), b"\0\0\0\x05hello", b"\0\0"],
    ids=["no message", "too long", "text", "cut off"],
)
def test_bytes_of_another_program_end_the_connection(sent):
    async def hear() -> None:
        a, b = socket.socketpair()
        with b:
            peer = await Peer.on(a, told=lambda message: None, asked=nothing_asked)
            b.sendall(sent)
            b.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(10):
                await peer.run()

    asyncio.run(hear())


@given(texts())
def test_a_worker_is_handed_the_very_configuration(text):
    config = parse(text)
    begun = Begin(config=config, listeners=((3, 4), (5,)), common=(6,))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(begun), type=Begin)
    assert again == begun
    assert again.config == config


def test_every_error_of_ours_survives_the_way():
    for kind in below(PointsmanError):
        error = Failed.of(kind("what", why="why", next="next")).error()
        assert type(error) is (kind if "code" in vars(kind) else PointsmanError)
    assert type(Failed(code="of a later version", what="x").error()) is WorkerFailed


def test_what_travels_shows_no_secret():
    deployment = a_deployment("a", "http://h/v1", api_key="the-secret")
    said = Prepare(config=a_config("/x", [deployment]), news=News())
    assert "the-secret" not in repr(said)


def below(kind):
    return [kind, *(found for each in kind.__subclasses__() for found in below(each))]


@given(st.lists(st.floats(0, 1000), max_size=200))
def test_restarts_are_bounded_and_a_steady_life_forgives(lives):
    rule, deaths, slept = Backoff(), 0, 0.0
    for lived_s in lives:
        before, deaths = deaths, rule.deaths(deaths, lived_s=lived_s)
        delay_s = rule.delay_s(deaths)
        slept += delay_s
        assert 0 <= delay_s <= rule.longest_s
        if lived_s >= rule.steady_s:
            assert delay_s == 0
        else:
            assert delay_s >= rule.delay_s(max(before, 1))
    short = sum(1 for each in lives if each < rule.steady_s)
    if short == len(lives) > 10:  # nothing but crashes: at most two a minute in the end
        assert slept >= (short - 9) * rule.longest_s


def test_configuration_errors_have_the_exit_code_of_their_class():
    assert Failed.of(ConfigurationError("x")).error().exit_code == 3
