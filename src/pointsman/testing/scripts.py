"""Scripts: answers of an engine, right, broken and slow."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pointsman.testing.plays import Flag, Logprobs, Play, Received, Script, Step, Then, Usage

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def status_answer(
    status: int,
    body: bytes | str | dict[str, Any] | None = None,
    headers: Sequence[tuple[str, str]] = (),
    *,
    after_s: float = 0.0,
    once: Flag | None = None,
) -> Script:
    """Any whole answer. Without a body: an OpenAI error for 4xx and 5xx, nothing otherwise."""
    if body is None and status >= 400:
        message = {"message": f"scripted {status}", "type": "scripted", "param": None, "code": None}
        body = {"error": message}
    data = json.dumps(body).encode() if isinstance(body, dict) else _bytes(body or b"")

    def script(_: Received) -> Play:
        lines = [f"HTTP/1.1 {status} Scripted", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines.append(f"content-length: {len(data)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return Play(steps=(Step(data=head + data, after_s=after_s, once=once),))

    return script


def chat_answer(
    text: str = "ok",
    *,
    model: str = "scripted",
    finish_reason: str = "stop",
    usage: bool = True,
    logprobs: Logprobs = None,
    after_s: float = 0.0,
    once: Flag | None = None,
    **message: Any,
) -> Script:
    """A chat completion. `logprobs`: one per token of `text` (see `tokens`), or recycled.

    Other keywords are put into the message, such as `tool_calls` or `reasoning_content`.
    """

    def script(request: Received) -> Play:
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text, **message},
            "finish_reason": finish_reason,
            "logprobs": _logprobs(tokens(text), logprobs),
        }
        answer = _envelope(request, "chat.completion", model) | {"choices": [choice]}
        if usage:
            answer["usage"] = _usage(text)
        return status_answer(200, answer, after_s=after_s, once=once)(request)

    return script


def chat_stream(
    text: str | Sequence[str] = "Good morning",
    *,
    model: str = "scripted",
    finish_reason: str = "stop",
    usage: Usage = "asked",
    logprobs: Logprobs = None,
    first_after_s: float = 0.0,
    every_s: float = 0.0,
    once: Flag | None = None,
    done: bool = True,
) -> Script:
    """A streamed chat completion: role, one event per piece, finish, usage, `[DONE]`.

    `once` holds back the pieces (the role comes at once); `done=False` ends without `[DONE]`.
    """
    pieces = tokens(text) if isinstance(text, str) else list(text)

    def script(request: Received) -> Play:
        def event(delta: dict[str, Any], finish: str | None = None, at: int | None = None) -> bytes:
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
            if logprobs is not None and at is not None:
                choice["logprobs"] = _logprobs([pieces[at]], [logprobs[at % len(logprobs)]])
            frame = _envelope(request, "chat.completion.chunk", model) | {"choices": [choice]}
            return json.dumps(frame).encode()

        events = [event({"role": "assistant", "content": ""})]
        events += [event({"content": piece}, at=at) for at, piece in enumerate(pieces)]
        events.append(event({}, finish_reason))
        if usage == "always" or (usage == "asked" and request.asks_usage):
            frame = _envelope(request, "chat.completion.chunk", model)
            frame |= {"choices": [], "usage": _usage("".join(pieces))}
            events.append(json.dumps(frame).encode())
        if done:
            events.append(b"[DONE]")
        return event_stream(events, first_after_s=first_after_s, every_s=every_s, once=once)(
            request
        )

    return script


def event_stream(
    events: Sequence[bytes],
    *,
    first_after_s: float = 0.0,
    every_s: float = 0.0,
    once: Flag | None = None,
) -> Script:
    """Server-sent events with the given data, each in a chunk of its own."""

    def script(_: Received) -> Play:
        steps = [Step(data=STREAM_HEAD)]
        for at, data in enumerate(events):
            pause = first_after_s if at == 0 else every_s
            gate = once if at == 1 else None
            steps.append(Step(data=chunk(b"data: " + data + b"\n\n"), after_s=pause, once=gate))
        steps.append(Step(data=b"0\r\n\r\n"))
        return Play(steps=tuple(steps))

    return script


def raw_answer(*pieces: bytes, then: Then = "close", every_s: float = 0.0) -> Script:
    """Exactly these bytes."""
    return lambda _: Play(
        steps=tuple(
            Step(data=piece, after_s=every_s if at else 0.0) for at, piece in enumerate(pieces)
        ),
        then=then,
    )


def silence() -> Script:
    """The request is taken and never answered."""
    return lambda _: Play(steps=(), then="hang")


def empty_answer() -> Script:
    """Status 200 and nothing in it."""
    return status_answer(200, b"")


def closed_at_once(then: Then = "close") -> Script:
    """The connection ends without a byte of an answer."""
    return lambda _: Play(steps=(), then=then)


def head_only(then: Then = "close") -> Script:
    """The head of a stream, then the end of the connection (or `hang`)."""
    return lambda _: Play(steps=(Step(data=STREAM_HEAD),), then=then)


def malformed_event() -> Script:
    """A stream with an event that is not JSON."""
    return event_stream([b'{"choices": [', b"[DONE]"])


def malformed_framing() -> Script:
    """A chunk whose size is no number."""
    return raw_answer(STREAM_HEAD + b"zz\r\ndata: {}\n\n\r\n", then="hang")


def cut(script: Script, after_bytes: int, *, then: Then = "close") -> Script:
    """The same answer, ended after so many bytes (head included)."""

    def cutting(request: Received) -> Play:
        steps: list[Step] = []
        left = after_bytes
        for step in script(request).steps:
            if left > 0:
                steps.append(replace(step, data=step.data[:left]))
            left -= len(step.data)
        return Play(steps=tuple(steps), then=then)

    return cutting


def trickle(script: Script, *, size: int = 1, every_s: float = 0.001) -> Script:
    """The same answer in pieces of `size` bytes, with a pause before each."""

    def slowly(request: Received) -> Play:
        play = script(request)
        data = b"".join(step.data for step in play.steps)
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        return replace(play, steps=tuple(Step(data=piece, after_s=every_s) for piece in pieces))

    return slowly


def echo() -> Script:
    """The request itself, as JSON: method, target, headers, body."""

    def script(request: Received) -> Play:
        seen = {
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("utf-8", "replace"),
        }
        return status_answer(200, seen)(request)

    return script


def tokens(text: str) -> list[str]:
    """The pieces that the scripts take for tokens: words with the space before them."""
    return re.findall(r"\s*\S+|\s+$", text)


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _envelope(request: Received, kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{request.number}",
        "object": kind,
        "created": 1_800_000_000 + request.number,
        "model": model,
    }


def _usage(text: str) -> dict[str, int]:
    completion = len(tokens(text))
    return {
        "prompt_tokens": 11,
        "completion_tokens": completion,
        "total_tokens": 11 + completion,
    }


def _logprobs(pieces: Sequence[str], values: Logprobs) -> dict[str, Any] | None:
    if values is None:
        return None
    return {
        "content": [
            {
                "token": piece,
                "logprob": values[at % len(values)],
                "bytes": list(piece.encode()),
                "top_logprobs": [],
            }
            for at, piece in enumerate(pieces)
        ]
    }


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
