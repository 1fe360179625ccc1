"""What a well-behaved engine answers, byte for byte the same each time; shapes are made of it."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from pointsman.testing import Received

PIECES: Final = ("Good", " morning", ",", " Grüße", " 👋", " 日本", ".")
TEXT: Final = "".join(PIECES)
SERVED: Final = "conformance-served"  # the name the engine knows its model by
CREATED: Final = 1_800_000_000
USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
EMBEDDING_USAGE: Final = {"prompt_tokens": 3, "total_tokens": 3}

MARK: Final = re.compile(rb"conformance:([a-z0-9.+-]+):([0-9a-f]{16});")

JsonObject = dict[str, Any]


def is_chat(request: Received) -> bool:
    """Whether the request is for chat completions, and not for the older completions."""
    return request.target.split("?")[0].endswith("/chat/completions")


def wants_stream(request: Received) -> bool:
    """Whether a stream was asked for."""
    try:
        return bool(request.json.get("stream"))
    except (ValueError, AttributeError):
        return False


def envelope(request: Received) -> JsonObject:
    """The members that every object of one answer carries; the id is the exchange's token."""
    stream = wants_stream(request)
    found = MARK.search(request.body)
    token = found[2].decode() if found else "unmarked"
    if not is_chat(request):
        return {
            "id": f"cmpl-{token}",
            "object": "text_completion",
            "created": CREATED,
            "model": SERVED,
        }
    kind = "chat.completion.chunk" if stream else "chat.completion"
    return {"id": f"chatcmpl-{token}", "object": kind, "created": CREATED, "model": SERVED}


def whole(request: Received, text: str = TEXT, **more: Any) -> JsonObject:
    """A whole answer, in the words of the surface that was asked."""
    if is_chat(request):
        choice: JsonObject = {"index": 0, "message": {"role": "assistant", "content": text}}
    else:
        choice = {"index": 0, "text": text, "logprobs": None}
    choice["finish_reason"] = "stop"
    return {**envelope(request), "choices": [choice], "usage": USAGE, **more}


def frame(request: Received, *choices: JsonObject, **more: Any) -> JsonObject:
    """One object of a stream."""
    return {**envelope(request), "choices": list(choices), **more}


def delta(content: str | None = None, *, index: int = 0, **more: Any) -> JsonObject:
    """A chat choice that adds to the answer."""
    said = {"content": content} if content is not None else {}
    return {"index": index, "delta": {**said, **more}, "finish_reason": None}


def ending(reason: str = "stop", *, index: int = 0) -> JsonObject:
    """A chat choice that ends its part."""
    return {"index": index, "delta": {}, "finish_reason": reason}


def frames(
    request: Received, pieces: Sequence[str] = PIECES, *, end: bool = True
) -> list[JsonObject]:
    """The objects of a stream: role, pieces, end; with usage where it was asked for."""
    if is_chat(request):
        found = [frame(request, delta("", role="assistant"))]
        found += [frame(request, delta(piece)) for piece in pieces]
        last = [frame(request, ending())]
    else:
        found = [frame(request, _text(piece)) for piece in pieces]
        last = [frame(request, _text("", "stop"))]
    if end:
        found += last
        if request.asks_usage:
            found.append(frame(request, usage=USAGE))
    return found


def _text(piece: str, reason: str | None = None) -> JsonObject:
    return {"index": 0, "text": piece, "logprobs": None, "finish_reason": reason}


def encoded(objects: Sequence[JsonObject]) -> list[bytes]:
    """Each as compact UTF-8 JSON, as engines write it."""
    return [
        json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in objects
    ]


def embeddings(request: Received) -> JsonObject:
    """One vector for each input; base64 where that was asked for."""
    asked = request.json
    given = asked.get("input")
    many = isinstance(given, list) and bool(given) and not isinstance(given[0], int)
    count = len(given) if many else 1
    coded = asked.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": at, "embedding": "AACAPwAAAD8=" if coded else [1.0, 0.5]}
        for at in range(count)
    ]
    return {"object": "list", "data": data, "model": SERVED, "usage": EMBEDDING_USAGE}


def reranking(request: Received) -> JsonObject:
    """The documents in reverse, the last being the best; at most `top_n` of them."""
    asked = request.json
    given = asked.get("documents") or []
    order = list(range(len(given)))[::-1][: asked.get("top_n") or None]
    results = [
        {"index": at, "relevance_score": 0.25 * (at + 1), "document": {"text": given[at]}}
        for at in order
    ]
    return {"id": "rerank-c0", "model": SERVED, "results": results, "usage": {"total_tokens": 9}}


def models() -> JsonObject:
    """What the engine serves."""
    card = {"id": SERVED, "object": "model", "created": CREATED, "owned_by": "conformance"}
    return {"object": "list", "data": [card]}
