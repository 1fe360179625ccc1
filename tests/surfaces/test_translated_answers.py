"""However an engine cuts its answer into chunks, translated surfaces tell the same answer."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.errors import InvalidRequest, Overloaded, UpstreamError
from pointsman.surfaces.messages_answer import MessagesWriter, messages_error
from pointsman.surfaces.messages_request import parse_messages
from pointsman.surfaces.responses_answer import ResponsesWriter
from pointsman.surfaces.responses_request import parse_responses

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "qwen"}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip


def messages_writer() -> MessagesWriter:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return MessagesWriter(parse_messages(json.dumps(body).encode()))


def responses_writer() -> ResponsesWriter:
    return ResponsesWriter(parse_responses(b'{"model":"m","input":"hi"}'))


def events(data: bytes) -> list[Any]:
    """The events of a stream, each named as its type."""
    found = []
    for each in data.decode().split("\n\n")[:-1]:
        name, _, said = each.partition("\n")
        event = json.loads(said.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


# An answer, and ways to cut it.

_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_arguments = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=5), max_size=3)
_answers = st.fixed_dictionaries(
    {
        "reasoning": st.none() | _texts,
        "content": st.none() | _texts,
        "calls": st.lists(
            st.tuples(st.text("abc", min_size=1, max_size=3), _arguments), max_size=3
        ),
        "cut": st.sampled_from([None, "length", "content_filter"]),
    }
).filter(lambda said: said["content"] or said["calls"] or said["reasoning"])


def whole(said: dict[str, Any]) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said["content"]}
    if said["reasoning"]:
        message["reasoning_content"] = said["reasoning"]
    if said["calls"]:
        message["tool_calls"] = [
            {"id": f"c{n}", "type": "function",
             "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(said["calls"])
        ]  # fmt: skip
    choice = {"index": 0, "message": message, "finish_reason": reason_of(said)}
    return json.dumps({**HEAD, "choices": [choice], "usage": USAGE}).encode()


def reason_of(said: dict[str, Any]) -> str:
    return said["cut"] or ("tool_calls" if said["calls"] else "stop")


def cut(draw: Any, text: str) -> list[str]:
    """A text in pieces, some of them empty."""
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    edges = [0, *at, len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@st.composite
def chopped(draw: Any) -> tuple[dict[str, Any], list[bytes]]:
    """An answer and its chunks; the deltas of calls are mixed as an engine may mix them."""
    said = draw(_answers)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name, key in (("reasoning", draw(st.sampled_from(["reasoning", "reasoning_content"]))),
                      ("content", "content")):  # fmt: skip
        if said[name]:
            deltas += [{key: piece} for piece in cut(draw, said[name])]
    queues = []
    for index, (name, arguments) in enumerate(said["calls"]):
        first = {"index": index, "id": f"c{index}", "type": "function",
                 "function": {"name": name, "arguments": ""}}  # fmt: skip
        rest = cut(draw, json.dumps(arguments))
        queues.append(
            [first, *({"index": index, "function": {"arguments": piece}} for piece in rest)]
        )
    begun = 0
    while any(queues):  # a call begins after those before it have begun, then any goes on
        open_ = [q for q in queues[: begun + 1] if q]
        queue = draw(st.sampled_from(open_ or [q for q in queues if q]))
        begun = max(begun, queues.index(queue) + 1)
        deltas.append({"tool_calls": [queue.pop(0)]})
    reason = reason_of(said)
    chunks = [{**HEAD, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({**HEAD, "choices": [], "usage": USAGE})
    return said, [json.dumps(chunk).encode() for chunk in chunks]


def in_batches(draw: Any, writer: Any, chunks: list[bytes]) -> bytes:
    written, at = b"", 0
    while at < len(chunks):
        step = draw(st.integers(1, 5))
        written += writer.events(chunks[at : at + step])
        at += step
    return written + writer.close()


def assembled_message(found: list[Any]) -> dict[str, Any]:
    """What a client puts together from the events, their grammar checked."""
    assert found[0]["type"] == "message_start"
    message, open_ = dict(found[0]["message"]), False
    content: list[Any] = []
    for event in found[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not open_
                assert event["index"] == len(content)
                open_, block = True, dict(event["content_block"])
                content.append(block)
                arguments = ""
            case "content_block_delta":
                assert open_
                assert event["index"] == len(content) - 1
                for name in ("text", "thinking"):
                    content[-1].update(
                        {name: content[-1][name] + event["delta"][name]}
                        if name in event["delta"] else {}
                    )  # fmt: skip
                arguments += event["delta"].get("partial_json", "")
            case "content_block_stop":
                assert open_
                open_ = False
                if content[-1]["type"] == "tool_use":
                    content[-1]["input"] = json.loads(arguments or "{}")
            case kind:
                raise AssertionError(kind)
    assert not open_
    delta, stop = found[-2:]
    assert (delta["type"], stop["type"]) == ("message_delta", "message_stop")
    return {**message, **delta["delta"], "content": content, "usage": delta["usage"]}


@given(st.data())
def test_a_message_in_chunks_is_the_message_whole(data: Any) -> None:
    said, chunks = data.draw(chopped())
    streamed = in_batches(data.draw, messages_writer(), chunks)
    assert assembled_message(events(streamed)) == json.loads(messages_writer().whole(whole(said)))


@given(st.data())
def test_a_response_in_chunks_is_the_response_whole(data: Any) -> None:
    said, chunks = data.draw(chopped())
    found = events(in_batches(data.draw, responses_writer(), chunks))
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    expected = json.loads(responses_writer().whole(whole(said)))
    assert expected["status"] == ("incomplete" if said["cut"] else "completed")
    assert found[-1]["type"] == f"response.{expected['status']}"
    assert found[-1]["response"] == expected
    items, texts = [], {}
    for event in found[2:-1]:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items)
            items.append(event["item"])
        elif kind.endswith(".delta"):
            texts[event["output_index"]] = texts.get(event["output_index"], "") + event["delta"]
        elif kind == "response.output_item.done":
            assert event["item"] == expected["output"][event["output_index"]]
            item = event["item"]
            text = item.get("arguments") or "".join(
                part.get("text", "") for part in item.get("content", ())
            )
            assert texts.get(event["output_index"], "") == text
    assert len(items) == len(expected["output"])


@given(st.lists(st.binary(max_size=40) | st.sampled_from(
    [b'{"choices":5}', b'{"choices":[{"index":0,"delta":{"tool_calls":[{}]}}]}', b"[]", b"null",
     b'{"choices":[{"delta":{"content":[{"text":"a"}]}}]}', b'{"choices":[{"delta":null}]}']
)), st.booleans())  # fmt: skip
def test_whatever_an_engine_sends_the_events_have_their_grammar(
    chunks: list[bytes], broken: bool
) -> None:
    writer = messages_writer()
    written = writer.events(chunks)
    error = UpstreamError("cut", status=502)
    found = events(written + (writer.broken(error) if broken else writer.close()))
    if broken:
        assert found[-1]["type"] == "error"
        assert all(event["type"] != "message_stop" for event in found)
    else:
        assembled_message(found)
    responses = responses_writer()
    written = responses.events(chunks)
    found = events(written + (responses.broken(error) if broken else responses.close()))
    assert found[-1]["type"] == ("response.failed" if broken else "response.completed")


@pytest.mark.parametrize(
    ("choice", "reason", "sequence"),
    [
        ({"finish_reason": "stop"}, "end_turn", None),
        ({"finish_reason": "length"}, "max_tokens", None),
        ({"finish_reason": "content_filter"}, "refusal", None),
        ({"finish_reason": "stop", "stop_reason": "END"}, "stop_sequence", "END"),
        ({"finish_reason": "stop", "stop_reason": 151645}, "end_turn", None),
    ],
)
def test_why_an_answer_ended_is_told(choice: Any, reason: str, sequence: str | None) -> None:
    said = {"index": 0, "message": {"role": "assistant", "content": "x"}, **choice}
    message = json.loads(messages_writer().whole(json.dumps({**HEAD, "choices": [said]}).encode()))
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)


def test_a_cut_response_is_incomplete_and_says_why() -> None:
    said = {"index": 0, "message": {"content": "x"}, "finish_reason": "length"}
    told = json.loads(responses_writer().whole(json.dumps({**HEAD, "choices": [said]}).encode()))
    assert (told["status"], told["incomplete_details"]) == (
        "incomplete", {"reason": "max_output_tokens"},
    )  # fmt: skip
    assert told["output"][0]["status"] == "incomplete"


def test_arguments_that_are_no_object_stay_readable() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a": '}}
    said = {"index": 0, "message": {"content": None, "tool_calls": [call]}}
    message = json.loads(messages_writer().whole(json.dumps({**HEAD, "choices": [said]}).encode()))
    assert message["content"][0]["input"] == {"unreadable": '{"a": '}


def test_an_error_has_the_status_and_kind_of_its_api() -> None:
    status, body = messages_error(Overloaded("busy"))
    assert status == 529
    assert json.loads(body)["error"]["type"] == "overloaded_error"


def test_a_prompt_that_is_too_long_is_told_in_the_words_that_agents_look_for() -> None:
    too_long = InvalidRequest("9000 of 8192 tokens", code="context_length_exceeded")
    status, body = messages_error(too_long, trace="tr_1")
    assert status == 400
    assert json.loads(body) == {
        "type": "error", "request_id": "tr_1",
        "error": {"type": "invalid_request_error",
                  "message": "prompt is too long: 9000 of 8192 tokens.",
                  "details": {"error_code": "context_length_exceeded"}},
    }  # fmt: skip
