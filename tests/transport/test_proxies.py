"""Proxies: which stands before an upstream, how it is asked, and that its password stays ours."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from certificates import Authority, server_context
from tests.wire.wirekit import LOOPS, run

from pointsman.backends.http_pool import HttpPool, Origin, Way, WireError
from pointsman.backends.http_proxy import EnvironmentProxies, Proxy
from pointsman.backends.http_ways import Ways
from pointsman.config import as_json, parse, show
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.transport import UpstreamTls
from pointsman.testing import ScriptedUpstream, chat_answer, echo

SECRET = "s3cr%40t"  # percent-encoded, as in a URL
EXPECTED = b"Basic " + base64.b64encode(b"me:s3cr@t")


class ScriptedProxy:
    """Passes CONNECT on to `target`, after the answer it was told to give; keeps the heads."""

    def __init__(self, target: int, answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> None:
        self.target = target
        self.answer = answer
        self.heads: list[bytes] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        if b" 200 " in self.answer:
            there, onward = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(_pump(reader, onward), _pump(there, writer))
            onward.close()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def ask(origin: Origin) -> bytes:
    pool = HttpPool()
    try:
        response = await pool.request(
            origin, "POST", "/chat/completions", [], b"{}",
            connect_timeout_s=5, first_byte_timeout_s=5,
        )  # fmt: skip
        return await response.read(limit=10_000, timeout_s=5)
    finally:
        await pool.close()


def through(port: int, tls: UpstreamTls | None = None, user: str = f"me:{SECRET}@") -> Way:
    return Way(tls=tls, proxy=Proxy.parse(f"http://{user}127.0.0.1:{port}", place="proxy"))


@pytest.mark.parametrize("loop", LOOPS)
def test_https_passes_a_tunnel_and_the_proxy_sees_no_request(tmp_path: Path, loop: str) -> None:
    authority = Authority(tmp_path)
    context = server_context(authority.issue("engine.test"))

    async def main() -> None:
        seen = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"{}"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
            await reader.read()
            writer.close()

        upstream = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        proxy = ScriptedProxy(upstream.sockets[0].getsockname()[1])
        async with proxy.running() as port:
            way = through(port, UpstreamTls(ca=authority.ca))
            assert await ask(Origin("https", "engine.test", 443, "/v1", way)) == b"secret"
        lines = proxy.heads[0].split(b"\r\n")
        assert lines[:2] == [b"CONNECT engine.test:443 HTTP/1.1", b"host: engine.test:443"]
        assert lines[2] == b"proxy-authorization: " + EXPECTED
        assert seen[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: engine.test\r\n")
        assert b"proxy-authorization" not in seen[0]
        upstream.close()

    run(main(), loop=loop)


def test_http_is_asked_for_by_its_whole_address() -> None:
    async def main() -> None:
        async with ScriptedUpstream(echo()) as proxy:
            seen = json.loads(
                await ask(Origin("http", "engine.test", 8000, "/v1", through(proxy.port)))
            )
            assert seen["target"] == "http://engine.test:8000/v1/chat/completions"
            assert seen["headers"]["host"] == "engine.test:8000"
            assert seen["headers"]["proxy-authorization"] == EXPECTED.decode()

    run(main())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Who?\r\n\r\n", "407"),
        (b"HTTP/1.1 403 No\r\n\r\n", "refuses to connect to engine.test:443: 403"),
        (b"nonsense\r\n\r\n", "no HTTP"),
        (b"", "no HTTP"),
        (b"HTTP/1.1 502 " + b"x" * 20_000, "no HTTP"),
    ],
)
def test_a_proxy_that_does_not_connect_is_a_refusal_that_names_it(answer: bytes, why: str) -> None:
    async def main() -> None:
        proxy = ScriptedProxy(0, answer)
        async with proxy.running() as port:
            with pytest.raises(WireError) as caught:
                await ask(Origin("https", "engine.test", 443, "", through(port)))
            assert caught.value.kind == "refused"
            assert why in caught.value.detail
            assert f"the proxy 127.0.0.1:{port}" in caught.value.detail
            assert "s3cr" not in caught.value.detail

    run(main())


PROXY = {"HTTPS_PROXY": "http://p:1", "http_proxy": "q:2"}


@pytest.mark.parametrize(
    ("env", "url", "found"),
    [
        (PROXY, "https://a.test", "p:1"),
        (PROXY, "http://a.test", "q:2"),
        ({"ALL_PROXY": "http://r"}, "http://a.test", "r:80"),
        ({"all_proxy": "r:3", "HTTPS_PROXY": "p:1"}, "https://a.test", "p:1"),
        ({"https_proxy": "small:1", "HTTPS_PROXY": "large:1"}, "https://a.test", "small:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "large:1"}, "https://a.test", "large:1"),
        ({}, "https://a.test", None),
        ({"HTTP_PROXY": "q:2"}, "https://a.test", None),
        (PROXY, "https://localhost", None),
        (PROXY, "https://127.0.0.5", None),
        (PROXY, "https://[::1]", None),
    ],
)
def test_the_environment_names_a_proxy(env: dict[str, str], url: str, found: str | None) -> None:
    origin = Origin.parse(url)
    proxy = EnvironmentProxies(env).before(origin.scheme, origin.host, origin.port)
    assert (proxy and proxy.authority) == found


@pytest.mark.parametrize(
    ("exceptions", "url", "excepted"),
    [
        ("*", "https://a.test", True),
        ("a.test", "https://a.test", True),
        ("a.test", "https://x.A.test", True),
        ("a.test", "https://xa.test", False),
        (".a.test", "https://a.test", False),
        (".a.test", "https://x.a.test", True),
        ("*.a.test", "https://x.a.test", True),
        ("b.test, a.test", "https://a.test", True),
        ("b.test a.test", "https://a.test", True),
        ("a.test:8443", "https://a.test:8443", True),
        ("a.test:8443", "https://a.test", False),
        ("10.0.0.0/8", "https://10.9.8.7", True),
        ("10.0.0.0/8", "https://11.9.8.7", False),
        ("10.0.0.0/8", "https://ten.test", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("10.1.2.3:444", "https://10.1.2.3", False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("[fd12::1]:443", "https://[fd12::1]", True),
        ("fd12::1", "https://[fd12::2]", False),
        (",, ", "https://a.test", False),
    ],
)
def test_no_proxy_makes_exceptions(exceptions: str, url: str, excepted: bool) -> None:
    origin = Origin.parse(url)
    for name in ("NO_PROXY", "no_proxy"):
        proxies = EnvironmentProxies({"ALL_PROXY": "p:1", name: exceptions})
        found = proxies.before(origin.scheme, origin.host, origin.port)
        assert (found is None) == excepted


@pytest.mark.parametrize("url", ["socks5://me:hunter2@p", "https://me:hunter2@p", "http://p:x"])
def test_a_proxy_that_cannot_be_spoken_to_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ALL_PROXY") as caught:
        EnvironmentProxies({"ALL_PROXY": url})
    assert "hunter2" not in str(caught.value)


def a_deployment(**said: str) -> Any:
    deployment = {"model": "m", "base_url": "https://a.test/v1", **said}
    return parse(json.dumps({"deployments": {"a": deployment}})).deployments["a"]


def test_a_deployment_says_its_own_proxy_or_none() -> None:
    ways = Ways({"HTTPS_PROXY": "env:1"}, str)

    def proxy(**said: str) -> str | None:
        way = ways.to(a_deployment(**said))
        return way.proxy.authority if way is not None and way.proxy is not None else None

    assert proxy() == "env:1"
    assert proxy(proxy="http://own:2") == "own:2"
    assert proxy(proxy="none") is None
    assert proxy(base_url="http://127.0.0.1:8000") is None
    assert proxy(base_url="http://127.0.0.1:8000", proxy="http://own:2") == "own:2"


def test_an_embedded_engine_is_never_behind_a_proxy() -> None:
    text = "deployments: {a: {model: m, embedded: {gguf: 'embedded:small-f16'}}}"
    deployment = parse(text).deployments["a"]
    assert Ways({"ALL_PROXY": "env:1"}, str).to(deployment) is None
    with pytest.raises(ConfigurationError, match="takes no proxy"):
        parse(text.replace("model: m,", "model: m, proxy: 'http://p:1',"))


def test_a_proxys_password_is_nowhere_shown() -> None:
    url = "http://me:hunter2@p.test:3128"
    text = f"deployments: {{a: {{model: m, base_url: 'https://a.test', proxy: '{url}'}}}}"
    config = parse(text)
    way = Ways({}, str).to(config.deployments["a"])
    assert way is not None
    told = show(config, with_defaults=True) + repr(config) + json.dumps(as_json(config)) + repr(way)
    assert "hunter2" not in told
    assert "aHVudGVyMg" not in told
    assert "http://***@p.test:3128" in told
    with pytest.raises(ConfigurationError, match="hidden secret"):
        parse(show(config, with_defaults=False))
    named = parse(text.replace(f"'{url}'", "'${P}'"), env={"P": url})
    assert parse(show(named, with_defaults=True), env={"P": url}) == named


def test_a_gateway_asks_through_the_proxy_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support import gateway as support

    with ScriptedUpstream(default=chat_answer("ok")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        deployment = support.a_deployment("only", "http://engine.test/v1")
        config = support.a_config(tmp_path, [deployment], gate=None)
        with support.RunningGateway(config) as gateway:
            assert gateway.chat().status == 200
        assert proxy.requests[0].target == "http://engine.test/v1/chat/completions"
        assert "proxy" not in msgspec.json.encode(as_json(config)["server"]).decode()
