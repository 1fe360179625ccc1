"""A place without a worker: who accepts for it, when it is filled again, when all is over."""

import asyncio
import os
import signal
import socket
import threading

import pytest
from tests.support.gateway import a_config, a_deployment
from tests.support.processes import ServeProcess, alive
from tests.workers.workers_kit import chat, gone, kill, until, workers_of, write_config

from pointsman.domain.errors import PointsmanError
from pointsman.gateway.http_server import Exchange, HttpServer
from pointsman.gateway.listening import bind_each
from pointsman.testing import ScriptedUpstream, chat_answer
from pointsman.workers.backoff import Backoff
from pointsman.workers.crew import Crew
from pointsman.workers.messages import News
from pointsman.workers.peer import nothing_asked


@pytest.fixture
def upstream():
    with ScriptedUpstream(default=chat_answer("ok")) as running:
        yield running


async def ok(exchange: Exchange) -> None:
    exchange.respond(200, [], b"ok")


async def answered(listener: socket.socket, within_s: float = 10) -> bool:
    """Whether somebody accepts on it and answers."""
    reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(within_s):
            return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except TimeoutError:
        return False
    finally:
        writer.close()


def test_a_server_accepts_on_what_it_is_lent_until_it_is_lent_no_more():
    async def main() -> list[bool]:
        with (
            socket.create_server(("127.0.0.1", 0)) as own,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            server = HttpServer(ok)
            await server.start(sockets=[own])
            found = [await answered(own), await answered(other, 0.2)]
            await server.lend([other])
            await server.lend([other])
            found += [await answered(own), await answered(other)]
            await server.lend([])
            found += [await answered(own), await answered(other, 0.2)]
            await server.lend([other])
            found.append(await answered(other))
            await server.drain(1)
            await server.lend([other])
            found.append(await answered(other, 0.2))
            return found

    assert asyncio.run(main()) == [True, False, True, True, True, False, True, False]


def test_a_connection_that_nobody_accepted_survives_its_workers_death(tmp_path, upstream):
    """The supervisor holds the sockets: what waits in a dead worker's queue is answered."""
    with ServeProcess(write_config(tmp_path, upstream, workers=2)) as gateway:
        for pid in workers_of(gateway):
            os.kill(pid, signal.SIGSTOP)  # accepts nothing from here on
        answers: list[int] = []
        asking = [
            threading.Thread(target=lambda: answers.append(chat(gateway.port)[0]))
            for _ in range(12)
        ]
        for thread in asking:
            thread.start()
        victims = workers_of(gateway)
        for pid in victims:
            kill(pid)
        gone(victims)
        for thread in asking:
            thread.join(60)
    assert answers == [200] * 12


def in_a_crew(config, driving, **how):
    """Run workers without their supervisor's process, and something beside them."""

    async def main():
        own, common = bind_each(["127.0.0.1"], 0, count=config.server.workers)
        crew = Crew(
            config, listeners=own, common=common, news=News, asked=nothing_asked, **how
        )  # fmt: skip
        try:
            return await driving(crew)
        finally:
            await crew.stop(5, asyncio.Event())
            for each in [*common, *(each for one in own for each in one)]:
                each.close()

    return asyncio.run(main())


def many(tmp_path, **changes):
    return a_config(
        tmp_path / "journal", [a_deployment("a", "http://127.0.0.1:1/v1")],
        server={"workers": 2, **changes},
    )  # fmt: skip


async def settled(holds) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_worker_whose_loop_hangs_is_replaced(tmp_path):
    async def drive(crew: Crew) -> None:
        await crew.start()
        hung = crew.slots[0].member.pid
        os.kill(hung, signal.SIGSTOP)
        await settled(lambda: crew.slots[0].starts == 2 and crew.slots[0].serving)
        assert alive([hung]) == []
        assert crew.slots[1].starts == 1, "only the one that hangs"

    in_a_crew(many(tmp_path), drive, silent_ticks=3)


def test_workers_that_die_again_and_again_are_started_ever_more_slowly(tmp_path):
    async def drive(crew: Crew) -> int:
        await crew.start()
        slot = crew.slots[0]
        for _ in range(3):
            await settled(lambda: slot.serving)
            slot.member.kill()
            await settled(lambda: not slot.serving)
        await asyncio.sleep(0.5)  # far less than the pause after the third
        return slot.starts

    rule = Backoff(first_s=0.01, longest_s=30.0)
    assert in_a_crew(many(tmp_path), drive, backoff=rule) == 4
    rule = Backoff(first_s=15.0, longest_s=30.0)
    assert in_a_crew(many(tmp_path / "slow"), drive_two_deaths, backoff=rule) == 2


async def drive_two_deaths(crew: Crew) -> int:
    await crew.start()
    slot = crew.slots[0]
    for _ in range(2):
        await settled(lambda: slot.serving)
        slot.member.kill()
        await settled(lambda: not slot.serving)
    await asyncio.sleep(0.5)
    return slot.starts


def test_when_none_serves_any_more_and_none_can_start_it_is_over(tmp_path):
    async def drive(crew: Crew) -> PointsmanError:
        await crew.start()
        for path in (tmp_path / "journal").rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
        (tmp_path / "journal").rename(tmp_path / "away")
        (tmp_path / "journal").write_text("no folder")
        for slot in crew.slots:
            slot.member.kill()
        async with asyncio.timeout(60):
            return await crew.failed

    error = in_a_crew(many(tmp_path), drive, backoff=Backoff(first_s=0.01, longest_s=0.05))
    assert error.code == "journal_unavailable"


def test_a_worker_that_was_starting_while_a_change_came_follows_it(tmp_path):
    async def drive(crew: Crew) -> None:
        await crew.start()
        slot = crew.slots[0]
        slot.member.kill()
        await settled(lambda: slot.state == "starting" and slot.starts == 2)
        await crew.change(many(tmp_path, request_timeout_s=77.0))
        await settled(lambda: slot.serving and slot.generation == crew.generation == 1)

    in_a_crew(many(tmp_path), drive)


def test_a_worker_told_to_end_by_hand_finishes_and_is_replaced(tmp_path, upstream):
    with ServeProcess(write_config(tmp_path, upstream, workers=2)) as gateway:
        (first, second) = workers_of(gateway)
        os.kill(first, signal.SIGTERM)
        gone([first])
        assert {chat(gateway.port)[0] for _ in range(12)} == {200}
        until(lambda: len(workers_of(gateway)) == 2, "it is not replaced")
        assert second in workers_of(gateway)
