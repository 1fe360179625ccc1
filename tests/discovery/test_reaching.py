"""How a deployment fares is judged from what it answers to `/models`."""

import asyncio
from typing import Any

import pytest
from tests.discovery.engines import OLLAMA, VLLM, Engines, answer, listing

from pointsman.discovery.answers import Answer, NoAnswer
from pointsman.discovery.reaching import Reached, Told, judge, reach_all
from pointsman.domain.portfolio import Deployment, Engine


def a_deployment(name: str = "d", **changes: Any) -> Deployment:
    said = {"model": "m", "base_url": "http://h/v1", "served_name": "Qwen/Qwen3-4B", **changes}
    return Deployment(name=name, **said)


def judged(answer: Answer, **changes: Any) -> Reached:
    return judge(a_deployment(**changes), answer, latency_ms=1.0)


def test_a_listed_name_is_well_and_tells_its_context() -> None:
    found = judged(answer(VLLM["/v1/models"]), engine="vllm")
    assert (found.state, found.context, found.latency_ms) == ("ok", 32768, 1.0)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "ollama"])
def test_an_engine_that_knows_no_such_name_makes_the_file_wrong(engine: str) -> None:
    found = judged(answer(VLLM["/v1/models"]), engine=engine, served_name="Qwen/Qwen3-4b")
    assert found.state == "wrong"
    assert found.nearest == "Qwen/Qwen3-4B"
    assert found.next == "did you mean 'Qwen/Qwen3-4B'?"


def test_an_engine_that_takes_any_name_is_a_remark() -> None:
    found = judged(answer(listing("a", "b")), engine="llamacpp", served_name="zzzz")
    assert found.state == "remark"
    assert found.next == "it lists: a, b"


def test_ollama_lists_a_name_with_its_tag() -> None:
    listed = answer(listing("qwen3:latest", owned_by="library"))
    assert judged(listed, engine="ollama", served_name="qwen3").state == "ok"
    assert judged(answer(OLLAMA["/v1/models"]), engine="ollama", served_name="qwen3:8b").state == (
        "wrong"
    )


def test_an_engine_that_is_not_named_is_told() -> None:
    found = judged(answer(VLLM["/v1/models"]))
    assert (found.state, found.next[:14]) == ("remark", "write engine: ")
    assert "vLLM" in found.said


@pytest.mark.parametrize(
    ("status", "state"),
    [(401, "wrong"), (403, "wrong"), (429, "unreachable"), (500, "unreachable"), (405, "remark")],
)
def test_a_status_says_how_it_is(status: int, state: str) -> None:
    assert judged(answer({}, status)).state == state


def test_a_404_is_the_address_unless_that_names_a_version() -> None:
    assert judged(answer({}, 404), base_url="http://h").next == "a base_url usually ends in /v1"
    assert judged(answer({}, 404), base_url="http://h/v1").state == "remark"


@pytest.mark.parametrize("document", [None, 1, {}, {"data": 1}, "x"])
def test_an_answer_that_lists_nothing_is_a_remark(document: Any) -> None:
    assert judged(answer(document)).state == "remark"


def test_a_bare_list_is_a_list_of_models() -> None:
    assert judged(answer([{"id": "Qwen/Qwen3-4B", "context_length": 9}])).context == 9


def test_all_are_asked_with_their_own_key_and_each_is_counted() -> None:
    engines = Engines({"http://a": VLLM, "http://b": VLLM}, keys={"http://b": "secret"})
    deployments = [
        a_deployment("a", base_url="http://a/v1", engine="vllm"),
        a_deployment("b", base_url="http://b/v1", engine="vllm", api_key="secret"),
        a_deployment("c", base_url="http://c/v1"),
        a_deployment("e", base_url=None),
    ]
    count = []
    found = asyncio.run(
        reach_all(deployments, lambda _: engines, clock=lambda: 0.0, done=lambda: count.append(1))
    )
    assert [(each.deployment, each.state) for each in found] == [
        ("a", "ok"),
        ("b", "ok"),
        ("c", "unreachable"),
    ]
    assert len(count) == 3
    assert "secret" not in repr(found)


METRICS = Answer(200, {}, b"engine says 3 and 2")


@pytest.mark.parametrize(
    ("metrics", "told"),
    [(METRICS, (3, 2)), (Answer(404, {}, b""), (None, None)), (None, (None, None))],
)
def test_an_engine_that_tells_its_load_is_asked_for_it_beside_v1(metrics, told) -> None:
    asked: list[str] = []

    async def fetch(url: str, *, key: str | None = None) -> Answer:
        asked.append(url)
        if not url.endswith("/metrics"):
            return answer(VLLM["/v1/models"])
        if metrics is None:
            raise NoAnswer("reset")
        return metrics

    def read(text: bytes) -> Told:
        assert text == METRICS.body
        return Told(3, 2)

    def load_of(engine: Engine) -> Any:
        return read if engine == "vllm" else None

    deployments = [a_deployment("a", engine="vllm"), a_deployment("b", base_url="http://i/x/v1")]
    found = asyncio.run(reach_all(deployments, lambda _: fetch, clock=lambda: 0.0, load_of=load_of))
    assert [(each.running, each.waiting) for each in found] == [told, (None, None)]
    assert sorted(asked) == ["http://h/metrics", "http://h/v1/models", "http://i/x/v1/models"]


def test_a_deployment_that_is_wrong_is_not_asked_for_its_load() -> None:
    async def fetch(url: str, *, key: str | None = None) -> Answer:
        assert url.endswith("/models")
        return Answer(401, {}, b"")

    def load_of(engine: Engine) -> Any:
        return lambda text: Told(1, 1)

    [found] = asyncio.run(
        reach_all([a_deployment()], lambda _: fetch, clock=lambda: 0.0, load_of=load_of)
    )
    assert (found.state, found.running) == ("wrong", None)
