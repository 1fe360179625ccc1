"""What goes through the plain surfaces byte by byte, and what a hostile client or engine gets."""

import http.client
import json
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.domain.portfolio import Limits
from pointsman.testing import ScriptedUpstream, cut, event_stream, raw_answer, silence

# Digits, escapes, spaces and fields as only their writer would write them.
ODD = (
    rb'"x_vendor": {"f": 1.50, "e": 1E5, "n": 12345678901234567890123, "u": "\u00e9\/"},  "z": null'
)
VECTORS = (
    b'{ "object": "list", "data": [{"object":"embedding","index":0,"embedding":"AAAAPwAAgL4="}],\n'
    b'"model":"served", "usage": {"prompt_tokens": 3, "total_tokens": 3}, %b}' % ODD
)
RANKING = (
    b'{"results": [{"index": 0, "relevance_score": 0.10}], "usage": {"total_tokens": 3}, %b}' % ODD
)
CHOICE = b'{"index":0,"text":"a","finish_reason":"stop"}'
TEXT = b'{"id":"c","object":"text_completion","choices":[%b], %b}' % (CHOICE, ODD)
WHOLE = [
    ("/v1/embeddings", b'"input": ["a"], "encoding_format": "base64"', VECTORS),
    ("/v1/rerank", b'"query": "q", "documents": ["a"]', RANKING),
    ("/v1/completions", b'"prompt": [1, 2]', TEXT),
]
BOUND = 2_000_000  # bytes of an answer


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    operations = ("chat", "completion", "embedding", "rerank")
    limits = Limits(
        connect_timeout_s=1, first_token_timeout_s=3, between_tokens_timeout_s=1, timeout_s=5,
        max_answer_bytes=BOUND,
    )  # fmt: skip
    with ScriptedUpstream() as upstream:
        deployment = a_deployment("all", upstream.base_url, operations=operations, limits=limits)
        config = a_config(tmp_path_factory.mktemp("j"), [deployment], gate=None)
        with RunningGateway(config) as gateway:
            yield gateway, upstream


@pytest.fixture
def gateway(running) -> RunningGateway:
    return running[0]


@pytest.fixture
def engine(running) -> ScriptedUpstream:
    return running[1]


def json_answer(body: bytes):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return raw_answer(head % len(body) + body, then="keep")


@pytest.mark.parametrize(("path", "fields", "answer"), WHOLE, ids=[path for path, _, _ in WHOLE])
def test_request_and_answer_go_through_digit_by_digit(
    gateway, engine, path: str, fields: bytes, answer: bytes
) -> None:
    engine.then(json_answer(answer))
    got = gateway.request("POST", path, b'{ "model" : "all", %b, %b }' % (fields, ODD))
    assert (got.status, got.body) == (200, answer)
    sent = engine.requests[-1].body
    assert all(each in sent for each in (b"1.50", b"1E5", b"12345678901234567890123", rb"\u00e9\/"))
    assert json.loads(sent) == json.loads(b'{"model":"all-model",%b,%b}' % (fields, ODD))


def test_a_streams_chunks_are_the_engines_own_bytes_and_its_end_is_ours(gateway, engine) -> None:
    head = b'"id":"c", "object":"text_completion"'
    chunks = [
        b'{%b,"choices":[{"index":0,"text":"a\\u00e9","logprobs":null}], %b}' % (head, ODD),
        b'{%b,"choices":[{"index":0,"text":"","finish_reason":"stop"}]}' % head,
        b'{%b,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}' % head,
    ]
    engine.then(event_stream([*chunks, b"[DONE]"]))
    body = {
        "model": "all",
        "prompt": "hi",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    got = gateway.request("POST", "/v1/completions", body)
    assert got.body == b"".join(b"data: %b\n\n" % each for each in [*chunks, b"[DONE]"])


def test_a_hundred_thousand_inputs_are_refused_here_and_as_many_tokens_go_on(
    gateway, engine
) -> None:
    before = len(engine.requests)
    got = gateway.request("POST", "/v1/embeddings", {"model": "all", "input": ["a"] * 100_000})
    assert (got.status, got.json["error"]["code"]) == (400, "too_many_inputs")
    assert len(engine.requests) == before
    engine.then(json_answer(VECTORS))
    got = gateway.request("POST", "/v1/embeddings", {"model": "all", "input": [1] * 100_000})
    assert (got.status, got.body) == (200, VECTORS)
    assert len(engine.requests[-1].json["input"]) == 100_000


def test_vectors_of_the_deployments_bound_arrive_and_larger_ones_do_not(gateway, engine) -> None:
    head, tail = b'{"data":[{"index":0,"embedding":[', b'0]}],"usage":{"prompt_tokens":1}}'
    for over, status in ((0, 200), (1, 502)):
        middle = b"0,".ljust(2, b" ") * ((BOUND - len(head) - len(tail)) // 2)
        answer = (head + middle + tail).ljust(BOUND + over, b" ")
        engine.then(json_answer(answer))
        got = gateway.request("POST", "/v1/embeddings", {"model": "all", "input": "a"})
        assert got.status == status
        assert got.body == answer or status == 502


def test_a_client_that_leaves_before_its_vectors_cancels_the_engine(gateway, engine) -> None:
    engine.then(silence())
    before = len(engine.requests)
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    client.request("POST", "/v1/embeddings", json.dumps({"model": "all", "input": "a"}))
    received = engine.wait_request(before + 1)
    client.close()
    assert received.cancelled.wait()


@pytest.mark.parametrize(("path", "fields", "answer"), WHOLE, ids=[path for path, _, _ in WHOLE])
@pytest.mark.parametrize(
    "breaking",
    [lambda answer: cut(json_answer(answer), 130), lambda answer: json_answer(answer[:-1]),
     lambda answer: json_answer(b"[]"), lambda answer: json_answer(b'{"error":{"message":"x"}}'),
     lambda answer: json_answer(b'"\xff"'), lambda answer: json_answer(b"[" * 100_000)],
    ids=["cut", "not JSON", "a list", "an error", "no text", "nested without end"],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_502_on_every_surface(
    gateway, engine, path: str, fields: bytes, answer: bytes, breaking: Any
) -> None:
    engine.then(breaking(answer))
    got = gateway.request("POST", path, b'{"model":"all",%b}' % fields)
    assert (got.status, got.json["error"]["code"]) == (502, "upstream_unavailable")


def test_the_official_client_unpacks_the_vectors_it_asks_for_packed(gateway, engine) -> None:
    client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
    engine.then(json_answer(VECTORS))
    said = client.embeddings.create(model="all", input=["a"], dimensions=2)
    assert said.data[0].embedding == [0.5, -0.25]
    assert engine.requests[-1].json["encoding_format"] == "base64"
    assert engine.requests[-1].json["dimensions"] == 2
    assert said.usage.prompt_tokens == 3


def test_the_official_client_reads_every_choice_of_several_prompts(gateway, engine) -> None:
    client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
    choices = [{"index": at, "text": f"t{at}", "finish_reason": "stop", "logprobs": None}
               for at in range(4)]  # fmt: skip
    body = {
        "id": "c",
        "object": "text_completion",
        "created": 1,
        "model": "served",
        "choices": choices,
    }
    engine.then(json_answer(json.dumps(body).encode()))
    said = client.completions.create(model="all", prompt=["a", "b"], n=2, best_of=3, echo=True)
    assert [each.text for each in said.choices] == ["t0", "t1", "t2", "t3"]
    sent = engine.requests[-1].json
    assert (sent["n"], sent["best_of"], sent["echo"], sent["prompt"]) == (2, 3, True, ["a", "b"])
    engine.then(
        event_stream(
            [json.dumps({**body, "choices": [each]}).encode() for each in reversed(choices)]
        )
    )
    streamed = client.completions.create(model="all", prompt=["a", "b"], n=2, stream=True)
    texts = {each.choices[0].index: each.choices[0].text for each in streamed}
    assert texts == {0: "t0", 1: "t1", 2: "t2", 3: "t3"}


def test_a_stream_of_four_choices_that_ends_after_three_is_broken_off(gateway, engine) -> None:
    client = openai.OpenAI(base_url=gateway.url, api_key="none", max_retries=0)
    frames = [
        json.dumps({"choices": [{"index": at, "text": "t", "finish_reason": "stop"}]}).encode()
        for at in range(3)
    ]
    engine.then(event_stream(frames))
    with pytest.raises(openai.APIError) as caught:
        list(client.completions.create(model="all", prompt=["a", "b"], n=2, stream=True))
    assert caught.value.code == "stream_interrupted"


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.booleans())
def test_any_texts_reach_the_engine_as_they_are(texts: list[str], ascii_: bool) -> None:
    from pointsman.surfaces.embeddings import parse_embedding

    said = json.dumps({"model": "m", "input": texts}, ensure_ascii=ascii_)
    try:
        body = said.encode()
    except UnicodeEncodeError:
        return
    request = parse_embedding(body)
    assert bytes(request.fields["input"]).strip() == json.dumps(texts, ensure_ascii=ascii_).encode()
