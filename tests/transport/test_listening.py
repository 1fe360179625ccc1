"""Where the door listens: IPv6, both families, several hosts, UNIX sockets; what is said of it."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment
from tests.wire.wirekit import get, run

from pointsman.backends.http_pool import HttpPool, Origin
from pointsman.config import parse, show
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import Key, ServerSettings
from pointsman.domain.transport import DoorTls
from pointsman.gateway.auth import check_exposure, exposure_remarks
from pointsman.gateway.http_server import Exchange, HttpServer
from pointsman.gateway.listening import bind, release, shown
from pointsman.testing import ScriptedUpstream, chat_answer


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")


async def hello(exchange: Exchange) -> None:
    exchange.respond(200, [], (exchange.peer or "nobody").encode())


async def asked(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    return await _answer(reader, writer)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(get("/", "Connection: close"))
    answer = await reader.read()
    writer.close()
    return answer


@needs_ipv6
def test_it_listens_on_ipv6_loopback_and_a_pool_reaches_it() -> None:
    async def main() -> None:
        server = HttpServer(hello)
        ((host, port),) = await server.start("::1", 0)
        assert shown(host, port, secure=False) == f"http://[::1]:{port}/v1"
        pool = HttpPool()
        origin = Origin.parse(f"http://[::1]:{port}")
        response = await pool.request(
            origin, "GET", "/", [], b"", connect_timeout_s=5, first_byte_timeout_s=5
        )
        assert await response.read(limit=100, timeout_s=5) == b"::1"
        await pool.close()
        await server.drain(1)

    run(main())


@needs_ipv6
def test_the_unspecified_ipv6_address_takes_both_families() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine's IPv6 sockets take no IPv4")

    async def main() -> None:
        server = HttpServer(hello)
        ((_, port),) = await server.start("::", 0)
        assert (await asked("127.0.0.1", port)).endswith(b"\r\n127.0.0.1")
        assert (await asked("::1", port)).endswith(b"\r\n::1")
        await server.drain(1)

    run(main())


@needs_ipv6
def test_several_hosts_share_one_port() -> None:
    async def main() -> None:
        server = HttpServer(hello)
        addresses = await server.start(sockets=bind(["127.0.0.1", "::1"], 0))
        assert [host for host, _ in addresses] == ["127.0.0.1", "::1"]
        (port,) = {port for _, port in addresses}
        for host in ("127.0.0.1", "::1"):
            assert b"200 OK" in await asked(host, port)
        await server.drain(1)
        for host in ("127.0.0.1", "::1"):
            with pytest.raises(OSError):  # noqa: PT011  # refused, in words that differ by loop
                await asked(host, port)

    run(main())


@needs_ipv6
def test_both_unspecified_addresses_may_be_named() -> None:
    for listener in bind(["0.0.0.0", "::"], 0):
        listener.close()


def test_an_address_that_is_taken_is_named_and_nothing_stays_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use") as caught:
            bind(["127.0.0.2", "127.0.0.1"], port)
        assert caught.value.filename == "127.0.0.1"
        socket.create_server(("127.0.0.2", port)).close()


def test_a_unix_socket_is_for_owner_and_group_and_leaves_with_the_door(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"

    async def main() -> None:
        server = HttpServer(hello)
        ((name, _),) = await server.start(sockets=bind([f"unix:{path}"], 0))
        assert shown(name, 0, secure=False) == f"unix:{path}"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        answer = await _answer(*await asyncio.open_unix_connection(str(path)))
        assert answer.endswith(b"nobody")
        await server.drain(1)
        release([f"unix:{path}"])
        assert not path.exists()

    run(main())


def test_a_unix_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    host = f"unix:{tmp_path / 'door.sock'}"
    (left,) = bind([host], 0)
    left.close()
    (used,) = bind([host], 0)
    with pytest.raises(OSError, match="in use"):
        bind([host], 0)
    used.close()


def test_a_file_at_the_path_of_a_unix_socket_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="in use"):
        bind([f"unix:{tmp_path / 'file'}"], 0)
    assert (tmp_path / "file").read_text() == "kept"


def test_the_host_check_knows_the_addresses_it_listens_on(tmp_path: Path) -> None:
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        config = a_config(
            tmp_path,
            [a_deployment("only", upstream.base_url)],
            gate=None,
            server={"host": ("127.0.0.1", "::1", "127.8.8.8")},
        )
        with RunningGateway(config) as gateway:
            for host, status in (
                ("[::1]:4100", 200), ("[::1]", 200), ("127.8.8.8:4100", 200), ("[::2]", 403),
            ):  # fmt: skip
                assert gateway.chat(headers={"host": host}).status == status


CONFIG = "deployments: {{a: {{model: m, base_url: 'http://h'}}}}\nserver: {{host: {host}}}\n"


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("'::1'", ("::1",)),
        ("'[::1]'", ("::1",)),
        ("['::1', 127.0.0.1]", ("::1", "127.0.0.1")),
        ("unix:/run/p.sock", ("unix:/run/p.sock",)),
        ("localhost", ("localhost",)),
    ],
)
def test_hosts_are_one_or_several(host: str, hosts: tuple[str, ...]) -> None:
    config = parse(CONFIG.format(host=host))
    assert config.server.hosts == hosts
    check_exposure((), config.server)
    assert exposure_remarks((), config.server) == []
    assert parse(show(config, with_defaults=True)) == config


@pytest.mark.parametrize(
    "host", ["[]", "http://h", "'a b'", "'unix:'", "'h/x'", "['h', 'http://h']"]
)
def test_hosts_that_are_none_are_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.host"):
        parse(CONFIG.format(host=host))


def test_one_host_beyond_loopback_needs_keys_and_tls_or_a_remark() -> None:
    server = ServerSettings(host=("127.0.0.1", "10.0.0.5"))
    with pytest.raises(ConfigurationError, match=r"10\.0\.0\.5"):
        check_exposure((), server)
    keys = (Key(name="a", sha256="b"),)
    check_exposure(keys, server)
    assert "without server.tls" in exposure_remarks(keys, server)[0]
    secure = ServerSettings(host="10.0.0.5", tls=DoorTls(cert="c", key="k"))
    assert exposure_remarks(keys, secure) == []
