"""What engines do beside the rules, and what a client may rely on all the same."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.surfaces.test_translated_answers import (
    HEAD,
    USAGE,
    assembled_message,
    events,
    messages_writer,
    responses_writer,
)

from pointsman.domain.errors import UpstreamError
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces import pieces
from pointsman.surfaces.responses_answer import ResponsesWriter
from pointsman.surfaces.responses_request import parse_responses

GOLDEN = Path(__file__).parent / "golden"
BROKEN = UpstreamError("the answer of 'a' broke off: cut", code="stream_interrupted")


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({**HEAD, "choices": [choice]}).encode()


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return {"index": index, "function": function, **more}


def both(*chunks: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message and the response that the chunks are."""
    one, other = messages_writer(), responses_writer()
    message = assembled_message(events(one.events(chunks) + one.close()))
    found = events(other.events(chunks) + other.close())
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert done == found[-1]["response"]["output"]
    return message, found[-1]["response"]


# Half an answer


@pytest.mark.parametrize("delta", [
    {"tool_calls": [call(0, '{"path": "/home/us', id="c", name="remove")]},
    {"content": "half a sen"},
    {"reasoning_content": "hm"},
])  # fmt: skip
def test_what_broke_off_is_never_ended(delta: dict[str, Any]) -> None:
    """Agents run a call when its block ends, and `/home/us` is not what the model meant."""
    message, response = messages_writer(), responses_writer()
    told = events(message.events([chunk(**delta)]) + message.broken(BROKEN))
    assert [each["type"] for each in told] == [
        "message_start", "content_block_start", "content_block_delta", "error",
    ]  # fmt: skip
    found = events(response.events([chunk(**delta)]) + response.broken(BROKEN))
    kinds = [each["type"] for each in found]
    assert not [kind for kind in kinds if kind.endswith(".done") or kind == "response.completed"]
    assert kinds[-2:] == ["error", "response.failed"]
    assert found[-2]["code"] == found[-1]["response"]["error"]["code"] == "stream_interrupted"
    assert [item["status"] for item in found[-1]["response"]["output"]] == ["incomplete"]


def test_what_was_whole_before_a_stream_broke_stays_whole() -> None:
    response = responses_writer()
    chunks = [chunk(content="whole"), chunk(tool_calls=[call(0, '{"a', id="c", name="f")])]
    found = events(response.events(chunks) + response.broken(BROKEN))
    output = found[-1]["response"]["output"]
    assert [item["status"] for item in output] == ["completed", "incomplete"]
    assert sum(each["type"] == "response.output_item.done" for each in found) == 1


def test_a_call_that_waited_for_a_half_one_is_not_shown_when_the_stream_breaks() -> None:
    message = messages_writer()
    chunks = [
        chunk(tool_calls=[call(0, '{"a', id="c0", name="f")]),
        chunk(tool_calls=[call(1, "{}", id="c1", name="g")]),
    ]
    told = events(message.events(chunks) + message.broken(BROKEN))
    names = [e["content_block"]["name"] for e in told if e["type"] == "content_block_start"]
    assert names == ["f"]


def test_a_stream_that_breaks_before_it_said_anything_is_an_error_alone() -> None:
    assert [event["type"] for event in events(messages_writer().broken(BROKEN))] == ["error"]
    kinds = [event["type"] for event in events(responses_writer().broken(BROKEN))]
    assert kinds == ["response.created", "response.in_progress", "error", "response.failed"]


def test_a_call_cut_by_its_length_is_incomplete_everywhere() -> None:
    calls = [call(0, '{"a', id="c0", name="f"), call(1, "{}", id="c1", name="g")]
    chunks = [*(chunk(tool_calls=[each]) for each in calls), chunk("length")]
    writer = responses_writer()
    found = events(writer.events(chunks) + writer.close())
    done = [each["item"] for each in found if each["type"] == "response.output_item.done"]
    assert [item["status"] for item in done] == ["incomplete", "incomplete"]
    assert found[-1]["type"] == "response.incomplete"
    assert found[-1]["response"]["output"] == done
    message = messages_writer()
    told = events(message.events(chunks) + message.close())
    assert told[-2]["delta"]["stop_reason"] == "max_tokens"


# Odd engines


def test_an_engine_without_ids_is_answered_with_names_that_stay() -> None:
    nameless = {"model": "m", "choices": [{"delta": {"tool_calls": [call(0, "{}", name="f")]}}]}
    late = chunk("tool_calls", tool_calls=[call(0, "", id="late")])
    message, response = both(json.dumps(nameless).encode(), late)
    assert message["content"][0]["id"] == response["output"][0]["call_id"] != "late"
    assert message["stop_reason"] == "tool_use"


def test_a_call_waits_for_its_name() -> None:
    message, response = both(
        chunk(tool_calls=[call(0, "", id="c")]),
        chunk(tool_calls=[call(0, '{"a":')]),
        chunk(tool_calls=[call(0, "1}", name="f")]),
    )
    assert message["content"] == [
        {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
    ]
    assert (response["output"][0]["name"], response["output"][0]["call_id"]) == ("f", "c")


def test_a_call_that_never_gets_a_name_is_told_at_the_end() -> None:
    message, _ = both(chunk(tool_calls=[call(0, "{}", id="c")]), chunk(content="and"))
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]


def test_calls_of_one_index_in_a_whole_answer_are_calls_of_their_own() -> None:
    """Ollama's index was always 0."""
    calls = [call(0, '{"n": 1}', id="a", name="f"), call(0, '{"n": 2}', id="b", name="f")]
    said = {"index": 0, "message": {"tool_calls": calls}, "finish_reason": "stop"}
    body = json.dumps({**HEAD, "choices": [said]}).encode()
    message = json.loads(messages_writer().whole(body))
    assert [block["input"] for block in message["content"]] == [{"n": 1}, {"n": 2}]
    assert message["stop_reason"] == "tool_use"
    output = json.loads(responses_writer().whole(body))["output"]
    assert [item["call_id"] for item in output] == ["a", "b"]


def test_a_function_call_of_old_is_a_call() -> None:
    message, response = both(
        chunk(function_call={"name": "f", "arguments": '{"a"'}),
        chunk("function_call", function_call={"arguments": ": 1}"}),
    )
    assert message["content"][0]["input"] == {"a": 1}
    assert message["stop_reason"] == "tool_use"
    assert response["output"][0]["arguments"] == '{"a": 1}'


def test_the_counts_and_the_stop_of_sglang_are_read() -> None:
    said = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop",
            "matched_stop": "END"}  # fmt: skip
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "reasoning_tokens": 2}
    body = json.dumps({**HEAD, "choices": [said], "usage": usage}).encode()
    assert json.loads(messages_writer().whole(body))["stop_sequence"] == "END"
    details = json.loads(responses_writer().whole(body))["usage"]["output_tokens_details"]
    assert details == {"reasoning_tokens": 2}


def test_what_says_nothing_is_no_event() -> None:
    chunks = [chunk(content=""), chunk(content="a"), chunk(content=""), chunk(reasoning_content=""),
              chunk(tool_calls=[call(0, "", id="c", name="f")]), chunk(tool_calls=[call(0, "")]),
              chunk("tool_calls"), b'{"choices": []}', b"{}"]  # fmt: skip
    for writer in (messages_writer(), responses_writer()):
        found = events(writer.events(chunks) + writer.close())
        assert sum(event["type"].endswith("delta") and "usage" not in event for event in found) == 1


def test_a_refusal_is_text_that_says_so() -> None:
    message, response = both(chunk(refusal="I can"), chunk("stop", refusal="not."))
    assert message["content"] == [{"type": "text", "text": "I cannot."}]
    assert message["stop_reason"] == "refusal"
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_what_the_gateway_adds_to_a_held_stream_is_told_at_its_end() -> None:
    told = {"trace": "tr_1", "attempts": 2}
    last = json.dumps({**HEAD, "choices": [], "usage": USAGE, "pointsman": told}).encode()
    writer = messages_writer()
    found = events(writer.events([chunk(content="x"), last]) + writer.close())
    assert found[-2]["pointsman"] == told
    assert both(chunk(content="x"), last)[1]["pointsman"] == told


# What was asked


def test_a_response_says_what_was_asked_of_it() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    asked = {
        "tools": [tool], "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": form}, "reasoning": {"effort": "low"}, "temperature": 0.5,
        "max_output_tokens": 9, "metadata": {"a": "b"}, "parallel_tool_calls": False,
    }  # fmt: skip
    request = parse_responses(json.dumps({"model": "m", "input": "x", **asked}).encode())
    told = json.loads(ResponsesWriter(request).whole(json.dumps({**HEAD, "choices": []}).encode()))
    assert {name: told[name] for name in asked} == {
        **asked, "reasoning": {"effort": "low", "summary": None},
    }  # fmt: skip


def test_a_call_of_a_namespace_is_told_with_both_names() -> None:
    close = {"type": "function", "name": "close", "parameters": None, "strict": False}
    tools = [close, {"type": "namespace", "name": "agents", "tools": [close]}]
    request = parse_responses(json.dumps({"model": "m", "input": "x", "tools": tools}).encode())
    writer = ResponsesWriter(request)
    calls = [call(0, "{}", id="c0", name="agents__close"), call(1, "{}", id="c1", name="close")]
    found = events(writer.events([chunk(tool_calls=calls)]) + writer.close())
    output = found[-1]["response"]["output"]
    assert [(item.get("namespace"), item["name"]) for item in output] == [
        ("agents", "close"), (None, "close"),
    ]  # fmt: skip
    names = [each["name"] for each in found if each["type"].endswith("arguments.done")]
    assert names == ["close", "close"]
    assert found[-1]["response"]["tools"] == tools


@pytest.mark.parametrize("form", [5, None, {}, {"type": "x", "json_schema": 5}])
def test_a_strange_field_of_chat_harms_no_answer(form: Any) -> None:
    body = {"model": "m", "input": "x", "response_format": form}
    request: ModelRequest = parse_responses(json.dumps(body).encode())
    assert json.loads(ResponsesWriter(request).whole(b"{}"))["text"]["format"]["type"]


# Laws over any order


_CALLS = st.dictionaries(st.integers(0, 3), st.dictionaries(st.text(max_size=3), st.integers()))


@st.composite
def mixed(draw: Any) -> tuple[dict[int, str], list[bytes]]:
    """Words, thoughts and the pieces of calls, in any order that keeps each call's own."""
    calls = {index: json.dumps(said) for index, said in draw(_CALLS).items()}
    queues: list[list[dict[str, Any]]] = []
    for index, said in calls.items():
        at = sorted(draw(st.lists(st.integers(0, len(said)), max_size=4)))
        pieces = [said[a:b] for a, b in zip([0, *at], [*at, len(said)], strict=True)]
        parts = [call(index, piece) for piece in pieces]
        named = draw(st.integers(0, len(parts) - 1))
        parts[named]["function"]["name"] = f"f{index}"
        queues.append([{"tool_calls": [part]} for part in parts])
    for name in ("content", "reasoning_content"):
        queues.append([{name: text} for text in draw(st.lists(st.text(max_size=3), max_size=4))])
    deltas = []
    while open_ := [queue for queue in queues if queue]:
        deltas.append(draw(st.sampled_from(open_)).pop(0))
    return calls, [*(chunk(**delta) for delta in deltas), chunk("stop")]


@given(mixed())
def test_in_whatever_order_it_comes_nothing_is_lost(said: Any) -> None:
    calls, chunks = said
    message, response = both(*chunks)
    found = {block["name"]: block["input"] for block in message["content"] if "input" in block}
    assert found == {f"f{index}": json.loads(said) for index, said in calls.items()}
    arguments = {item["name"]: item["arguments"] for item in response["output"] if "name" in item}
    assert arguments == {f"f{index}": said for index, said in calls.items()}
    deltas = [json.loads(each)["choices"][0]["delta"] for each in chunks]
    for name, key in (("content", "text"), ("reasoning_content", "thinking")):
        wanted = "".join(delta.get(name) or "" for delta in deltas)
        assert "".join(block.get(key, "") for block in message["content"]) == wanted


def test_a_hostile_order_of_calls_costs_no_more_than_its_size(monkeypatch) -> None:
    """Two calls a byte at a time by turns, and many that wait for them: no look at each byte."""
    looks = []
    decode = pieces._is_json
    monkeypatch.setattr(pieces, "_is_json", lambda text: looks.append(text) or decode(text))
    text = json.dumps({"a": "}" * 1000})
    chunks = [chunk(tool_calls=[call(0, id="a", name="f"), call(1, id="b", name="g")])]
    chunks += [chunk(tool_calls=[call(0, each), call(1, each)]) for each in text]
    chunks += [chunk(tool_calls=[call(at, "{}", id=f"c{at}", name="h")]) for at in range(2, 1000)]
    message, _ = both(*chunks)
    assert len(looks) <= 2 * (2 * 64 + 254)
    assert message["content"][0]["input"] == message["content"][1]["input"] == json.loads(text)
    assert len(message["content"]) == 256


# Golden bytes


@pytest.mark.parametrize("name", ["messages", "responses"])
def test_the_events_of_a_turn_are_the_golden_ones(name: str) -> None:
    chunks = [
        chunk(role="assistant", content=""),
        chunk(reasoning_content="I wonder."),
        chunk(content="Let me"), chunk(content=" see."),
        chunk(tool_calls=[call(0, "", id="c0", name="read")]),
        chunk(tool_calls=[call(0, '{"path": "a')]),
        chunk(tool_calls=[call(1, '{"path": "b"}', id="c1", name="read")]),
        chunk(tool_calls=[call(0, '"}')]),
        chunk("tool_calls"),
        json.dumps({**HEAD, "choices": [], "usage": USAGE}).encode(),
    ]  # fmt: skip
    writer = messages_writer() if name == "messages" else responses_writer()
    told = b"".join(writer.events([each]) for each in chunks) + writer.comment() + writer.close()
    golden = GOLDEN / f"{name}_stream.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(told)
    assert told == golden.read_bytes()


_KEYS = st.sampled_from([
    "id", "model", "created", "choices", "usage", "pointsman", "index", "delta", "message",
    "finish_reason", "stop_reason", "content", "reasoning", "reasoning_content", "refusal", "text",
    "tool_calls", "function", "function_call", "name", "arguments", "prompt_tokens",
    "completion_tokens_details", "cached_tokens",
])  # fmt: skip
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_TURNED = st.dictionaries(st.sampled_from(["content", "tool_calls", "reasoning"]), _ANY)
_CHUNKS = st.builds(
    lambda delta, rest: {**rest, "choices": [{"index": 0, "delta": delta}]},
    _TURNED, st.dictionaries(_KEYS, _ANY, max_size=3),
) | st.dictionaries(_KEYS, _ANY)  # fmt: skip


@given(st.lists(_CHUNKS, max_size=5))
def test_no_object_of_an_engine_breaks_an_answer(said: list[Any]) -> None:
    chunks = [json.dumps(each).encode() for each in said]
    writer = messages_writer()
    found = events(writer.events(chunks) + writer.close())
    kinds = [each["type"] for each in found]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop")
    other = responses_writer()
    found = events(other.events(chunks) + other.close())
    assert found[-1]["type"] in ("response.completed", "response.incomplete")
    done = [each["item"] for each in found if each["type"] == "response.output_item.done"]
    assert done == found[-1]["response"]["output"]
    for each in chunks:
        json.loads(messages_writer().whole(each))
        json.loads(responses_writer().whole(each))
