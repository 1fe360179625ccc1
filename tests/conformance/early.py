"""Faults before anything could be shown to a client: scripts by name."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pointsman.testing import (
    STREAM_HEAD,
    Play,
    Received,
    Script,
    Step,
    chunk,
    closed_at_once,
    event_stream,
    head_only,
    raw_answer,
    silence,
    status_answer,
)
from tests.conformance import engine
from tests.conformance.ordinary import answer, plain

HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
OVERFLOW: Final = "maximum context length"
# How engines say that a prompt is too long: status, body, words that must reach the client.
OVERFLOWS: Final[dict[str, tuple[int, dict[str, Any], str]]] = {
    "openai": (400, {"error": {
        "message": "This model's maximum context length is 8192 tokens. However, your messages "
        "resulted in 9000 tokens. Please reduce the length of the messages.",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
    }}, "9000 tokens"),
    "vllm": (400, {"error": {
        "message": "This model's maximum context length is 4096 tokens. However, you requested "
        "5000 tokens (4984 in the messages, 16 in the completion).",
        "type": "BadRequestError", "param": None, "code": 400,
    }}, "5000 tokens"),
    "vllm-older": (400, {
        "object": "error", "message": "This model's maximum context length is 4096 tokens. However,"
        " you requested 5000 tokens (4984 in the messages, 16 in the completion).",
        "type": "BadRequestError", "param": None, "code": 400,
    }, "5000 tokens"),
    "sglang": (400, {
        "object": "error", "message": "The input (5000 tokens) is longer than the model's context "
        "length (4096 tokens).",
        "type": "BadRequestError", "param": None, "code": 400,
    }, "5000 tokens"),
    "llamacpp": (400, {"error": {
        "code": 400, "message": "the request exceeds the available context size. try increasing "
        "the context size or enable context shift", "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000, "n_ctx": 4096,
    }}, "available context size"),
    "ollama": (400, {"error": {
        "message": "the input length exceeds the context length", "type": "api_error",
        "param": None, "code": None,
    }}, "exceeds the context length"),
    "tgi": (422, {
        "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
        "Given: 5000 `inputs` tokens and 16 `max_new_tokens`", "error_type": "validation",
    }, "5000 `inputs` tokens"),
}  # fmt: skip
# What else engines refuse a request with: status, body, words that must reach the client.
REFUSALS: Final[dict[str, tuple[int, dict[str, Any], str]]] = {
    "vllm": (400, {
        "object": "error", "message": "temperature must be non-negative, got -1.0.",
        "type": "BadRequestError", "param": None, "code": 400,
    }, "temperature must be non-negative"),
    "openai": (400, {"error": {
        "message": "Invalid value: 'x'.", "type": "invalid_request_error",
        "param": "messages[0].role", "code": "invalid_value",
    }}, "Invalid value"),
    "fastapi": (422, {"detail": [
        {"loc": ["body", "top_k"], "msg": "value is not a valid integer", "type": "type_error"},
    ]}, "value is not a valid integer"),
}  # fmt: skip


def _framed(body: bytes, length: int, *, then: Any = "close") -> Script:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return raw_answer(head % length + body, then=then)


def _whole(received: Received) -> bytes:
    asked = plain(received)
    return b"".join(step.data for step in asked.steps).partition(b"\r\n\r\n")[2]


def _truncated(received: Received) -> Play:
    """JSON that ends too soon, in an answer that is whole by its framing."""
    if engine.wants_stream(received):
        return event_stream([b'{"id":"x","choices":[{"index":0,"delta":{"content":"Go'])(received)
    body = _whole(received)
    return _framed(body[: len(body) // 2], len(body) // 2)(received)


def _too_long(received: Received) -> Play:
    """More bytes are promised than come."""
    body = b"" if engine.wants_stream(received) else _whole(received)
    return _framed(body, len(body) + 1000)(received)


def _too_short(received: Received) -> Play:
    """Fewer bytes are promised than come; the rest is another answer to nobody's request."""
    stray = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsmuggled!"
    body = _whole(received) if not engine.wants_stream(received) else b"{}"
    half = len(body) // 2
    return _framed(body[:half] + stray, half, then="keep")(received)


def _only_role(received: Received) -> Play:
    """A stream that ends properly before any token, without [DONE]."""
    return event_stream(engine.encoded(engine.frames(received, [], end=False)))(received)


def _stalled(received: Received) -> Play:
    """The first, empty chunk of a stream, and then nothing."""
    events = engine.encoded(engine.frames(received, [], end=False))
    first = b"".join(chunk(b"data: " + each + b"\n\n") for each in events)
    return Play(steps=(Step(data=STREAM_HEAD + first),), then="hang")


def _streamed(stream: Script, otherwise: Script) -> Script:
    return lambda received: (stream if engine.wants_stream(received) else otherwise)(received)


_ERROR: Final = {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}
_EMPTY: Final = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
_DIED: Final = json.dumps(_ERROR).encode()

EARLY: Final[Mapping[str, Callable[[Received], Play]]] = {
    "closes": closed_at_once(),
    "resets": closed_at_once("reset"),
    "silence": silence(),
    "head-then-nothing": _streamed(
        head_only("hang"),
        raw_answer(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                   b"content-length: 500\r\n\r\n", then="hang"),
    ),
    "head-then-close": _streamed(
        head_only(), raw_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")
    ),
    **{f"overflow-{name}": status_answer(status, body)
       for name, (status, body, _) in OVERFLOWS.items()},
    **{f"refusal-{name}": status_answer(status, body)
       for name, (status, body, _) in REFUSALS.items()},
    "401": status_answer(401, {"error": {"message": "Incorrect API key provided: sk-upstream.",
                                         "type": "invalid_request_error", "param": None,
                                         "code": "invalid_api_key"}}),
    "404": status_answer(404, {"object": "error", "message": "The model `x` does not exist.",
                               "type": "NotFoundError", "param": None, "code": 404}),
    "429": status_answer(429, None, [("Retry-After", "7")]),
    "429-bare": status_answer(429),
    "500": status_answer(500, {"object": "error", "message": "Internal Server Error",
                               "type": "InternalServerError", "param": None, "code": 500}),
    "500-text": raw_answer(b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\n"
                           b"content-length: 21\r\n\r\nInternal Server Error", then="keep"),
    "502-html": raw_answer(b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\n"
                           b"content-length: %d\r\n\r\n%b" % (len(HTML), HTML), then="keep"),
    "503-html": raw_answer(b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\n"
                           b"content-length: %d\r\n\r\n%b" % (len(HTML), HTML), then="keep"),
    "redirect": raw_answer(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/elsewhere\r\n"
                           b"content-length: 0\r\n\r\n", then="keep"),
    "truncated-json": _truncated,
    "length-too-long": _too_long,
    "length-too-short": _too_short,
    "200-html": raw_answer(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"
                           b"content-length: %d\r\n\r\n%b" % (len(HTML), HTML), then="keep"),
    "200-empty": status_answer(200, b""),
    "200-array": status_answer(200, b"[]"),
    "empty-choices": _streamed(
        event_stream([json.dumps({**_EMPTY, "object": "chat.completion.chunk"}).encode(),
                      b"[DONE]"]),
        answer(_EMPTY),
    ),
    "error-in-200": _streamed(event_stream([_DIED]), status_answer(200, _DIED)),
    "not-http": raw_answer(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "endless-head": raw_answer(b"HTTP/1.1 200 OK\r\n" + b"x-more: %b\r\n" % (b"a" * 1000) * 1000,
                               then="hang"),
    "ends-before-token": _streamed(_only_role, closed_at_once()),
    "stall-before-token": _streamed(_stalled, silence()),
    "malformed-first": _streamed(event_stream([b'{"choices": [', b"[DONE]"]),
                                 status_answer(200, b'{"choices": [')),
    "bad-framing": raw_answer(STREAM_HEAD + b"zz\r\ndata: {}\n\n\r\n", then="hang"),
}  # fmt: skip
