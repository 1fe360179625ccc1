"""The checks of a stream's form know a good stream, and each way in which it can be spoilt."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.matching import Mismatch
from tests.conformance.streams import Stream, chat_stream, messages_stream, responses_stream
from tests.conformance.wire import Answer

Events = list[Any]
_HEADERS = (("content-type", "text/event-stream"), ("cache-control", "no-cache"))


def answer(events: Events, *, named: bool) -> Answer:
    def text(event: Any) -> str:
        name = f"event: {event['type']}\n" if named else ""
        return f"{name}data: {event if event == '[DONE]' else json.dumps(event)}\n\n"

    body = "".join(map(text, events)).encode()
    return Answer(raw=body, status=200, headers=_HEADERS, body=body, whole=True)


def chat_events() -> Events:
    def chunk(delta: Any, reason: str | None = None) -> Any:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [choice]}  # fmt: skip

    return [chunk({"role": "assistant", "content": "Go"}), chunk({"content": "od"}),
            chunk({}, "stop"), "[DONE]"]  # fmt: skip


def messages_events() -> Events:
    message: Any = {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
                    "model": "m", "stop_reason": None, "stop_sequence": None,
                    "usage": {"input_tokens": 1}}  # fmt: skip

    def delta(text: str) -> Any:
        return {"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": text}}  # fmt: skip

    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"}, delta("Go"), delta("od"), {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]  # fmt: skip


def responses_events() -> Events:
    part = {"type": "output_text", "text": "Good", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
    at = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    events: Events = [
        {"type": "response.created", "response": {**response, "output": []}},
        {"type": "response.in_progress", "response": {**response, "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "Go"},
        {"type": "response.output_text.delta", **at, "delta": "od"},
        {"type": "response.output_text.done", **at, "text": "Good"},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


FORMS: dict[str, tuple[Callable[[Answer], Stream], Callable[[], Events], bool]] = {
    "chat": (chat_stream, chat_events, False),
    "messages": (messages_stream, messages_events, True),
    "responses": (responses_stream, responses_events, True),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_good_stream_is_read(name: str) -> None:
    read, events, named = FORMS[name]
    assert read(answer(events(), named=named)) == Stream(text="Good", ended=True)


@pytest.mark.parametrize("name", FORMS)
def test_a_stream_that_stops_early_has_not_ended(name: str) -> None:
    read, events, named = FORMS[name]
    stopped = read(answer(events()[:-1], named=named))
    assert not stopped.ended
    assert stopped.error is None


SPOILT: dict[str, tuple[str, Callable[[Events], object]]] = {
    "another id": ("chat", lambda events: events[1].update(id="b")),
    "no role": ("chat", lambda events: events[0]["choices"][0]["delta"].pop("role")),
    "no reason to finish": ("chat", lambda events: events.pop(2)),
    "two reasons": ("chat", lambda events: events.insert(2, events[2])),
    "words after the end": ("chat", lambda events: events.append(events[1])),
    "another object": ("chat", lambda events: events[1].update(object="chat.completion")),
    "stop without delta": ("messages", lambda events: events.pop(6)),
    "block without end": ("messages", lambda events: events.pop(5)),
    "text of no block": ("messages", lambda events: events[4].update(index=1)),
    "two starts": ("messages", lambda events: events.insert(0, events[0])),
    "no reason to stop": ("messages", lambda events: events[6]["delta"].update(stop_reason=None)),
    "an unknown event": ("messages", lambda events: events[2].update(type="pong")),
    "numbers not from 0": ("responses", lambda events: events[0].update(sequence_number=1)),
    "a number left out": ("responses", lambda events: events.pop(1)),
    "another text at the end": ("responses", lambda events: events[6].update(text="God")),
    "an item without end": (
        "responses",
        lambda events: events[8].update(type="response.in_progress"),
    ),
    "another text in the response": (
        "responses",
        lambda events: events[9]["response"].update(output=[]),
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_stream_is_noticed(what: str) -> None:
    name, spoil = SPOILT[what]
    read, events, named = FORMS[name]
    spoilt = events()
    spoil(spoilt)
    with pytest.raises(Mismatch):
        read(answer(spoilt, named=named))
