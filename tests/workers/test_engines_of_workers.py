"""Embedded engines run once for all workers, are found by each, and end with the gateway."""

import http.client
import json

import pytest
from tests.support.processes import ServeProcess, alive, children
from tests.workers.workers_kit import command, get, gone, kill, until, workers_of

TEXT = """\
deployments:
  own: {model: own, embedded: {gguf: 'embedded:small-f16'}}
server: {workers: 2}
journal: {path: journal}
keeping: {enabled: false}
"""
pytestmark = pytest.mark.needs_engine


def engines_of(gateway: ServeProcess) -> list[int]:
    return [pid for pid in children(gateway.pid) if "embedded_child" in command(pid)]


def ask(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = {"model": "own", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_one_engine_serves_every_worker_and_a_new_one_is_told_to_all(tmp_path):
    config = tmp_path / "pointsman.yaml"
    config.write_text(TEXT)
    with ServeProcess(config) as gateway:
        (engine,) = engines_of(gateway)
        assert [engines for pid in workers_of(gateway) for engines in children(pid)] == []
        assert {ask(gateway.port) for _ in range(8)} == {200}
        kill(engine)
        gone([engine])

        def served() -> bool:
            return [ask(gateway.port) for _ in range(8)] == [200] * 8

        until(served, "not every worker finds the new engine", within_s=60)
        (again,) = engines_of(gateway)
        assert again != engine
        ready = json.loads(get(gateway.port, "/readyz")[1])
        assert ready["engines"]["own"]["status"] == "running"
        gateway.kill()
        gone([again])


def test_a_worker_that_is_started_again_finds_the_engine_and_a_change_adds_one(tmp_path):
    config = tmp_path / "pointsman.yaml"
    config.write_text(TEXT)
    with ServeProcess(config) as gateway:
        for pid in workers_of(gateway):
            kill(pid)
            gone([pid])
        until(lambda: len(workers_of(gateway)) == 2, "they are not started again")
        assert until(lambda: [ask(gateway.port) for _ in range(6)], "") == [200] * 6
        second = "  other: {model: other, embedded: {gguf: 'embedded:small-f16', context: 512}}\n"
        config.write_text(TEXT.replace("server:", f"{second}server:"))
        until(lambda: len(alive(engines_of(gateway))) == 2, "the second engine does not start")
        until(lambda: "other" in names(gateway.port), "no worker offers it", within_s=60)
        gateway.terminate()
        engines = engines_of(gateway)
        assert gateway.ended() == 0
        gone(engines)


def names(port: int) -> list[str]:
    ready = json.loads(get(port, "/readyz")[1])
    return [name for name, each in ready["engines"].items() if each["status"] == "running"]
