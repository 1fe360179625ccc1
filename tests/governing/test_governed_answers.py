"""Policies on the real gateway: requests before anyone is asked, answers before anyone sees."""

import dataclasses
import json

import msgspec
import pytest
from tests.governing.governed import BLOCK, REDACT, asked, bound, governed, texts_in, told_of
from tests.support.gateway import a_config, a_deployment

from pointsman.domain.task import Configuration, ReviewSettings
from pointsman.governing.governor import Governor
from pointsman.policy.facts import Facts
from pointsman.surfaces.table import SURFACES
from pointsman.testing import ScriptedUpstream, Step, chat_answer, chat_stream, status_answer

WRITTEN_ON = ("chat", "completions", "responses", "messages")
SECRET = "EMP-123456"
LEAK = f"The code is {SECRET}, keep it."
ENDS = {"chat": "content_filter", "completions": "content_filter"}


@pytest.fixture
def upstream():
    with ScriptedUpstream() as one:
        yield one


def words(answer, stream):
    return answer.text if stream else answer.json["choices"][0]["message"]["content"]


def answering(surface, text, stream):
    """A script that answers a surface's operation with a text, in pieces where it streams."""
    if surface != "completions":
        return chat_stream(list(text)) if stream else chat_answer(text)
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    if not stream:
        return status_answer(200, {"id": "c", "object": "text_completion", "choices": [choice]})
    from pointsman.testing import event_stream

    events = [
        json.dumps({"id": "c", "choices": [{"index": 0, "text": c, "finish_reason": None}]})
        for c in text
    ]
    events.append(json.dumps({"id": "c", "choices": [{**choice, "text": ""}]}))
    return event_stream([*map(str.encode, events), b"[DONE]"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", WRITTEN_ON)
def test_a_span_is_taken_out_on_every_surface(tmp_path, upstream, surface, stream):
    upstream.then(answering(surface, LEAK, stream))
    with governed(tmp_path, [upstream], REDACT) as gateway:
        answer = gateway.request("POST", *asked(surface, stream=stream))
        told = told_of(gateway, answer)
    assert answer.status == 200
    assert SECRET.encode() not in answer.body
    shown = answer.body.decode()
    assert "<code>" in "".join(texts_in(json.loads(shown))) if not stream else "<code>" in shown
    attempt = told["end"]["attempts"][0]
    assert attempt["policy"]["verdict"] == "redact"
    assert attempt["policy"]["why"] == "codes: no-codes"
    [fired] = attempt["policy"]["fired"]
    assert (fired["findings"][0]["start"], fired["findings"][0]["end"]) == (12, 22)
    assert SECRET not in json.dumps(told)
    assert told["status"] == "delivered"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", WRITTEN_ON)
def test_a_blocked_answer_says_so_as_its_surface_does(tmp_path, upstream, surface, stream):
    upstream.then(answering(surface, "It was Falcon-9 all along", stream))
    with governed(tmp_path, [upstream], BLOCK) as gateway:
        answer = gateway.request("POST", *asked(surface, stream=stream))
        told = told_of(gateway, answer)
    assert answer.status == 200
    assert b"Falcon" not in answer.body
    reason = {"responses": b'"reason":"content_filter"', "messages": b'"stop_reason":"refusal"'}
    assert reason.get(surface, b'"finish_reason":"content_filter"') in answer.body
    if surface == "chat" and stream:
        assert answer.events[-1] == "[DONE]"
    assert told["status"] == "refused"
    assert told["end"]["error"] == "content_filter"
    assert told["end"]["attempts"][0]["policy"]["verdict"] == "block"
    assert "Falcon" not in json.dumps(told)


@pytest.mark.parametrize("surface", WRITTEN_ON)
def test_a_blocked_request_reaches_no_engine(tmp_path, upstream, surface):
    with governed(tmp_path, [upstream], BLOCK) as gateway:
        answer = gateway.request("POST", *asked(surface, "tell me of Falcon-9"))
        told = told_of(gateway, answer)
    assert answer.status == 400
    assert b"content_filter" in answer.body
    assert b"Falcon-9" not in answer.body
    assert upstream.requests == []
    assert told["admission"]["policy"]["verdict"] == "block"
    assert told["end"]["status"] == "refused"
    assert "Falcon" not in json.dumps(told)


def test_what_is_redacted_of_a_request_no_engine_sees(tmp_path, upstream):
    policy = REDACT.replace("[response]", "[request, tool_result]")
    with governed(tmp_path, [upstream], policy) as gateway:
        messages = [
            {"role": "user", "content": [{"type": "text", "text": f"my code {SECRET}"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function",
                 "function": {"name": "look", "arguments": '{"code": "EMP-000001"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": f"found {SECRET}"},
        ]  # fmt: skip
        body = {"model": "task:work", "messages": messages, "temperature": 0}
        answer = gateway.request("POST", "/v1/chat/completions", body)
        told = told_of(gateway, answer)
    [sent] = upstream.requests
    assert b"EMP-" not in sent.body
    assert sent.json["messages"][2]["content"] == "found <code>"
    assert (
        sent.json["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"code": "<code>"}'
    )
    assert sent.json["temperature"] == 0
    assert answer.headers["x-pointsman-policy"] == "redact"
    assert SECRET not in json.dumps(told)


def test_benign_answers_are_byte_for_byte_what_they_were(tmp_path, upstream):
    upstream.then(chat_answer("All is well, EMP-12 is no code."))
    upstream.then(chat_answer("All is well, EMP-12 is no code."))
    with governed(tmp_path / "a", [upstream], REDACT, BLOCK) as gateway:
        ruled = gateway.chat()
        told = told_of(gateway, ruled)
    with governed(tmp_path / "b", [upstream]) as gateway:
        free = gateway.chat()
    assert ruled.body.replace(b"chatcmpl-1", b"").replace(b"1800000001", b"") == free.body.replace(
        b"chatcmpl-2", b""
    ).replace(b"1800000002", b"")
    said = told["end"]["attempts"][0]["policy"]
    assert "verdict" not in said
    assert [each.split("@")[0] for each in said["policies"]] == ["codes", "falcon"]
    assert "x-pointsman-policy" not in ruled.headers


def test_every_channel_of_a_whole_answer_is_looked_at(tmp_path, upstream):
    calls = [{"id": "c", "type": "function", "function": {
        "name": "send", "arguments": json.dumps({"to": SECRET})}}]  # fmt: skip
    upstream.then(chat_answer(
        SECRET, reasoning_content=f"think {SECRET}", refusal=SECRET, tool_calls=calls,
        annotations=[{"type": "x", "note": {"text": SECRET}}],
    ))  # fmt: skip
    with governed(tmp_path, [upstream], REDACT) as gateway:
        answer = gateway.chat()
    assert SECRET.encode() not in answer.body
    assert answer.body.count(b"<code>") == 5


def test_what_nobody_can_look_into_is_withheld(tmp_path, upstream):
    upstream.then(chat_answer("listen", audio={"data": "AAAA", "id": "a"}))
    with governed(tmp_path, [upstream], REDACT) as gateway:
        answer = gateway.chat()
        told = told_of(gateway, answer)
    assert b"AAAA" not in answer.body
    [unjudged] = told["end"]["attempts"][0]["policy"]["unjudged"]
    assert "audio" in unjudged["reason"]


def test_a_picture_in_a_request_is_not_taken_for_looked_at(tmp_path, upstream):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "what is it"}, picture]}]
    with governed(tmp_path / "a", [upstream], BLOCK) as gateway:
        answer = gateway.request(
            "POST", "/v1/chat/completions", {"model": "task:work", "messages": messages}
        )
        assert answer.status == 400
    open_ = (
        BLOCK
        + """
stages:
  request: {on_unjudged: fail_open, fail_open: {reason: pictures, expires: 2999-01-01}}
"""
    )
    with governed(tmp_path / "b", [upstream], open_) as gateway:
        answer = gateway.request(
            "POST", "/v1/chat/completions", {"model": "task:work", "messages": messages}
        )
        assert answer.status == 200


ESCALATE = """
id: dose
detectors:
  dose: {regex: "[0-9]+ mg"}
rules:
  - {id: no-dose, stages: [response], verdict: escalate, detectors: [dose]}
"""


@pytest.mark.parametrize("stream", [False, True])
def test_an_escalation_asks_the_next_step_and_looks_again(tmp_path, upstream, stream):
    make = chat_stream if stream else chat_answer
    with ScriptedUpstream() as large:
        upstream.then(make("Take 400 mg"), make("Take 400 mg"))
        large.then(make("Ask a doctor"), make("Take 200 mg"))
        with governed(tmp_path, [upstream, large], ESCALATE) as gateway:
            good = gateway.chat(stream=stream)
            bad = gateway.chat(stream=stream)
            told = told_of(gateway, bad)
            metrics = gateway.request("GET", "/metrics").body.decode()
    assert (
        good.text if stream else good.json["choices"][0]["message"]["content"]
    ) == "Ask a doctor"
    assert b" mg" not in bad.body
    assert b"content_filter" in bad.body
    attempts = told["end"]["attempts"]
    assert attempts[0]["gate"]["reason"] == "policy dose: no-dose"
    assert [each["policy"]["verdict"] for each in attempts] == ["escalate", "escalate"]
    assert "x-pointsman-policy" not in good.headers
    assert bad.headers["x-pointsman-policy"] == "escalate"
    [counted] = [line for line in metrics.splitlines() if 'policy_verdict="escalate"' in line]
    assert counted.startswith("pointsman_policy_verdicts_total{")
    assert float(counted.split()[-1]) == 3


def test_an_escalation_that_fails_leaves_nothing_to_deliver(tmp_path, upstream):
    with ScriptedUpstream(default=status_answer(500)) as large:
        upstream.then(chat_answer("Take 400 mg"))
        with governed(tmp_path, [upstream, large], ESCALATE) as gateway:
            answer = gateway.chat()
    assert b" mg" not in answer.body
    assert answer.json["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("stream", [False, True])
def test_rewriting_and_holding_leave_nothing_of_the_answer(tmp_path, upstream, stream):
    make = chat_stream if stream else chat_answer
    rewrite = ESCALATE.replace("escalate", "rewrite").replace(
        "detectors: [dose]}", "detectors: [dose], rewrite: {text: Please ask a doctor.}}"
    )
    upstream.then(make("Take 400 mg"), make("Take 400 mg"))
    with governed(tmp_path / "a", [upstream], rewrite) as gateway:
        answer = gateway.chat(stream=stream)
        said = words(answer, stream)
        assert said == "Please ask a doctor."
    made = governed(tmp_path / "b", [upstream], ESCALATE.replace("escalate", "hold"))
    made.config = msgspec.structs.replace(made.config, review=ReviewSettings(stream_wait_s=0.1))
    with made as gateway:
        answer = gateway.chat(stream=stream)
        told = told_of(gateway, answer)
    assert b"mg" not in answer.body
    assert told["end"]["attempts"][0]["policy"]["verdict"] == "hold"


def test_a_rewriting_that_breaks_the_rules_itself_is_withheld(tmp_path, upstream):
    rewrite = ESCALATE.replace("escalate", "rewrite").replace(
        "detectors: [dose]}", "detectors: [dose], rewrite: {text: Take 1 mg.}}"
    )
    upstream.then(chat_answer("Take 400 mg"))
    with governed(tmp_path, [upstream], rewrite) as gateway:
        assert b"mg" not in gateway.chat().body


@pytest.mark.parametrize("stream", [False, True])
def test_obligations_are_kept(tmp_path, upstream, stream, caplog):
    duties = "{append: Ask a doctor., notify: a, capture: digests}"
    policy = ESCALATE.replace("escalate", "annotate").replace(
        "detectors: [dose]}", f"detectors: [dose], obligations: {duties}}}"
    )
    upstream.then((chat_stream if stream else chat_answer)("Take 400 mg"))
    with governed(tmp_path, [upstream], policy) as gateway:
        answer = gateway.chat(stream=stream)
        told = told_of(gateway, answer)
    said = words(answer, stream)
    assert said == "Take 400 mg\n\nAsk a doctor."
    assert "policy: notify a of tr_" in caplog.text
    assert "response_body" not in told or told["response_body"] is None


def test_shadow_changes_nothing_and_is_told(tmp_path, upstream):
    upstream.then(chat_answer(LEAK))
    with governed(tmp_path, [upstream], "mode: shadow\n" + REDACT.lstrip()) as gateway:
        answer = gateway.chat()
        told = told_of(gateway, answer)
    assert answer.json["choices"][0]["message"]["content"] == LEAK
    [fired] = told["end"]["attempts"][0]["policy"]["fired"]
    assert fired["how"] == "shadow"


def test_a_binding_is_for_its_tenants_alone(tmp_path, upstream):
    upstream.then(chat_answer(LEAK))
    with governed(tmp_path, [upstream], REDACT, binding={"tenants": ("clinic-*",)}) as gateway:
        answer = gateway.chat()
        told = told_of(gateway, answer)
    assert SECRET.encode() in answer.body
    assert "policy" not in told["end"]["attempts"][0]


def test_documents_are_a_stage_of_their_own(tmp_path, upstream):
    policy = REDACT.replace("[response]", "[retrieval]")
    with governed(tmp_path, [upstream], policy) as gateway:
        gateway.chat(SECRET, documents=[f"of {SECRET}", {"text": f"and {SECRET}"}])
    [sent] = (each.json for each in upstream.requests)
    assert sent["documents"] == ["of <code>", {"text": "and <code>"}]
    assert sent["messages"][0]["content"] == SECRET


@pytest.mark.parametrize(
    ("path", "body", "field", "left"),
    [
        ("/v1/rerank", {"query": SECRET, "documents": [SECRET, {"text": SECRET}]}, "documents",
         ["<code>", {"text": "<code>"}]),
        ("/v1/embeddings", {"input": ["a", SECRET]}, "input", ["a", "<code>"]),
        ("/v1/embeddings", {"input": SECRET}, "input", "<code>"),
        ("/v1/completions", {"prompt": SECRET}, "prompt", "<code>"),
    ],
)  # fmt: skip
def test_every_operation_has_its_texts(path, body, field, left):
    governor = Governor(bound(REDACT.replace("[response]", "[request, retrieval]")))
    surface = SURFACES[path]
    facts = Facts(surface=surface.name)
    request = surface.parse(msgspec.json.encode({"model": "m", **body}))
    found = governor.request(governor.rules(facts).inbound, facts, request)
    assert found.decided.verdict == "redact"
    assert msgspec.json.decode(found.request.fields[field]) == left


def test_a_prompt_in_tokens_is_not_taken_for_looked_at():
    governor = Governor(bound(BLOCK))
    facts = Facts(surface="completions")
    request = SURFACES["/v1/completions"].parse(b'{"model": "m", "prompt": [1, 2, 3]}')
    found = governor.request(governor.rules(facts).inbound, facts, request)
    assert found.decided.verdict == "block"
    assert "3 tokens" in found.decided.unjudged[0].reason


def test_what_tools_are_called_with_is_a_stage_of_its_own(tmp_path, upstream):
    policy = BLOCK.replace("[response, request]", "[tool_call]")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '"Falcon-9"'}}
    upstream.then(chat_answer("Falcon-9"), chat_answer("ok", tool_calls=[call]))
    with governed(tmp_path, [upstream], policy) as gateway:
        assert gateway.chat().json["choices"][0]["message"]["content"] == "Falcon-9"
        assert b"Falcon" not in gateway.chat().body


def test_every_choice_is_looked_at(tmp_path, upstream):
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for at, text in enumerate(["fine", LEAK])
    ]
    upstream.then(status_answer(200, {"id": "c", "choices": choices}))
    with governed(tmp_path, [upstream], REDACT) as gateway:
        said = gateway.chat(n=2).json["choices"]
    assert [each["message"]["content"] for each in said] == [
        "fine", "The code is <code>, keep it.",
    ]  # fmt: skip


def test_a_detector_that_breaks_is_never_taken_for_clear(tmp_path, upstream, monkeypatch):
    from pointsman.policy.regular import Regular

    def broken(*_, **__):
        raise RuntimeError("no")

    upstream.then(chat_answer("fine"))
    with governed(tmp_path, [upstream], REDACT) as gateway:
        monkeypatch.setattr(Regular, "judge", broken)
        answer = gateway.chat()
        told = told_of(gateway, answer)
    assert answer.json["choices"][0]["finish_reason"] == "content_filter"
    [unjudged] = told["end"]["attempts"][0]["policy"]["unjudged"]
    assert unjudged["reason"] == "the detector broke: RuntimeError"


def test_a_configuration_with_policies_goes_to_other_processes_as_it_is(tmp_path):
    config = a_config(tmp_path, [a_deployment("small", "http://127.0.0.1:1/v1")])
    config = msgspec.structs.replace(config, policies=bound(REDACT, BLOCK))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=Configuration) == config


@pytest.mark.parametrize("stream", [False, True])
def test_what_an_engine_says_beside_the_choices_is_looked_at_too(tmp_path, upstream, stream):
    def beside(request):
        play = (chat_stream if stream else chat_answer)("fine")(request)
        steps = [
            dataclasses.replace(
                each, data=each.data.replace(b'"model":', b'"note":{"x":["EMP-123456"]},"model":')
            )
            for each in play.steps
        ]
        return dataclasses.replace(play, steps=tuple(steps))

    upstream.then(unsized(beside) if stream else resized(beside))
    with governed(tmp_path, [upstream], REDACT) as gateway:
        answer = gateway.chat(stream=stream)
    assert b"fine" in answer.body
    assert b"EMP-123456" not in answer.body


def resized(script):
    """The same answer with the length that it has now."""

    def play(request):
        made = script(request)
        whole = b"".join(each.data for each in made.steps)
        head, _, body = whole.partition(b"\r\n\r\n")
        lines = [
            each for each in head.split(b"\r\n") if not each.lower().startswith(b"content-length")
        ]
        data = b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", b""]) + body
        return dataclasses.replace(made, steps=(Step(data=data),))

    return play


def unsized(script):
    """The same stream, its chunks given the sizes that they have now."""

    def play(request):
        made = script(request)
        steps = []
        for each in made.steps:
            _, line, rest = each.data.partition(b"\r\n")
            if line and rest.startswith(b"data:"):
                body = rest[: rest.rindex(b"\r\n")]
                each = dataclasses.replace(each, data=b"%x\r\n%b\r\n" % (len(body), body))
            steps.append(each)
        return dataclasses.replace(made, steps=tuple(steps))

    return play
