"""What `pointsman portfolio show` says of the gateway that runs by the same file."""

import socket
from collections.abc import Iterator

import msgspec
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.cli.standing import in_words, standing_now
from pointsman.domain.task import Configuration
from pointsman.testing import ScriptedUpstream, free_port, status_answer


def at_port(config: Configuration, port: int, host: str = "127.0.0.1") -> Configuration:
    server = msgspec.structs.replace(config.server, host=host, port=port)
    return msgspec.structs.replace(config, server=server)


@pytest.fixture
def gateway(tmp_path) -> Iterator[RunningGateway]:
    with ScriptedUpstream(default=status_answer(429, headers=[("retry-after", "30")])) as upstream:
        deployment = a_deployment("d", upstream.base_url)
        with RunningGateway(a_config(tmp_path, [deployment], gate=None)) as running:
            yield running


def test_a_gateway_that_runs_says_how_its_deployments_stand(gateway):
    config = at_port(gateway.config, gateway.port, host="0.0.0.0")
    assert in_words(standing_now(config)["d"]) == "well 0/64"
    assert gateway.chat().status == 429
    now = standing_now(config)["d"]
    assert in_words(now) == "resting 0/64"
    assert 0 < now["back_in_s"] <= 30


def test_where_none_answers_there_is_nothing_to_say(gateway):
    assert standing_now(at_port(gateway.config, free_port())) == {}
    assert standing_now(at_port(gateway.config, 0)) == {}
    assert standing_now(at_port(gateway.config, 1, host="unix:/nowhere")) == {}
    assert in_words(None) == "-"


def test_whoever_else_listens_there_is_not_believed(gateway):
    with ScriptedUpstream(status_answer(200, b"[1, 2]"), status_answer(200, {"standing": 7})) as it:
        for _ in range(2):
            assert standing_now(at_port(gateway.config, it.port)) == {}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert standing_now(at_port(gateway.config, silent.getsockname()[1])) == {}


def test_those_that_wait_are_shown():
    assert in_words({"health": "open", "running": 0, "of": 4, "waiting": 2}) == "open 0/4 +2"
