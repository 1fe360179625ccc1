"""Answers in shapes that no engine has to write: what a policy protects stays in them all."""

import json

import pytest
from tests.governing.governed import REDACT, asked, governed
from tests.governing.test_governed_answers import SECRET

from pointsman.testing import ScriptedUpstream, event_stream, status_answer

BASE = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}


def choice(**said):
    return {"choices": [{"index": 0, "finish_reason": None, **said}]}


def delta(said, **more):
    return choice(delta=said, **more)


STREAMS = {
    "text_beside_delta": [delta({"content": "a"}), delta({"content": "b"}, text=SECRET)],
    "message_beside_delta": [
        delta({"content": "a"}), delta({"content": "b"}, message={"content": SECRET})],
    "message_between_deltas": [
        delta({"content": "EMP-1"}), choice(message={"content": "zz"}),
        delta({"content": "23456"})],
    "thinking_between_contents": [
        delta({"content": "EMP-1"}),
        delta({"content": [{"type": "thinking", "thinking": "zz"}]}),
        delta({"content": "23456"})],
    "object_arguments": [
        delta({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {
            "name": "f", "arguments": {"id": SECRET, "status": SECRET}}}]})],
    "name_of_object_arguments": [
        delta({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {
            "name": "f", "arguments": {SECRET: 1}}}]})],
    "unknown_choice_field": [delta({"content": "a"}), delta({"content": "b"}, other=SECRET)],
    "sentence_as_a_word_of_the_protocol": [
        delta({"content": "a", "status": f"it is {SECRET}"})],
    "odd_choice": [delta({"content": "a"}), {"choices": [SECRET]}],
    "choices_object": [delta({"content": "a"}), {"choices": {"0": {"text": SECRET}}}],
    "unassigned_hidden": [delta({"content": "EMP-12\u206534\ufff056"})],
    "mongolian_hidden": [delta({"content": "EMP-12\u180b3456"})],
}  # fmt: skip


def bare(text):
    """A client's reading, without what it does not show."""
    return text.replace("\u2065", "").replace("\ufff0", "").replace("\u180b", "")


def read(events):
    """Everything of a stream, and its content alone joined."""
    deltas = [one for e in events if e != "[DONE]" for one in json.loads(e).get("choices", ())]
    content = "".join(
        said for one in deltas if isinstance(one, dict)
        if isinstance(said := (one.get("delta") or {}).get("content"), str)
    )  # fmt: skip
    return "".join(events) + json.dumps(content, ensure_ascii=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_an_odd_shape_shows_nothing(tmp_path, name):
    events = [json.dumps(BASE | each).encode() for each in STREAMS[name]]
    end = json.dumps(BASE | choice(delta={}, finish_reason="stop")).encode()
    with ScriptedUpstream() as upstream, governed(tmp_path, [upstream], REDACT) as gateway:
        upstream.then(event_stream([*events, end, b"[DONE]"]))
        got = gateway.request("POST", *asked("chat", stream=True))
    shown = bare(read(got.events))
    assert SECRET not in shown, got.body


WHOLE = {
    "parts": {"message": {"content": [
        {"type": "text", "text": "EMP-1"}, {"type": "text", "text": "23456"}]}},
    "object_arguments": {"message": {"content": None, "tool_calls": [{
        "id": "c", "type": "function",
        "function": {"name": "f", "arguments": {"id": SECRET, "type": SECRET}}}]}},
    "unknown_choice_field": {"message": {"content": "a"}, "other": SECRET},
    "delta": {"message": {"content": "a"}, "delta": {"content": SECRET}},
    "word_of_the_protocol": {"message": {"content": "a"}, "other": {"status": SECRET}},
    "sentence_as_one": {"message": {"content": "a", "detail": f"it is {SECRET}"}},
}  # fmt: skip


@pytest.mark.parametrize("surface", ["chat", "responses", "messages"])
@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_of_an_odd_shape_shows_nothing(tmp_path, name, surface):
    body = BASE | {"choices": [{"index": 0, "finish_reason": "stop",
                                **{"message": {}}, **WHOLE[name]}]}  # fmt: skip
    body["choices"][0]["message"]["role"] = "assistant"
    with ScriptedUpstream() as upstream, governed(tmp_path, [upstream], REDACT) as gateway:
        upstream.then(status_answer(200, body))
        got = gateway.request("POST", *asked(surface))
    assert SECRET not in got.body.decode(), got.body
    assert SECRET not in joined(json.loads(got.body)), got.body


def test_no_name_hides_what_stands_beside_the_choices(tmp_path):
    said = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}
    beside = {"warnings": [{"type": SECRET, "id": SECRET, "detail": SECRET}]}
    with ScriptedUpstream() as upstream, governed(tmp_path, [upstream], REDACT) as gateway:
        upstream.then(status_answer(200, BASE | {"choices": [said], **beside}))
        got = gateway.request("POST", *asked("chat"))
    assert got.status == 200
    assert SECRET not in got.body.decode()


def joined(value):
    """What the texts of an answer are together."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(joined(one) for name, one in value.items() if name != "type")
    return "".join(map(joined, value)) if isinstance(value, list) else ""
