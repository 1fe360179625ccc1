"""The door's TLS: versions, client certificates, files that cannot be used, a change of them."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from certificates import Authority, Files
from tests.wire.wirekit import LOOPS, get, run

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.transport import DoorTls
from pointsman.gateway.http_server import Exchange, HttpServer
from pointsman.gateway.http_tls import door_context


async def hello(exchange: Exchange) -> None:
    exchange.respond(200, [], b"hello")


def the_door(files: Files, client_ca: str | None = None) -> ssl.SSLContext:
    said = DoorTls(cert=files.cert, key=files.key, client_ca=client_ca)
    return door_context(said, lambda path: path)


@contextlib.asynccontextmanager
async def serving(
    certificates: Callable[[], ssl.SSLContext],
) -> AsyncIterator[tuple[HttpServer, int]]:
    server = HttpServer(hello)
    ((_, port),) = await server.start("127.0.0.1", 0, certificates=certificates)
    try:
        yield server, port
    finally:
        await server.drain(1)


def client(authority: Authority, files: Files | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca)
    if files is not None:
        context.load_cert_chain(files.cert, files.key)
    return context


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, context: ssl.SSLContext) -> Streams:
    return await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="door.test"
    )


async def asked(streams: Streams, *, last: bool = False) -> bytes:
    reader, writer = streams
    writer.write(get("/", "Connection: close") if last else get())
    answer = await (reader.read() if last else reader.readuntil(b"hello"))
    if last:
        writer.close()
    return answer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("loop", LOOPS)
def test_it_speaks_http_1_1_over_tls_1_2_or_newer(authority: Authority, loop: str) -> None:
    files = authority.issue("door.test")

    async def main() -> None:
        async with serving(lambda: the_door(files)) as (_, port):
            context = client(authority)
            context.set_alpn_protocols(["h2", "http/1.1"])
            streams = await connect(port, context)
            speaking = streams[1].get_extra_info("ssl_object")
            assert speaking.selected_alpn_protocol() == "http/1.1"
            assert speaking.version() in ("TLSv1.2", "TLSv1.3")
            assert await asked(streams, last=True)

    run(main(), loop=loop)


def test_older_versions_are_not_spoken(authority: Authority) -> None:
    assert the_door(authority.issue("door.test")).minimum_version == ssl.TLSVersion.TLSv1_2


def test_with_a_client_ca_only_its_certificates_open_the_door(
    authority: Authority, tmp_path: Path
) -> None:
    files, stranger = authority.issue("door.test"), Authority(tmp_path)

    async def main() -> None:
        async with serving(lambda: the_door(files, authority.ca)) as (_, port):
            known = client(authority, authority.issue("app@example.org"))
            assert b"hello" in await asked(await connect(port, known), last=True)
            for context in (client(authority), client(authority, stranger.issue("a@b.c"))):
                with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                    assert await asked(await connect(port, context))

    run(main())


def test_changed_certificates_are_for_new_connections(authority: Authority) -> None:
    files = [authority.issue("door.test")]

    def serial(streams: Streams) -> str:
        return str(streams[1].get_extra_info("peercert")["serialNumber"])

    async def main() -> None:
        async with serving(lambda: the_door(files[-1])) as (server, port):
            old = await connect(port, client(authority))
            files.append(authority.issue("door.test"))
            await server.reload_certificates()
            new = await connect(port, client(authority))
            assert serial(old) != serial(new)
            for streams in (old, new):
                assert b"hello" in await asked(streams, last=True)

    run(main())


def test_certificates_that_cannot_be_used_change_nothing(authority: Authority) -> None:
    files = [authority.issue("door.test")]

    async def main() -> None:
        async with serving(lambda: the_door(files[-1])) as (server, port):
            files.append(Files(files[0].cert, authority.issue("door.test").key))
            with pytest.raises(ConfigurationError, match=r"server\.tls"):
                await server.reload_certificates()
            assert b"hello" in await asked(await connect(port, client(authority)), last=True)

    run(main())


def refusal(files: Files, client_ca: str | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        the_door(files, client_ca)
    assert caught.value.what
    assert caught.value.why
    assert caught.value.next
    return caught.value


def test_a_key_that_everyone_may_read_is_refused(authority: Authority) -> None:
    files = authority.issue("door.test")
    Path(files.key).chmod(0o644)
    error = refusal(files)
    assert "every user" in error.what
    assert "0644" in error.why
    assert "chmod 600" in error.next


def test_files_that_are_not_what_they_must_be_are_refused_by_name(
    authority: Authority, tmp_path: Path
) -> None:
    good, junk = authority.issue("door.test"), tmp_path / "junk.pem"
    junk.write_text("not PEM")
    junk.chmod(0o600)
    assert "server.tls.key" in refusal(Files(good.cert, str(tmp_path / "no"))).what
    assert str(junk) in refusal(Files(str(junk), good.key)).what
    assert "not this certificate's" in refusal(Files(good.cert, authority.issue("a").key)).why
    assert "server.tls.client_ca" in refusal(good, str(junk)).what


def test_an_encrypted_key_is_refused_without_asking_for_its_passphrase(
    authority: Authority, tmp_path: Path
) -> None:
    good, locked = authority.issue("door.test"), tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", good.key, "-aes128", "-passout", "pass:x"]
    try:
        subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    locked.chmod(0o600)
    assert "encrypted" in refusal(Files(good.cert, str(locked))).why
