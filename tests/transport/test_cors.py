"""Pages of other origins: who may ask, who may read, what a browser is told beforehand."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import Answer, RunningGateway, a_config, a_deployment
from tests.wire.wirekit import get, run, serving

from pointsman.config import parse, show
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import Key, ServerSettings
from pointsman.domain.transport import Cors
from pointsman.gateway.auth import exposure_remarks
from pointsman.gateway.cors import EXPOSED, Origins
from pointsman.testing import ScriptedUpstream, chat_answer

PAGE = "https://app.example"
KEY = {"authorization": "Bearer sk-good"}
ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    key = Key(name="app", sha256=hashlib.sha256(b"sk-good").hexdigest())
    with ScriptedUpstream(default=chat_answer("ok")) as upstream:
        config = a_config(
            tmp_path_factory.mktemp("journal"),
            [a_deployment("only", upstream.base_url)],
            gate=None,
            keys=[key],
            server={"cors": Cors(origins=(PAGE,), max_age_s=77)},
        )
        with RunningGateway(config) as running:
            yield running


def may_read(answer: Answer) -> bool:
    return (
        answer.headers.get("access-control-allow-origin") == PAGE
        and answer.headers["vary"] == "origin"
        and "x-pointsman-trace" in answer.headers["access-control-expose-headers"]
    )


def test_a_preflight_is_answered_without_a_key(gateway: RunningGateway) -> None:
    answer = gateway.request(
        "OPTIONS", "/v1/chat/completions", headers={"origin": PAGE.upper(), **ASKS}
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PAGE.upper()
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert answer.headers["access-control-max-age"] == "77"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_other_pages_may_neither_ask_nor_read(gateway: RunningGateway, origin: str) -> None:
    preflight = gateway.request("OPTIONS", "/v1/models", headers={"origin": origin, **ASKS})
    asked = gateway.request("GET", "/v1/models", headers={"origin": origin, **KEY})
    for answer in (preflight, asked):
        assert answer.status == 403
        assert answer.json["error"]["code"] == "origin_not_allowed"
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "origin"


def test_answers_streams_and_errors_may_be_read(gateway: RunningGateway) -> None:
    origin = {"origin": PAGE}
    assert may_read(gateway.chat(headers={**KEY, **origin}))
    assert may_read(gateway.chat(headers={**KEY, **origin}, stream=True))
    unknown = gateway.chat(headers=origin)
    assert (unknown.status, may_read(unknown)) == (401, True)
    assert may_read(gateway.request("GET", "/nowhere", headers=origin))


def test_an_error_of_the_server_itself_may_be_read(gateway: RunningGateway) -> None:
    refused = gateway.request(
        "POST", "/v1/models", headers={"origin": PAGE, "content-length": "99999999999"}
    )
    assert (refused.status, may_read(refused)) == (413, True)


def test_without_a_page_nothing_is_said_but_that_it_would_differ(gateway: RunningGateway) -> None:
    answer = gateway.request("GET", "/v1/models", headers=KEY)
    assert answer.headers["vary"] == "origin"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_options_that_ask_nothing_are_a_method_like_any(gateway: RunningGateway) -> None:
    assert gateway.request("OPTIONS", "/v1/models", headers=KEY).status == 405


def lines(cors: Cors, origin: str, *, local: bool = False) -> bytes:
    return Origins(cors, local=local).lines({b"origin": origin.encode()})


def test_a_star_is_for_every_page_and_is_not_echoed() -> None:
    said = lines(Cors(origins=("*",)), "https://any.example")
    assert b"access-control-allow-origin: *\r\n" in said
    assert b"vary" not in said


def test_credentials_are_allowed_where_configured() -> None:
    said = lines(Cors(origins=(PAGE,), allow_credentials=True), PAGE)
    assert b"access-control-allow-credentials: true\r\n" in said


def test_this_machines_pages_may_read_where_they_may_ask_without_a_key() -> None:
    page = "http://localhost:3000"
    assert b"access-control-allow-origin: http://localhost:3000" in lines(Cors(), page, local=True)
    assert lines(Cors(), page) == b""


def test_a_door_without_pages_says_nothing() -> None:
    async def main() -> None:
        origins = Origins(Cors(), local=False)

        async def hello(exchange: Any) -> None:
            exchange.respond(200, [], b"hello")

        async with serving(hello) as served:
            served.server.lines = origins.lines
            answer = await served.talk(get("/", "Connection: close"))
            assert b"access-control" not in answer
            assert b"vary" not in answer

    run(main())


def test_every_header_of_ours_is_exposed() -> None:
    source = Path(__file__).parents[2] / "src" / "pointsman" / "answering"
    ours = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r'b"(x-pointsman-[a-z-]+|x-request-id)"', path.read_text())
    }
    assert ours
    assert ours <= set(EXPOSED)


CONFIG = "deployments: {{a: {{model: m, base_url: 'http://h'}}}}\nserver: {{cors: {cors}}}\n"


@pytest.mark.parametrize(
    ("cors", "problem"),
    [
        ("{origins: ['*'], allow_credentials: true}", "not with"),
        ("{origins: [app.example]}", "scheme://host"),
        ("{origins: ['https://app.example/']}", "scheme://host"),
        ("{origins: ['null']}", "scheme://host"),
        ("{origins: ['https://a:b@app.example']}", "scheme://host"),
    ],
)
def test_origins_that_no_browser_sends_are_refused(cors: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        parse(CONFIG.format(cors=cors))


def test_what_is_configured_is_shown_and_loads_again() -> None:
    config = parse(CONFIG.format(cors="{origins: ['https://App.example:8443'], max_age_s: 0}"))
    assert config.server.cors == Cors(origins=("https://app.example:8443",), max_age_s=0)
    for with_defaults in (False, True):
        assert parse(show(config, with_defaults=with_defaults)) == config


def test_every_page_without_a_key_is_remarked_on() -> None:
    open_door = ServerSettings(cors=Cors(origins=("*",)))
    assert "any page" in exposure_remarks((), open_door)[0]
    assert exposure_remarks((Key(name="a", sha256="b"),), open_door) == []
