"""Completions, embeddings and rankings: through the same door, journal and meter as chat."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.config import parse
from pointsman.config.remarks import remarks
from pointsman.domain.errors import ConfigurationError, InvalidRequest
from pointsman.domain.task import GateSpec
from pointsman.routing.features import features_of
from pointsman.surfaces.completions import parse_completion
from pointsman.surfaces.embeddings import parse_embedding
from pointsman.surfaces.rerank import parse_rerank
from pointsman.surfaces.table import SURFACES
from pointsman.testing import Play, Received, ScriptedUpstream, event_stream, status_answer

VECTORS = {
    "object": "list", "model": "e-model", "x_engine": 1,
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}  # fmt: skip
RANKING = {
    "id": "rerank-1", "model": "r-model", "usage": {"total_tokens": 31},
    "results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}],
}  # fmt: skip
TEXT = {
    "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "t-model",
    "choices": [{"index": 0, "text": " world", "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
}  # fmt: skip


def an_engine(request: Received) -> Play:
    """Answers each path in its own words."""
    answers = {"/v1/embeddings": VECTORS, "/v1/rerank": RANKING, "/v1/completions": TEXT}
    if request.json.get("stream"):
        events = [
            {**TEXT, "choices": [{"index": 0, "text": text, "finish_reason": None}], "usage": None}
            for text in (" wor", "ld")
        ]
        ending = {**TEXT, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
        events.append({**ending, "usage": None})
        if request.asks_usage:
            events.append({**TEXT, "choices": []})
        return event_stream([json.dumps(event).encode() for event in events] + [b"[DONE]"])(request)
    return status_answer(200, answers[request.target])(request)


@pytest.fixture
def engine():
    with ScriptedUpstream(default=an_engine) as upstream:
        yield upstream


@pytest.fixture
def gateway(tmp_path: Path, engine):
    deployments = [
        a_deployment("text", engine.base_url),
        a_deployment("vectors", engine.base_url, operations=("embedding",)),
        a_deployment("ranks", engine.base_url, operations=("rerank",)),
    ]
    config = a_config(tmp_path / "journal", deployments, steps=["text"], gate=None)
    with RunningGateway(config) as running:
        yield running


def one_row(gateway: RunningGateway) -> dict[str, Any]:
    [row] = gateway.rows()
    [attempt] = gateway.rows("attempts")
    return {**row, **attempt}


def test_embeddings_come_back_as_the_engine_wrote_them_and_are_metered(gateway, engine) -> None:
    body = {"model": "vectors", "input": ["a", "b"], "encoding_format": "base64", "x": None}
    answer = gateway.request("POST", "/v1/embeddings", body)
    assert (answer.status, answer.json) == (200, VECTORS)
    [sent] = engine.requests
    assert sent.target == "/v1/embeddings"
    assert sent.json == {**body, "model": "vectors-model"}
    row = one_row(gateway)
    assert (row["status"], row["prompt_tokens"], row["completion_tokens"]) == ("delivered", 7, 0)
    assert row["cost_usd_picos"] == 7 * 1_000_000


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_a_ranking_comes_back_and_its_total_is_what_was_read(gateway, engine, path) -> None:
    body = {"model": "ranks", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}
    answer = gateway.request("POST", path, body)
    assert engine.requests[0].target == "/v1/rerank"
    assert (answer.status, answer.json) == (200, RANKING)
    assert engine.requests[0].json == {**body, "model": "ranks-model"}
    assert one_row(gateway)["prompt_tokens"] == 31


BARE = [  # SGLang's; a list is no object
    {"score": 0.9, "document": "b", "index": 1, "meta_info": {"id": "x", "prompt_tokens": 20}},
    {"score": 0.1, "document": "a", "index": 0, "meta_info": {"id": "y", "prompt_tokens": 11}},
]


def test_a_ranking_that_came_as_a_bare_list_is_one_of_the_usual_shape(gateway, engine) -> None:
    engine.then(status_answer(200, json.dumps(BARE)))
    body = {"model": "ranks", "query": "q", "documents": ["a", "b"]}
    answer = gateway.request("POST", "/v1/rerank", body)
    assert answer.json == {
        "results": [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "b"}},
            {"index": 0, "relevance_score": 0.1, "document": {"text": "a"}},
        ],
        "usage": {"prompt_tokens": 31, "total_tokens": 31},
    }
    assert one_row(gateway)["prompt_tokens"] == 31


def test_a_bare_list_tells_no_more_than_it_holds_and_one_without_scores_is_no_ranking(
    gateway, engine
) -> None:
    body = {"model": "ranks", "query": "q", "documents": ["a", "b"]}
    engine.then(status_answer(200, json.dumps([{"index": 0, "score": 0.5}])))
    answer = gateway.request("POST", "/v1/rerank", body)
    assert answer.json == {"results": [{"index": 0, "relevance_score": 0.5}]}
    for wrong in ([{"index": 0}], [], [1], [{"index": "0", "score": 1}]):
        engine.then(status_answer(200, json.dumps(wrong)))
        assert gateway.request("POST", "/v1/rerank", body).status == 502


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("names", "gates"),
    [(["small", "large"], ["escalate", None]), (["large", "small"], ["accept"])],
)
def test_a_gate_judges_a_completion_by_logprobs_that_nobody_else_sees(
    tmp_path: Path, stream: bool, names: list[str], gates: list[str]
) -> None:
    def unsure(request: Received) -> Play:
        sure = request.json["model"] == "large-model"
        logprobs = {"tokens": ["a"], "token_logprobs": [-0.1 if sure else -3.0]}
        choice = {"index": 0, "text": "sure" if sure else "unsure", "finish_reason": "stop"}
        if "logprobs" in request.json:
            choice["logprobs"] = logprobs
        body = {**TEXT, "choices": [choice]}
        if not request.json.get("stream"):
            return status_answer(200, body)(request)
        return event_stream([json.dumps(body).encode(), b"[DONE]"])(request)

    gate = GateSpec(accept="logprob.min > -1.0", needs_logprobs=True)
    with ScriptedUpstream(default=unsure) as upstream:
        deployments = [a_deployment(name, upstream.base_url) for name in names]
        config = a_config(tmp_path / "j", deployments)
        route = msgspec.structs.replace(config.routes["main"], gate=gate)
        config = msgspec.structs.replace(config, routes={"main": route})
        with RunningGateway(config) as gateway:
            body = {"model": "task:work", "prompt": "hi", "stream": stream}
            answer = gateway.request("POST", "/v1/completions", body)
            [choice] = answer.chunks[0]["choices"] if stream else answer.json["choices"]
            assert choice["text"] == "sure"
            assert "logprobs" not in choice
            assert upstream.requests[0].json["logprobs"] == 1
            assert [row["gate"] for row in gateway.rows("attempts")] == gates


@pytest.mark.parametrize("prompt", ["hello", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_a_prompt_of_any_shape_reaches_the_engine_untouched(gateway, engine, prompt: Any) -> None:
    body = {"model": "text", "prompt": prompt, "echo": True, "best_of": 2, "suffix": "!"}
    answer = gateway.request("POST", "/v1/completions", body)
    assert answer.status == 200
    assert engine.requests[0].target == "/v1/completions"
    assert engine.requests[0].json == {**body, "model": "text-model"}
    assert one_row(gateway)["status"] == "delivered"


@pytest.mark.parametrize("asks_usage", [False, True])
def test_a_streamed_completion_is_whole_and_metered(gateway, engine, asks_usage: bool) -> None:
    body: dict[str, Any] = {"model": "text", "prompt": "hello", "stream": True}
    if asks_usage:
        body["stream_options"] = {"include_usage": True}
    answer = gateway.request("POST", "/v1/completions", body)
    assert answer.events[-1] == "[DONE]"
    said = [chunk["choices"][0]["text"] for chunk in answer.chunks if chunk["choices"]]
    assert said == [" wor", "ld", ""]
    assert sum(not chunk["choices"] for chunk in answer.chunks) == asks_usage
    row = one_row(gateway)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (2, 1)


def test_a_surface_is_named_in_its_record(gateway) -> None:
    gateway.request("POST", "/v1/embeddings", {"model": "vectors", "input": "a"})
    [row] = gateway.rows()
    payloads = [json.loads(each["payload"]) for each in gateway.rows("trace", trace=row["trace"])]
    assert payloads[0]["surface"] == "embeddings"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "text", "input": "a"}),
        ("/v1/embeddings", {"model": "task:work", "input": "a"}),
        ("/v1/rerank", {"model": "vectors", "query": "q", "documents": ["a"]}),
        ("/v1/chat/completions", {"model": "ranks", "messages": [{"role": "user", "content": ""}]}),
    ],
)
def test_a_deployment_is_asked_only_for_what_it_can(gateway, engine, path: str, body: Any) -> None:
    answer = gateway.request("POST", path, body)
    assert answer.status == 400
    assert answer.json["error"]["code"] == "operation_not_supported"
    assert engine.requests == []


def test_a_models_card_says_what_it_can_be_asked_for(gateway) -> None:
    cards = {card["id"]: card for card in gateway.request("GET", "/v1/models").json["data"]}
    assert cards["vectors"]["operations"] == ["embedding"]
    assert cards["ranks"]["operations"] == ["rerank"]
    assert cards["task:work"]["operations"] == ["chat", "completion"]
    assert gateway.request("GET", "/v1/models/vectors").json == cards["vectors"]


def test_an_answer_without_vectors_is_no_answer(gateway, engine) -> None:
    for empty in ({"data": []}, {}, {"data": None}):
        engine.then(status_answer(200, empty))
        answer = gateway.request("POST", "/v1/embeddings", {"model": "vectors", "input": "a"})
        assert answer.status == 502
    engine.then(status_answer(200, {"data": 5}))
    answer = gateway.request("POST", "/v1/embeddings", {"model": "vectors", "input": "a"})
    assert answer.status == 502
    assert gateway.rows("attempts")[0]["failure"] == "malformed"


def test_the_official_client_asks_every_plain_surface(gateway) -> None:
    client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
    [vector] = client.embeddings.create(model="vectors", input="a", encoding_format="float").data
    assert vector.embedding == [0.5, -0.25]
    assert client.completions.create(model="text", prompt="hello").choices[0].text == " world"
    stream = client.completions.create(model="text", prompt="hello", stream=True)
    assert "".join(each.choices[0].text for each in stream) == " world"
    assert client.models.retrieve("vectors").id == "vectors"


def test_a_model_with_a_slash_is_found_by_its_escaped_name(tmp_path: Path, engine) -> None:
    config = a_config(tmp_path / "j", [a_deployment("Qwen/Qwen3-8B", engine.base_url)], gate=None)
    with RunningGateway(config) as gateway:
        assert gateway.request("GET", "/v1/models/Qwen%2FQwen3-8B").json["id"] == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("parse_body", "body", "param"),
    [
        (parse_embedding, {"model": "m", "input": []}, "input"),
        (parse_embedding, {"model": "m", "input": ["a", 1]}, "input"),
        (parse_embedding, {"model": "m", "input": ["a"] * 8193}, "input"),
        (parse_embedding, {"model": "m"}, "input"),
        (parse_embedding, {"model": "m", "messages": []}, "input"),
        (parse_embedding, {"model": "m", "input": None}, "input"),
        (parse_embedding, {"model": "m", "input": [{"text": "a"}, 1]}, "input"),
        (parse_embedding, {"model": "m", "input": 5}, "input"),
        (parse_completion, {"model": "m", "prompt": []}, "prompt"),
        (parse_completion, {"model": "m", "prompt": ["a"] * 2049}, "prompt"),
        (parse_completion, {"model": "m", "prompt": "a", "n": 0}, "n"),
        (parse_rerank, {"model": "m", "query": "q", "documents": []}, "documents"),
        (parse_rerank, {"model": "m", "query": "q", "documents": ["a"] * 8193}, "documents"),
        (parse_rerank, {"model": "m", "query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
        (parse_rerank, {"model": "m", "documents": ["a"]}, "query"),
    ],
)
def test_a_body_that_cannot_be_meant_names_its_field(parse_body, body: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_body(json.dumps(body).encode())
    assert refused.value.param == param


def test_input_is_what_features_read() -> None:
    request = parse_embedding(b'{"model":"m","input":[[1,2,3],[4]]}')
    assert (request.token_ids, request.messages) == (4, ())
    request = parse_rerank(b'{"model":"m","query":"q","documents":["a",{"text":"b"},{"x":1}]}')
    assert [message.content for message in request.messages] == ["q", "a", "b", []]


PICTURE = {"image": "data:image/png;base64,aGk="}


@pytest.mark.parametrize(
    "body",
    [
        {"input": [{"text": "a", **PICTURE}, "b"]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    ],
    ids=["objects", "messages"],
)
def test_pictures_are_embedded_in_the_words_of_multimodal_engines(gateway, engine, body) -> None:
    asked = {"model": "vectors", **body}
    assert gateway.request("POST", "/v1/embeddings", asked).status == 200
    assert engine.requests[0].json == {**asked, "model": "vectors-model"}


@pytest.mark.parametrize(
    ("said", "content", "has_image"),
    [
        ({"text": "a", "title": "t", "id": 1}, "a", False),
        ({"text": "a", **PICTURE}, [{"type": "text", "text": "a"}, {"type": "image", **PICTURE}],
         True),
        ({"content": [{"type": "text", "text": "a"}]}, [{"type": "text", "text": "a"}], False),
        ({"content": "a"}, [{"type": "text", "text": "a"}], False),
        ({"image": None, "x": 1}, [], False),
        ({}, [], False),
    ],
)  # fmt: skip
def test_a_document_that_is_an_object_is_read_as_what_it_shows(
    said: Any, content: Any, has_image: bool
) -> None:
    body = json.dumps({"model": "m", "query": "q", "documents": [said]}).encode()
    request = parse_rerank(body)
    assert request.messages[1].content == content
    assert features_of(request, task=None, tenant="t").has_image is has_image


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    ["model", "input", "messages", "prompt", "query", "documents", "n", "stream"]
)


@given(st.sampled_from(sorted(SURFACES)), st.dictionaries(_FIELDS, _JSON))
def test_any_object_is_read_or_refused(path: str, said: dict[str, Any]) -> None:
    surface = SURFACES[path]
    with contextlib.suppress(InvalidRequest):
        request = surface.parse(json.dumps(said).encode())
        assert request.operation == surface.operation


def test_operations_are_settings_and_survive_being_shown() -> None:
    from pointsman.config import show

    text = "deployments: {e: {model: m, base_url: 'http://h/v1', operations: [embedding]}}"
    config = parse(text, env={})
    assert config.deployments["e"].operations == ("embedding",)
    assert parse(show(config, with_defaults=True), env={}).deployments == config.deployments
    for wrong in ("[]", "[chat, chat]", "[speech]"):
        with pytest.raises(ConfigurationError):
            parse(text.replace("[embedding]", wrong), env={})


def test_steps_that_share_no_operation_are_remarked() -> None:
    two = "a: {model: m, base_url: 'http://h/v1'}, b: {model: m, base_url: 'http://h/v1', %s}"
    text = "deployments: {%s}\nroutes: {r: {steps: [a, b]}}" % (two % "operations: [rerank]")
    assert any("share no operation" in said for said in remarks(parse(text, env={})))
