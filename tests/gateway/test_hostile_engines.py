"""Engines that lie, repeat themselves or never stop."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.backends.incoming import parse, strip
from pointsman.domain.portfolio import Limits
from pointsman.domain.task import VerifierSpec
from pointsman.testing import (
    ScriptedUpstream,
    chat_answer,
    chat_stream,
    event_stream,
    status_answer,
)


@pytest.fixture
def engine():
    with ScriptedUpstream() as upstream:
        yield upstream


def gateway_for(tmp_path, upstream, **changes):
    deployment = a_deployment("only", upstream.base_url, **changes)
    return RunningGateway(a_config(tmp_path, [deployment], gate=None))


def an_answer(**changes):
    choice = {"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}
    return status_answer(200, {"id": "c1", "model": "m", "choices": [choice], **changes})


def test_a_name_without_end_still_leaves_one_end_record(tmp_path, engine):
    engine.then(an_answer(model="m" * 1_100_000, id="i" * 1_100_000))
    with gateway_for(tmp_path, engine) as gateway:
        assert gateway.chat().status == 200
        [row] = gateway.rows()
    assert row["status"] == "delivered"
    assert len(row["attempts"]) < 5_000


@pytest.mark.parametrize(
    ("usage", "prompt"), [({"prompt_tokens": -(10**9)}, 0), ({"prompt_tokens": 1e300}, 10**9),
                          ({"prompt_tokens": 3.0, "completion_tokens": 2}, 3)],
)  # fmt: skip
def test_a_count_that_is_none_books_no_negative_cost(tmp_path, engine, usage, prompt):
    engine.then(an_answer(usage=usage))
    with gateway_for(tmp_path, engine) as gateway:
        assert gateway.chat().status == 200
        [row] = gateway.rows()
    assert json.loads(row["attempts"])[0]["usage"].get("prompt_tokens", 0) == prompt
    assert row["cost_usd_picos"] >= 0


def test_a_stream_over_the_bound_is_cut_and_says_so(tmp_path, engine):
    piece = json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}).encode()
    engine.then(event_stream([piece] * 100 + [b"[DONE]"], every_s=0.002))
    limits = Limits(max_answer_bytes=20_000)
    with gateway_for(tmp_path, engine, limits=limits) as gateway:
        answer = gateway.chat(stream=True)
        assert "[DONE]" not in answer.events
        assert "error" in json.loads(answer.events[-1])
        [row] = gateway.rows()
    assert json.loads(row["attempts"])[0]["failure"]["kind"] == "too_large"


def test_an_event_in_several_lines_reaches_the_client_as_one(tmp_path, engine):
    event = (
        b'{"id":"i",\ndata: "choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    )
    engine.then(event_stream([event, b"[DONE]"]))
    with gateway_for(tmp_path, engine) as gateway:
        answer = gateway.chat(stream=True)
        assert answer.text == "a"
        assert answer.events[-1] == "[DONE]"


def test_two_choices_of_one_index_are_nobodys_answer(tmp_path, engine):
    halves = [{"index": 0, "message": {"content": part}, "finish_reason": "stop"}
              for part in ('{"ok":', "1}")]  # fmt: skip
    engine.then(an_answer(choices=halves))
    with gateway_for(tmp_path, engine) as gateway:
        assert gateway.chat(n=2).status == 502


def two_steps(tmp_path, small, large, gate):
    deployments = [a_deployment("small", small.base_url), a_deployment("large", large.base_url)]
    return RunningGateway(a_config(tmp_path, deployments, gate=gate))


def test_logprobs_of_a_part_do_not_vouch_for_the_whole(tmp_path, engine):
    words = {"message": {"content": "w " * 200}, "index": 0, "finish_reason": "stop"}
    words["logprobs"] = {"content": [{"token": "w", "logprob": -0.1}]}
    engine.then(an_answer(choices=[words], usage={"prompt_tokens": 1, "completion_tokens": 200}))
    with (
        ScriptedUpstream(default=chat_answer("strong")) as large,
        two_steps(tmp_path, engine, large, "logprob.min >= -0.5") as gateway,
    ):
        assert gateway.chat().headers["x-pointsman-deployment"] == "large"


def test_fewer_choices_than_asked_are_not_accepted(tmp_path, engine):
    engine.then(an_answer())
    with (
        ScriptedUpstream(default=chat_answer("strong")) as large,
        two_steps(tmp_path, engine, large, "verified") as gateway,
    ):
        assert gateway.chat(n=3).headers["x-pointsman-deployment"] == "large"


def test_an_id_given_twice_is_told_and_the_trace_id_still_works(tmp_path, engine):
    engine.then(an_answer(id="same"), an_answer(id="same"))
    with gateway_for(tmp_path, engine) as gateway:
        traces = [gateway.chat().headers["x-pointsman-trace"] for _ in range(2)]
        said = gateway.request("POST", "/v1/feedback", {"id": "same", "kind": "accepted"})
        assert (said.status, said.json["error"]["code"]) == (400, "ambiguous_id")
        for trace in traces:
            body = {"trace": trace, "kind": "accepted"}
            assert gateway.request("POST", "/v1/feedback", body).json["trace"] == trace


def test_a_key_stands_for_one_fact(tmp_path, engine):
    engine.then(an_answer(id="a"), an_answer(id="b"))
    with gateway_for(tmp_path, engine) as gateway:
        one, two = (gateway.chat().headers["x-pointsman-trace"] for _ in range(2))
        first = {"trace": one, "kind": "accepted", "key": "k"}
        assert gateway.request("POST", "/v1/feedback", first).status == 200
        other = {"trace": two, "kind": "rejected", "key": "k"}
        assert gateway.request("POST", "/v1/feedback", other).json["error"]["code"] == "key_reused"


def doubled(kind: str, *words: str) -> bytes:
    """An answer, or an event, that names its choices several times."""
    lists = ", ".join(
        '"choices": ' + json.dumps([{"index": 0, kind: {"content": each}, "finish_reason": "stop"}])
        for each in words
    )
    return f'{{"id": "c1", "model": "m", {lists}}}'.encode()


@pytest.mark.parametrize(
    ("words", "who"),
    [(("42", "none"), "large"), (("none", "42"), "small"), (("7", "none", "42"), "small")],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_choices_named_twice_are_judged_as_they_are_read(tmp_path, engine, words, who, stream):
    if stream:
        engine.then(event_stream([doubled("delta", *words), b"[DONE]"]))
    else:
        engine.then(status_answer(200, doubled("message", *words)))
    digits = VerifierSpec(name="digits", kind="regex", spec="[0-9]+")
    with ScriptedUpstream(default=chat_stream("43") if stream else chat_answer("43")) as large:
        deployments = [
            a_deployment("small", engine.base_url),
            a_deployment("large", large.base_url),
        ]
        with RunningGateway(a_config(tmp_path, deployments, verifiers=[digits])) as gateway:
            answer = gateway.chat(stream=stream)
            [row] = gateway.rows()
    assert row["deployment"] == who
    text = answer.text if stream else answer.json["choices"][0]["message"]["content"]
    assert text == (words[-1] if who == "small" else "43")


NAMES = st.sampled_from(["content", "refusal", "reasoning"])


@given(
    said=st.lists(st.lists(st.tuples(NAMES, st.text(max_size=4)), max_size=4), min_size=1,
                  max_size=4),
    logprobs=st.booleans(),
)  # fmt: skip
def test_what_is_judged_is_what_any_reader_of_json_sees(said, logprobs: bool) -> None:
    """However often a name is repeated, on any level: the last one counts, for us and for them."""
    lists = []
    for fields in said:
        text = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields)
        lists.append(f'"choices": [{{"index": 0, "message": {{{text}}}}}]')
    data = f"{{{', '.join(lists)}}}".encode()
    [choice] = parse(data).choices or []
    assert choice.message is not None
    [seen] = json.loads(strip(data, usage=True, logprobs=logprobs))["choices"]
    for name in ("content", "refusal", "reasoning"):
        assert getattr(choice.message, name) == seen["message"].get(name)
