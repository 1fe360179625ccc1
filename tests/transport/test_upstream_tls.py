"""TLS towards upstreams: who is trusted, who is not and why, and that nothing is sent in clear."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from certificates import Authority, Files, server_context
from tests.wire.wirekit import LOOPS, run

from pointsman.backends.http_pool import HttpPool, Origin, Way, WireError
from pointsman.backends.http_tls import TlsContexts
from pointsman.config import parse
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.transport import UpstreamTls


class Upstream:
    """Answers every request over TLS, and keeps what it was sent and asked for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.names: list[str | None] = []
        self.requests: list[bytes] = []
        context.sni_callback = lambda _, name, __: self.names.append(name)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
            await reader.read()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0, ssl=self.context)
        yield server.sockets[0].getsockname()[1]
        server.close()


async def ask(port: int, tls: UpstreamTls | None, *, host: str = "127.0.0.1") -> bytes:
    pool = HttpPool()
    try:
        response = await pool.request(
            Origin("https", host, port, way=Way(tls=tls) if tls else None),
            "GET", "/", [], b"", connect_timeout_s=5, first_byte_timeout_s=5,
        )  # fmt: skip
        return await response.read(limit=100, timeout_s=5)
    finally:
        await pool.close()


def asking(upstream: Upstream, tls: UpstreamTls | None, loop: str = "uvloop") -> bytes:
    async def main() -> bytes:
        async with upstream.running() as port:
            return await ask(port, tls)

    answer = run(main(), loop=loop)
    assert isinstance(answer, bytes)
    return answer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_trusted_certificate_of_that_name_is_accepted(authority: Authority, loop: str) -> None:
    upstream = Upstream(server_context(authority.issue("127.0.0.1")))
    assert asking(upstream, UpstreamTls(ca=authority.ca), loop) == b"secret"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("wrong host", "not valid for"),
        ("expired", "expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get local issuer"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_refused_with_the_reason(
    authority: Authority, tmp_path: Path, what: str, why: str, loop: str
) -> None:
    files = {
        "wrong host": lambda: authority.issue("other.test"),
        "expired": lambda: authority.issue("127.0.0.1", expired=True),
        "self-signed": lambda: self_signed(tmp_path),
        "unknown": lambda: Authority(tmp_path).issue("127.0.0.1"),
    }[what]()
    upstream = Upstream(server_context(files))
    with pytest.raises(WireError) as caught:
        asking(upstream, UpstreamTls(ca=authority.ca), loop)
    assert caught.value.kind == "refused"
    assert "certificate is not accepted" in caught.value.detail
    assert why in caught.value.detail
    assert upstream.requests == []


def test_the_systems_trust_does_not_know_a_private_authority(authority: Authority) -> None:
    upstream = Upstream(server_context(authority.issue("127.0.0.1")))
    with pytest.raises(WireError, match="certificate is not accepted"):
        asking(upstream, None)


def test_a_server_name_is_asked_for_and_expected(authority: Authority) -> None:
    upstream = Upstream(server_context(authority.issue("engine.internal")))
    named = UpstreamTls(ca=authority.ca, server_name="engine.internal")
    assert asking(upstream, named) == b"secret"
    assert upstream.names == ["engine.internal"]


def test_without_verifying_anyone_is_believed(tmp_path: Path) -> None:
    upstream = Upstream(server_context(self_signed(tmp_path)))
    assert asking(upstream, UpstreamTls(verify=False)) == b"secret"


@pytest.mark.parametrize("loop", LOOPS)
def test_an_upstream_that_wants_our_certificate_is_shown_it_or_refuses(
    authority: Authority, loop: str
) -> None:
    files = authority.issue("127.0.0.1")
    ours = authority.issue("gateway@example.org")
    known = UpstreamTls(ca=authority.ca, cert=ours.cert, key=ours.key)
    context = server_context(files, client_ca=authority.ca)
    assert asking(Upstream(context), known, loop) == b"secret"
    with refusing_handshakes(context) as port, pytest.raises(WireError) as caught:
        run(ask(port, UpstreamTls(ca=authority.ca)), loop=loop)
    assert caught.value.kind == "refused"
    assert "does not accept our certificate" in caught.value.detail


@pytest.mark.parametrize("loop", LOOPS)
def test_an_upstream_without_tls_is_refused_and_told_nothing(loop: str) -> None:
    async def main() -> None:
        heard = []

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(1000))
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        with pytest.raises(WireError) as caught:
            await ask(server.sockets[0].getsockname()[1], UpstreamTls(verify=False))
        assert caught.value.kind == "refused"
        assert "no TLS" in caught.value.detail
        assert len(heard) == 1
        assert b"HTTP/1.1" not in heard[0]
        server.close()

    run(main(), loop=loop)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"deployments\.a\.tls\.ca"):
        TlsContexts().of(UpstreamTls(ca=str(tmp_path / "no")), place="deployments.a.tls")


@pytest.mark.parametrize(
    ("url", "tls", "problem"),
    [
        ("https://api.example.org", "{verify: false}", "loopback and private"),
        ("https://8.8.8.8", "{verify: false}", "loopback and private"),
        ("http://10.0.0.1", "{ca: ca.pem}", "begins with https"),
        ("https://10.0.0.1", "{key: key.pem}", "without its certificate"),
        ("https://10.0.0.1", "{ca: ca.pem, verify: false}", "trusts no one"),
    ],
)
def test_settings_that_contradict_are_refused(url: str, tls: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        parse(f"deployments: {{a: {{model: m, base_url: '{url}', tls: {tls}}}}}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "[::1]", "[fd00::1]"])
def test_verifying_may_be_left_out_for_private_addresses(host: str) -> None:
    config = parse(
        f"deployments: {{a: {{model: m, base_url: 'https://{host}', tls: {{verify: false}}}}}}"
    )
    assert config.deployments["a"].tls == UpstreamTls(verify=False)


@contextlib.contextmanager
def refusing_handshakes(context: ssl.SSLContext) -> Iterator[int]:
    """A server whose one handshake fails as OpenSSL has it: with an alert (asyncio sends none)."""

    told = threading.Event()

    def refuse() -> None:
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as secure:
            with contextlib.suppress(OSError):
                secure.do_handshake()
            told.wait(10)  # closing at once could overtake the alert

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        yield listener.getsockname()[1]
        told.set()
        thread.join(5)


def self_signed(folder: Path) -> Files:
    """A certificate that nobody but itself signed."""
    import trustme

    made = trustme.CA()
    cert, key = folder / "self.pem", folder / "self-key.pem"
    cert.write_bytes(made.cert_pem.bytes())
    key.write_bytes(made.private_key_pem.bytes())
    key.chmod(0o600)
    return Files(str(cert), str(key))
