"""The form of a streamed answer on each surface: read event by event, checked on the way."""

from dataclasses import dataclass
from typing import Any

from tests.conformance.matching import Mismatch, check
from tests.conformance.wire import Answer, Event


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What a stream said."""

    text: str
    ended: bool  # with the surface's mark of a whole answer
    error: Any = None  # the JSON of the event that told of a failure


def chat_stream(answer: Answer) -> Stream:
    """Chunks of chat completions. Raises: Mismatch."""
    return _openai(answer, "chat.completion.chunk", _chat_piece)


def completions_stream(answer: Answer) -> Stream:
    """Chunks of the older completions. Raises: Mismatch."""
    return _openai(answer, "text_completion", lambda choice, _: choice.get("text") or "")


def responses_stream(answer: Answer) -> Stream:
    """Events of the Responses API: named as their `type`, numbered from 0. Raises: Mismatch."""
    events = _events(answer)
    text, done, error = "", False, None
    open_items: list[Any] = []
    for at, event in enumerate(events):
        said = _object(event, answer)
        kind = said.get("type")
        check(event.name == kind, "the event is not named as its type",
              expected=kind, got=answer.raw)  # fmt: skip
        check(said.get("sequence_number") == at, "sequence_number does not count from 0",
              expected=at, got=said)  # fmt: skip
        told = error is not None and error.get("type") == "error"  # then it may be said to fail
        last = done or (error is not None and not (told and kind == "response.failed"))
        check(not last, "an event after the last one", got=answer.raw)
        match kind:
            case "response.created":
                check(at == 0, "response.created is not the first event", got=answer.raw)
            case "response.output_item.added":
                open_items.append(said["output_index"])
            case "response.output_item.done":
                check(said["output_index"] in open_items, "an item ends that never began", got=said)
                open_items.remove(said["output_index"])
            case "response.output_text.delta":
                check(said["output_index"] in open_items, "text of no item", got=said)
                text += said["delta"]
            case "response.output_text.done":
                check(said["text"] == text, "the text at its end is another",
                      expected=text, got=said["text"])  # fmt: skip
            case "response.completed" | "response.incomplete":
                done = True
                check(not open_items, "an item did not end", got=answer.raw)
                whole = "".join(
                    part["text"] for item in said["response"]["output"]
                    if item["type"] == "message"
                    for part in item["content"] if part["type"] == "output_text"
                )  # fmt: skip
                check(whole == text, "the response holds another text", expected=text, got=whole)
            case "response.failed":
                error = {"error": said["response"]["error"]}
            case "error":
                error = said
            case _:
                pass
    first = events[0].name if events else None
    check(first == "response.created", "the first event", expected="response.created", got=first)
    return Stream(text=text, ended=done, error=error)


def messages_stream(answer: Answer) -> Stream:
    """Events of the Messages API: start, blocks, delta, stop. Raises: Mismatch."""
    text, state, error = "", "before", None
    block: Any = None
    for event in _events(answer):
        said = _object(event, answer)
        kind = said.get("type")
        check(event.name == kind, "the event is not named as its type",
              expected=kind, got=answer.raw)  # fmt: skip
        check(state != "stopped" and error is None, "an event after the last one", got=answer.raw)
        match kind:
            case "ping":
                pass
            case "message_start":
                check(state == "before", "message_start comes first, and once", got=answer.raw)
                state = "started"
            case "content_block_start":
                check(state == "started" and block is None, "a block within a block", got=said)
                block = said["index"]
                text += said["content_block"].get("text") or ""
            case "content_block_delta":
                check(block == said["index"], "a delta outside its block", got=said)
                text += said["delta"].get("text") or ""
            case "content_block_stop":
                check(block == said["index"], "the end of no block", got=said)
                block = None
            case "message_delta":
                check(block is None, "message_delta within a block", got=said)
                check(said["delta"].get("stop_reason"), "no stop_reason", got=said)
                state = "finished"
            case "message_stop":
                check(state == "finished", "message_stop before message_delta", got=answer.raw)
                state = "stopped"
            case "error":
                error = said
            case _:
                raise Mismatch("an event that the API does not have", got=said)
    return Stream(text=text, ended=state == "stopped", error=error)


def _openai(answer: Answer, kind: str, piece: Any) -> Stream:
    text, ended, error = "", False, None
    constant: dict[str, Any] = {}
    seen: set[int] = set()
    finished: set[int] = set()
    for event in _events(answer):
        check(not ended and error is None, "an event after the last one", got=answer.raw)
        check(event.name == "", "an event with a name", got=event)
        if event.data == "[DONE]":
            ended = True
            continue
        said = _object(event, answer)
        if "error" in said:
            error = said
            continue
        check(said.get("object") == kind, "object", expected=kind, got=said)
        for name in ("id", "created", "model"):
            check(said.get(name) not in (None, ""), f"a chunk without {name}", got=said)
            first = constant.setdefault(name, said[name])
            check(said[name] == first, f"{name} changes within a stream", expected=first, got=said)
        check(isinstance(said.get("choices"), list), "a chunk without choices", got=said)
        for choice in said["choices"]:
            index = choice["index"]
            text += piece(choice, index not in seen) if index == 0 else ""
            seen.add(index)
            if choice.get("finish_reason"):
                check(index not in finished, "finish_reason comes twice", got=answer.raw)
                finished.add(index)
    if ended:
        check(seen and finished == seen, "a choice without finish_reason", got=answer.raw)
    return Stream(text=text, ended=ended, error=error)


def _chat_piece(choice: Any, first: bool) -> str:
    said = choice.get("delta")
    check(isinstance(said, dict), "a choice without delta", got=choice)
    if first:
        check(said.get("role") == "assistant", "the first chunk has no role", got=choice)
    for call in said.get("tool_calls") or ():
        check(isinstance(call.get("index"), int), "a tool call without index", got=choice)
    return said.get("content") or ""


def _events(answer: Answer) -> list[Event]:
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    kind = (answer.header("content-type") or "").split(";")[0].strip()
    check(kind == "text/event-stream", "another content type",
          expected="text/event-stream", got=answer.raw)  # fmt: skip
    control = answer.header("cache-control") or ""
    check("no-cache" in control or "no-store" in control, "a stream that may be cached",
          expected="cache-control: no-cache", got=answer.raw[:500])  # fmt: skip
    check(b"\r" not in answer.body, "a carriage return in the events", got=answer.raw)
    check(not answer.body or answer.body.endswith(b"\n\n"), "an event without its empty line",
          got=answer.raw[-300:])  # fmt: skip
    return answer.events


def _object(event: Event, answer: Answer) -> Any:
    try:
        said = event.json
    except ValueError:
        raise Mismatch("an event that is not JSON", got=event.data) from None
    check(isinstance(said, dict), "an event that is no object", got=answer.raw)
    return said
