"""Names: asked anew for each connection, every address tried, what moved away is let go."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
from tests.wire.wirekit import LOOPS, run, until

from pointsman.backends.http_dial import Address
from pointsman.backends.http_pool import HttpPool, Origin, WireError
from pointsman.testing import ScriptedUpstream

DEAD = "127.0.0.9"  # nobody listens there


class Names:
    """A resolver that says what it is told to, and counts."""

    def __init__(self, *hosts: str) -> None:
        self.hosts: Sequence[str] | None = hosts
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        if self.hosts is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [Address(socket.AF_INET, (each, port)) for each in self.hosts]


@contextlib.asynccontextmanager
async def pooling(names: Names, **bounds: float) -> AsyncIterator[HttpPool]:
    pool = HttpPool(resolve=names, **bounds)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.close()


async def ask(pool: HttpPool, port: int, connect_s: float = 5) -> int:
    origin = Origin("http", "engine.test", port)
    response = await pool.request(
        origin, "POST", "/v1/x", [], b"{}", connect_timeout_s=connect_s, first_byte_timeout_s=5
    )
    await response.read(limit=10_000, timeout_s=5)
    return response.status


@pytest.mark.parametrize("loop", LOOPS)
def test_an_address_that_refuses_gives_way_to_the_next(loop: str) -> None:
    async def main() -> None:
        async with ScriptedUpstream() as upstream, pooling(Names(DEAD, "127.0.0.1")) as pool:
            assert await ask(pool, upstream.port) == 200

    run(main(), loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_address_that_is_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    from pointsman.backends import http_dial

    tried: list[str] = []
    connecting = http_dial._connect

    async def first_is_silent(address: Address) -> socket.socket:
        tried.append(address.host)
        if len(tried) == 1:
            await asyncio.Event().wait()
        return await connecting(address)

    monkeypatch.setattr(http_dial, "_connect", first_is_silent)

    async def main() -> None:
        names = Names(DEAD, "127.0.0.1")
        async with ScriptedUpstream() as upstream, pooling(names, next_address_s=0.01) as pool:
            assert await ask(pool, upstream.port) == 200
            assert tried == [DEAD, "127.0.0.1"]

    run(main(), loop=loop)


def test_when_every_address_refuses_each_reason_is_told() -> None:
    async def main() -> None:
        async with pooling(Names(DEAD, "127.0.0.8")) as pool:
            with pytest.raises(WireError) as caught:
                await ask(pool, 1)
            assert caught.value.kind == "refused"
            assert DEAD in caught.value.detail
            assert "127.0.0.8" in caught.value.detail
            assert pool.open_connections == 0

    run(main())


def test_no_more_than_eight_addresses_are_tried_and_families_take_turns() -> None:
    from pointsman.backends.http_dial import _in_turns

    six = [Address(socket.AF_INET6, (f"::{n}", 1, 0, 0)) for n in range(2)]
    four = [Address(socket.AF_INET, (f"127.0.0.{n}", 1)) for n in range(3)]
    order = [each.host for each in _in_turns([*six, *four])]
    assert order == ["::0", "127.0.0.0", "::1", "127.0.0.1", "127.0.0.2"]

    async def main() -> None:
        names = Names(*(f"127.0.1.{n}" for n in range(20)))
        async with pooling(names) as pool:
            with pytest.raises(WireError) as caught:
                await ask(pool, 1)
            assert caught.value.detail.count("127.0.1.") == 8

    run(main())


def test_a_name_that_is_not_known_is_a_refusal() -> None:
    async def main() -> None:
        names = Names()
        async with pooling(names) as pool:
            with pytest.raises(WireError, match="no address"):
                await ask(pool, 1)
            names.hosts = None
            with pytest.raises(WireError, match="not known"):
                await ask(pool, 1)

    run(main())


def test_every_new_connection_asks_anew_and_a_kept_one_does_not() -> None:
    async def main() -> None:
        names = Names("127.0.0.1")
        async with ScriptedUpstream() as upstream, pooling(names) as pool:
            await ask(pool, upstream.port)
            await ask(pool, upstream.port)
            assert names.asked == 1
            await asyncio.gather(*(ask(pool, upstream.port) for _ in range(3)))
            assert names.asked == 3

    run(main())


def test_kept_connections_to_an_address_that_went_away_are_let_go() -> None:
    async def main() -> None:
        names = Names("127.0.0.1")
        async with ScriptedUpstream() as upstream, pooling(names, dns_refresh_s=0.0) as pool:
            await asyncio.gather(*(ask(pool, upstream.port) for _ in range(3)))
            assert pool.idle_connections == 3
            names.hosts = (DEAD,)
            with pytest.raises(WireError):
                await asyncio.gather(*(ask(pool, upstream.port) for _ in range(4)))
            await until(lambda: pool.open_connections == 0)

    run(main())


def test_within_the_refresh_time_nothing_is_let_go() -> None:
    async def main() -> None:
        names = Names("127.0.0.1")
        async with ScriptedUpstream() as upstream, pooling(names, dns_refresh_s=60.0) as pool:
            await ask(pool, upstream.port)
            names.hosts = (DEAD, "127.0.0.1")
            await asyncio.gather(*(ask(pool, upstream.port) for _ in range(2)))
            names.hosts = (DEAD,)
            assert await ask(pool, upstream.port) == 200

    run(main())


def test_a_pool_that_opens_no_connections_hears_of_the_change_too() -> None:
    async def main() -> None:
        names = Names("127.0.0.1")
        bounds = {"dns_refresh_s": 0.0, "idle_timeout_s": 0.2}
        async with ScriptedUpstream() as upstream, pooling(names, **bounds) as pool:
            await ask(pool, upstream.port)
            names.hosts = (DEAD,)
            await until(lambda: pool.open_connections == 0)
            assert names.asked >= 2

    run(main())


def test_a_name_server_that_is_away_lets_nothing_go() -> None:
    async def main() -> None:
        names = Names("127.0.0.1")
        bounds = {"dns_refresh_s": 0.0, "idle_timeout_s": 0.4}
        async with ScriptedUpstream() as upstream, pooling(names, **bounds) as pool:
            await ask(pool, upstream.port)
            names.hosts = None
            await until(lambda: names.asked >= 2)
            assert pool.idle_connections == 1

    run(main())
