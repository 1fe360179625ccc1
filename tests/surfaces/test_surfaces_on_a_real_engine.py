"""The plain surfaces before a real llama.cpp: what a scripted engine would only claim."""

import base64
import struct
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from tests.support.gateway import RunningGateway, a_config, a_deployment
from tests.support.llamacpp import llamacpp

from pointsman.backends.dialects import ENGINES
from pointsman.backends.engine_load import read_load
from pointsman.domain.task import GateSpec

pytestmark = pytest.mark.needs_engine
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "12\n7"}], "max_tokens": 12}


@pytest.fixture(scope="module")
def engine():
    with llamacpp() as url:
        yield url


@pytest.fixture
def gateway(tmp_path: Path, engine: str):
    deployment = a_deployment("text", engine, engine="llamacpp")
    with RunningGateway(a_config(tmp_path / "j", [deployment], gate=None)) as running:
        yield running


def asked(gateway: RunningGateway, path: str, **body: Any) -> dict[str, Any]:
    answer = gateway.request("POST", path, {"model": "text", "temperature": 0, **body})
    assert answer.status == 200, answer.json
    return answer.json


@pytest.mark.parametrize(
    "said",
    [{"guided_choice": ["yes", 'n"o']}, {"structured_outputs": {"choice": ["yes", 'n"o']}},
     {"ebnf": 'root ::= "yes" | "n\\"o"'}],
    ids=["guided_choice", "structured_outputs", "ebnf"],
)  # fmt: skip
def test_a_choice_in_another_engines_words_holds(gateway: RunningGateway, said: Any) -> None:
    message = asked(gateway, "/v1/chat/completions", **CHAT, **said)["choices"][0]["message"]
    assert message["content"] in ("yes", 'n"o')


def test_a_schema_in_another_engines_words_holds(gateway: RunningGateway) -> None:
    more = {**CHAT, "guided_json": {"type": "boolean"}}
    said = asked(gateway, "/v1/chat/completions", **more)["choices"][0]["message"]["content"]
    assert said in ("true", "false")


@pytest.mark.parametrize("prompt", ["12\n7", [5, 6, 7]], ids=["text", "tokens"])
def test_a_completion_streams_what_it_says_at_once_and_its_usage_once(
    gateway: RunningGateway, prompt: Any
) -> None:
    body = {"prompt": prompt, "max_tokens": 4}
    whole = asked(gateway, "/v1/completions", **body)
    client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
    for options in ({}, {"stream_options": {"include_usage": True}}):
        chunks = list(
            client.completions.create(model="text", temperature=0, stream=True, **body, **options)
        )
        text = "".join(each.choices[0].text for each in chunks if each.choices)
        assert text == whole["choices"][0]["text"]
        usages = [each.usage for each in chunks if not each.choices]
        assert [each.completion_tokens for each in usages if each] == [4] * len(options)
    assert {row["completion_tokens"] for row in gateway.rows("attempts")} == {4}


@pytest.mark.parametrize(("least", "steps"), [(-0.0001, 2), (-100.0, 1)])
def test_a_completion_is_judged_by_the_engines_own_logprobs(
    tmp_path: Path, engine: str, least: float, steps: int
) -> None:
    gate = GateSpec(accept=f"logprob.min > {least:f}", needs_logprobs=True)
    deployments = [a_deployment(name, engine, engine="llamacpp") for name in ("small", "large")]
    config = a_config(tmp_path / "j", deployments)
    route = msgspec.structs.replace(config.routes["main"], gate=gate)
    config = msgspec.structs.replace(config, routes={"main": route})
    with RunningGateway(config) as gateway:
        body = {"model": "task:work", "prompt": "12\n7", "max_tokens": 4, "temperature": 0}
        answer = gateway.request("POST", "/v1/completions", body)
        assert answer.status == 200
        assert not answer.json["choices"][0].get("logprobs")
        assert len(gateway.rows("attempts")) == steps


def test_a_prompt_too_long_has_the_clients_own_code(gateway: RunningGateway) -> None:
    body = {"model": "text", "prompt": "1 " * 5000}
    answer = gateway.request("POST", "/v1/completions", body)
    assert (answer.status, answer.json["error"]["code"]) == (400, "context_length_exceeded")


def test_the_engines_load_is_read_from_its_own_page(engine: str) -> None:
    names = ENGINES["llamacpp"].load
    assert names is not None
    with urllib.request.urlopen(engine.removesuffix("/v1") + "/metrics", timeout=5) as page:
        load = read_load(names, page.read())
    assert (load.running, load.waiting) == (0, 0)


def test_vectors_come_as_numbers_or_as_their_bytes_and_are_metered(tmp_path: Path) -> None:
    with llamacpp("MEAN") as url:
        deployment = a_deployment("text", url, engine="llamacpp", operations=("embedding",))
        with RunningGateway(a_config(tmp_path / "j", [deployment], gate=None)) as gateway:
            numbers = asked(gateway, "/v1/embeddings", input=["12", "7 7"])
            coded = asked(gateway, "/v1/embeddings", input="12", encoding_format="base64")
            client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
            [unpacked] = client.embeddings.create(model="text", input="12").data
            rows = gateway.rows("attempts")
    assert [each["index"] for each in numbers["data"]] == [0, 1]
    first = numbers["data"][0]["embedding"]
    raw = base64.b64decode(coded["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(first)}f", raw)) == pytest.approx(first, abs=1e-4)
    assert unpacked.embedding == pytest.approx(first, abs=1e-4)
    assert all(row["prompt_tokens"] > 0 and row["completion_tokens"] == 0 for row in rows)


def test_a_ranking_comes_in_the_usual_shape_and_is_metered(tmp_path: Path) -> None:
    with llamacpp("RANK") as url:
        deployment = a_deployment("text", url, engine="llamacpp", operations=("rerank",))
        with RunningGateway(a_config(tmp_path / "j", [deployment], gate=None)) as gateway:
            said = asked(gateway, "/v1/rerank", query="12", documents=["1", "2", "3"], top_n=2)
            [row] = gateway.rows("attempts")
    assert len(said["results"]) == 2
    assert {each["index"] for each in said["results"]} <= {0, 1, 2}
    scores = [each["relevance_score"] for each in said["results"]]
    assert scores == sorted(scores, reverse=True)
    assert row["prompt_tokens"] == said["usage"]["prompt_tokens"] > 0
