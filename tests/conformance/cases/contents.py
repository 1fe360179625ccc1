"""What models say besides text: every word arrives, in the form that clients rely on."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tests.conformance import engine
from tests.conformance.bench import Bench, Case
from tests.conformance.contents import CONTENT
from tests.conformance.engine import JsonObject
from tests.conformance.matching import ANY, OneOf, check, same
from tests.conformance.surfaces import BY_NAME
from tests.conformance.wire import Answer

_CHAT = BY_NAME["chat"]
_USAGES = ("plain", "usage-unasked", "usage-at-the-end", "usage-in-every-chunk", "usage-never")
_CALLS = {
    "tool-call": [("weather", {"city": "Köln"})],
    "tools-interleaved": [("weather", {"city": "Köln"}), ("time", {"zone": "CET"})],
}


def cases() -> Iterator[Case]:
    """Contents of chat, usage as asked and unasked, and tool calls on translated surfaces."""
    for shape, content in CONTENT.items():
        if shape.startswith("usage"):
            continue
        if content.whole is not None:
            run = partial(_whole, shape=shape)
            yield Case(group="content", shape=shape, surface="chat", run=run)
        run = partial(_streamed, shape=shape)
        yield Case(group="content", shape=shape, surface="chat stream", run=run)
    for shape in _CALLS:
        for name, read in (("responses", _responses_calls), ("messages", _messages_calls)):
            for stream in (False, True):
                run = partial(_calls, surface=name, shape=shape, stream=stream, read=read)
                label = BY_NAME[name].label(stream=stream)
                yield Case(group="content", shape=shape, surface=label, run=run)
    for shape in _USAGES:
        for name in ("chat", "completions") if shape == "plain" else ("chat",):
            for asked in (True, False):
                run = partial(_usage, surface=name, shape=shape, asked=asked)
                said = f"{shape}, {'asked' if asked else 'unasked'}".replace(", ", "-")
                yield Case(group="usage", shape=said, surface=f"{name} stream", run=run)
    yield Case(group="usage", shape="plain-counts", surface="responses", run=_responses_usage)
    yield Case(group="usage", shape="plain-counts", surface="messages", run=_messages_usage)


def _whole(bench: Bench, *, shape: str) -> None:
    """The engine's own object, member by member."""
    answer = bench.ask(bench.asking(_CHAT, shape))
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    expected = {**(CONTENT[shape].whole or {}), **_NAMED}
    same(expected, answer.json)


def _streamed(bench: Bench, *, shape: str) -> None:
    """The engine's own objects, put right where the protocol asks for more."""
    answer = bench.ask(bench.asking(_CHAT, shape, stream=True))
    assert _CHAT.stream is not None
    said = _CHAT.stream(answer)  # the form: constant ids, one finish reason, indexes
    check(said.ended, "the mark of a whole answer is missing", got=answer.raw[-300:])
    check(said.error is None, "an error", got=said.error)
    sent = CONTENT[shape].stream
    if shape == "finish-twice":
        sent = sent[:-1]
    expected = [{**each, **_NAMED} for each in _informative([_indexed(each) for each in sent])]
    same(expected, _informative(_objects(answer)))


_NAMED: JsonObject = {"id": ANY, "created": ANY, "model": OneOf(engine.SERVED, "conformance")}


def _objects(answer: Answer) -> list[JsonObject]:
    return [event.json for event in answer.events if event.data != "[DONE]"]


def _indexed(said: JsonObject) -> JsonObject:
    """With the index that every delta of a tool call must have."""
    copied: JsonObject = json.loads(json.dumps(said))
    for choice in copied["choices"]:
        for call in choice["delta"].get("tool_calls") or ():
            call.setdefault("index", 0)
    return copied


def _informative(objects: Sequence[JsonObject]) -> list[JsonObject]:
    """Without the role and the empty text, and without objects that say nothing else.

    Where a gateway puts the role is checked with the form of the stream.
    """
    found: list[JsonObject] = []
    for each in objects:
        copied: JsonObject = json.loads(json.dumps(each))
        for choice in copied["choices"]:
            delta = choice["delta"]
            delta.pop("role", None)
            if not delta.get("content"):
                delta.pop("content", None)
        choices = copied["choices"]
        if not choices or any(each["delta"] or each.get("finish_reason") for each in choices):
            found.append(copied)
    return found


def _usage(bench: Bench, *, surface: str, shape: str, asked: bool) -> None:
    """Asked: one extra object before [DONE], with usage and no choices. Unasked: nothing."""
    chosen = BY_NAME[surface]
    more: JsonObject = {"stream_options": {"include_usage": True}} if asked else {}
    answer = bench.ask(bench.asking(chosen, shape, stream=True, **more))
    assert chosen.stream is not None
    check(chosen.stream(answer).ended, "the mark of a whole answer is missing", got=answer.raw)
    objects = _objects(answer)
    extra = [each for each in objects if not each["choices"]]
    if not asked:
        counted = [each for each in objects if each.get("usage") is not None]
        check(not counted, "usage that nobody asked for", got=counted)
        check(not extra, "an object without choices that nobody asked for", got=extra)
        return
    if shape == "usage-never":
        check(len(extra) <= 1, "several objects without choices", got=extra)
        return
    check(len(extra) == 1, "not exactly one object without choices", expected=1, got=extra)
    check(objects[-1] is extra[0], "usage is not the last object", got=answer.raw[-500:])
    same(engine.USAGE, extra[0].get("usage"))


def _responses_usage(bench: Bench) -> None:
    """Counts under the names of the Responses API."""
    said = bench.ask(bench.asking(BY_NAME["responses"])).json
    same({"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}, said.get("usage"))


def _messages_usage(bench: Bench) -> None:
    """Counts under the names of the Messages API."""
    said = bench.ask(bench.asking(BY_NAME["messages"])).json
    same({"input_tokens": 11, "output_tokens": 7}, said.get("usage"))


def _calls(bench: Bench, *, surface: str, shape: str, stream: bool, read: Any) -> None:
    """Tool calls in the words of a translated surface."""
    answer = bench.ask(bench.asking(BY_NAME[surface], shape, stream=stream))
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    if stream:
        form = BY_NAME[surface].stream
        assert form is not None
        check(form(answer).ended, "the mark of a whole answer is missing", got=answer.raw)
    found = read(answer, stream)
    check(found == _CALLS[shape], "other calls", expected=_CALLS[shape], got=found)


def _responses_calls(answer: Answer, stream: bool) -> list[tuple[str, Any]]:
    if stream:
        [said] = [each.json["response"] for each in answer.events
                  if each.name == "response.completed"]  # fmt: skip
    else:
        said = answer.json
    calls = [item for item in said["output"] if item["type"] == "function_call"]
    check(all(item["call_id"] for item in calls), "a call without call_id", got=said)
    if stream:
        pieces: dict[str, str] = {}
        for event in answer.events:
            if event.name == "response.function_call_arguments.delta":
                name = event.json["item_id"]
                pieces[name] = pieces.get(name, "") + event.json["delta"]
        told = [pieces.get(item["id"]) for item in calls]
        whole = [item["arguments"] for item in calls]
        check(told == whole, "arguments in pieces are others", expected=whole, got=told)
    return [(item["name"], json.loads(item["arguments"])) for item in calls]


def _messages_calls(answer: Answer, stream: bool) -> list[tuple[str, Any]]:
    if not stream:
        said = answer.json
        check(said["stop_reason"] == "tool_use", "stop_reason", expected="tool_use", got=said)
        return [(block["name"], block["input"]) for block in said["content"]
                if block["type"] == "tool_use"]  # fmt: skip
    calls: dict[int, tuple[str, list[str]]] = {}
    for event in answer.events:
        said = event.json
        if event.name == "content_block_start" and said["content_block"]["type"] == "tool_use":
            calls[said["index"]] = (said["content_block"]["name"], [])
        elif event.name == "content_block_delta" and said["delta"]["type"] == "input_json_delta":
            calls[said["index"]][1].append(said["delta"]["partial_json"])
        elif event.name == "message_delta":
            reason = said["delta"]["stop_reason"]
            check(reason == "tool_use", "stop_reason", expected="tool_use", got=said)
    return [(name, json.loads("".join(pieces))) for _, (name, pieces) in sorted(calls.items())]
