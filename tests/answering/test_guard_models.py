"""Guard models before and after an engine: what they say decides; what they do not say blocks."""

import json

import msgspec
import pytest
from tests.governing.governed import bound
from tests.support.gateway import RunningGateway, a_config, a_deployment

from pointsman.config import parse
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import GuardSettings
from pointsman.testing import ScriptedUpstream, chat_answer, chat_stream, silence, status_answer

POLICY = """
id: guarded
detectors:
  guard: {use: guard/safety}
rules:
  - {id: nothing-unsafe, stages: [request, response, stream], verdict: block, detectors: [guard]}
"""
SAFE, UNSAFE = "Safety: Safe\nCategories: None", "Safety: Unsafe\nCategories: Violent"


@pytest.fixture
def engines():
    with ScriptedUpstream() as engine, ScriptedUpstream(default=chat_answer(SAFE)) as guard:
        yield engine, guard


def running(tmp_path, engines, policy=POLICY, **settings):
    engine, guard = engines
    deployments = [a_deployment("only", engine.base_url), a_deployment("watch", guard.base_url)]
    config = a_config(tmp_path / "j", deployments, steps=["only"], gate=None)
    settings = {"form": "qwen3guard-gen", "timeout_s": 2.0, **settings}
    guards = {"safety": GuardSettings(name="safety", deployment="watch", **settings)}
    from pointsman.app import governor_of

    config = msgspec.structs.replace(config, guards=guards)
    config = msgspec.structs.replace(config, policies=bound(policy))
    assert governor_of(config) is not None
    return RunningGateway(config)


def judged(engines):
    """What the guard was given, the texts alone."""
    return [
        [message["content"] for message in json.loads(each.body)["messages"]]
        for each in engines[1].requests
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_guard_finds_safe_goes_through(tmp_path, engines, stream):
    make = chat_stream if stream else chat_answer
    engines[0].then(make("Good morning"))
    with running(tmp_path, engines) as gateway:
        answer = gateway.chat("hello", stream=stream)
    assert b"morning" in answer.body
    assert judged(engines) == [["hello"], ["hello", "Good morning"]]


def test_an_unsafe_request_reaches_no_engine(tmp_path, engines):
    engines[1].then(chat_answer(UNSAFE))
    with running(tmp_path, engines) as gateway:
        answer = gateway.chat("how to hurt")
    assert (answer.status, answer.json["error"]["code"]) == (400, "content_filter")
    assert not engines[0].requests


@pytest.mark.parametrize("stream", [False, True])
def test_an_unsafe_answer_reaches_no_client(tmp_path, engines, stream):
    make = chat_stream if stream else chat_answer
    engines[0].then(make("do it like this"))
    engines[1].then(chat_answer(SAFE), chat_answer(UNSAFE))
    with running(tmp_path, engines) as gateway:
        answer = gateway.chat("hello", stream=stream)
    assert b"like this" not in answer.body
    assert b"content_filter" in answer.body


@pytest.mark.parametrize(
    "said",
    [chat_answer("I think it is fine"), silence(), status_answer(500), chat_answer("")],
    ids=["unreadable", "silent", "broken", "empty"],
)
def test_a_guard_that_says_nothing_lets_nothing_through(tmp_path, engines, said):
    engines[1].then(*[said] * 4)
    with running(tmp_path, engines, timeout_s=0.5) as gateway:
        answer = gateway.chat("hello")
    assert answer.status == 400
    assert not engines[0].requests


def test_the_middle_verdict_counts_as_configured(tmp_path, engines):
    middle = chat_answer("Safety: Controversial\nCategories: Unethical Acts")
    for counts, status in (("unsafe", 400), ("safe", 200)):
        engines[1].then(middle)
        with running(tmp_path / counts, engines, controversial=counts) as gateway:
            assert gateway.chat("hello").status == status


def test_only_what_a_policy_asks_is_asked(tmp_path, engines):
    policy = POLICY.replace("[request, response, stream]", "[response]")
    with running(tmp_path, engines, policy) as gateway:
        assert gateway.chat("hello").status == 200
    assert [texts[0] for texts in judged(engines)] == ["hello"]  # as what was answered to
    assert len(judged(engines)[0]) == 2


def test_many_texts_and_long_ones_are_bounded(tmp_path, engines):
    parts = [{"type": "text", "text": f"part {at}"} for at in range(40)]
    with running(tmp_path, engines) as gateway:
        answer = gateway.chat(messages=[{"role": "user", "content": parts}])
    assert answer.status == 400
    assert len(engines[1].requests) <= 32


NAMES = """
id: nameless
detectors:
  people: {use: guard/safety, kinds: [person]}
rules:
  - {id: no-names, stages: [request, response], verdict: redact, detectors: [people],
     redact: {replacement: "<name>"}}
"""


def people(*found):
    named = [{"kind": "person", "text": each} for each in found]
    return chat_answer(json.dumps({"names": [*named, {"kind": "location", "text": "Bonn"}]}))


@pytest.mark.parametrize("stream", [False, True])
def test_names_that_a_model_gives_are_taken_out_where_they_stand(tmp_path, engines, stream):
    make = chat_stream if stream else chat_answer
    engines[0].then(make("Ben Ohm of Bonn. Ask Ben Ohm."))
    engines[1].then(people("Anna"), people("Ben Ohm", "Carl"))
    with running(tmp_path, engines, NAMES, form="names") as gateway:
        answer = gateway.chat("Anna of Bonn asks", stream=stream)
    assert b"<name> of Bonn asks" in engines[0].requests[0].body
    said = answer.body if stream else answer.json["choices"][0]["message"]["content"].encode()
    assert b"Ben" not in said
    assert b"Bonn" in said
    sent = json.loads(engines[1].requests[0].body)
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert [each["role"] for each in sent["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    "said",
    [chat_answer("I see no names"), chat_answer('{"names": ['), silence(), status_answer(400)],
    ids=["prose", "cut off", "silent", "refused"],
)
def test_a_model_that_gives_no_names_lets_nothing_through(tmp_path, engines, said):
    engines[1].then(*[said] * 4)
    with running(tmp_path, engines, NAMES, form="names", timeout_s=0.5) as gateway:
        assert gateway.chat("Anna asks").status == 400
    assert not engines[0].requests


def test_arguments_of_tools_are_asked_about_as_they_will_be_read(tmp_path, engines):
    call = {"id": "c", "type": "function",
            "function": {"name": "f", "arguments": '{"a": "\\u0041nna"}'}}  # fmt: skip
    with running(tmp_path, engines) as gateway:
        messages = [{"role": "user", "content": "hi"},
                    {"role": "assistant", "content": None, "tool_calls": [call]}]  # fmt: skip
        assert gateway.chat(messages=messages).status == 200
    assert ['{"a": "Anna"}'] in judged(engines)


def test_what_is_configured_is_checked():
    text = """
deployments: {a: {model: m, base_url: "http://h/v1"}}
guards: {safety: {deployment: a, form: qwen3guard-gen}}
"""
    assert parse(text, env={}).guards["safety"].deployment == "a"
    for wrong in ("deployment: b", "form: other"):
        right = wrong.split(":")[0]
        broken = text.replace(
            "deployment: a" if right == "deployment" else "form: qwen3guard-gen", wrong
        )
        with pytest.raises(ConfigurationError):
            parse(broken, env={})
