"""A chat answer, whole or in chunks, as Anthropic's Messages API has it; and its errors."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.domain.errors import PointsmanError
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.pieces import Began, Block, Ended, Event, Grew, Pieces

Json = dict[str, Any]
_encode = msgspec.json.encode
_UNNAMED = "msg_unnamed"
_ENDED = ("stop", "tool_calls", "function_call", None)  # engines mix these up: the blocks tell
_REASONS = {"length": "max_tokens", "content_filter": "refusal"}
_OVERLOADED = 529
_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error",
    503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip


def messages_error(error: PointsmanError, *, trace: str | None = None) -> tuple[int, bytes]:
    """Status and body of an error. What is overloaded has a status of its own there."""
    status = _OVERLOADED if error.status == 503 else error.status
    named = {"request_id": trace} if trace else {}
    return status, _encode({**_told(error), **named})


def _told(error: PointsmanError) -> Json:
    usual = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
    kind = _KINDS.get(error.status, usual)
    code, message = error.reported_code, error.sentence
    if code == "context_length_exceeded":  # agents look for these words, and make their turns fewer
        message = f"prompt is too long: {message}"
    details = {"error_code": code}
    return {"type": "error",
            "error": {"type": kind, "message": message, "details": details}}  # fmt: skip


class MessagesWriter:
    """One answer in the words of the Messages API.

    How many tokens were read is known at the end: `message_start` says 0, `message_delta` the
    truth where the engine told it. A stream that breaks ends with the error and leaves its block
    open: a client that acts on the end of a block must not act on half of one.
    """

    def __init__(self, request: ModelRequest) -> None:
        self._asked = request.model
        self._pieces = Pieces()
        self._started = False
        self._index = -1

    def whole(self, body: bytes) -> bytes:
        pieces = self._pieces
        pieces.whole(body)
        content = [_block(block) for block in pieces.blocks]
        return _encode(
            {**self._head(), "content": content, "stop_reason": self._reason(),
             "stop_sequence": pieces.stop_sequence, "usage": self._usage()}
        )  # fmt: skip

    def events(self, payloads: Sequence[bytes]) -> bytes:
        written: list[bytes] = []
        for payload in payloads:
            events = list(self._pieces.chunk(payload))
            if not self._started and (events or self._pieces.id):
                written.append(self._start())
            written += [self._event(event) for event in events]
        return b"".join(written)

    def comment(self) -> bytes:
        return _sse({"type": "ping"})

    def close(self) -> bytes:
        written = [] if self._started else [self._start()]
        written += [self._event(event) for event in self._pieces.end()]
        delta = {"stop_reason": self._reason(), "stop_sequence": self._pieces.stop_sequence}
        told = {"pointsman": self._pieces.told} if self._pieces.told is not None else {}
        written.append(
            _sse({"type": "message_delta", "delta": delta, "usage": self._usage(), **told})
        )
        written.append(_sse({"type": "message_stop"}))
        return b"".join(written)

    def broken(self, error: PointsmanError) -> bytes:
        return _sse(_told(error))

    def _start(self) -> bytes:
        self._started = True
        self._pieces.id = self._pieces.id or _UNNAMED  # what is named by it keeps its name
        usage = {"input_tokens": 0, "output_tokens": 0}
        message = {**self._head(), "content": [], "stop_reason": None, "stop_sequence": None,
                   "usage": usage}  # fmt: skip
        return _sse({"type": "message_start", "message": message})

    def _head(self) -> Json:
        pieces = self._pieces
        return {"id": pieces.id or _UNNAMED, "type": "message", "role": "assistant",
                "model": pieces.model or self._asked}  # fmt: skip

    def _event(self, event: Event) -> bytes:
        match event:
            case Began(block):
                self._index += 1
                empty = _block(block, empty=True)
                return _sse({"type": "content_block_start", "index": self._index,
                             "content_block": empty})  # fmt: skip
            case Grew(block, text):
                return _sse({"type": "content_block_delta", "index": self._index,
                             "delta": _delta(block, text)})  # fmt: skip
            case Ended():
                return _sse({"type": "content_block_stop", "index": self._index})

    def _reason(self) -> str:
        pieces = self._pieces
        if pieces.stop_sequence is not None:
            return "stop_sequence"
        kinds = {block.kind for block in pieces.blocks}
        if pieces.finish_reason in _ENDED:
            return (
                "tool_use" if "tool" in kinds else "refusal" if "refusal" in kinds else "end_turn"
            )
        return _REASONS.get(pieces.finish_reason or "", "end_turn")

    def _usage(self) -> Json:
        counts = self._pieces.counts
        if counts is None:
            return {"input_tokens": 0, "output_tokens": 0}
        usage = {"input_tokens": max(0, counts.read - counts.cached),
                 "output_tokens": counts.written}  # fmt: skip
        if counts.cached:
            usage["cache_read_input_tokens"] = counts.cached
        return usage


def _block(block: Block, *, empty: bool = False) -> Json:
    text = "" if empty else block.text
    match block.kind:
        case "reasoning":
            return {"type": "thinking", "thinking": text, "signature": ""}
        case "tool":
            return {"type": "tool_use", "id": block.id, "name": block.name,
                    "input": {} if empty else _input(text)}  # fmt: skip
        case _:
            return {"type": "text", "text": text}


def _input(arguments: str) -> Any:
    """The arguments as an object; where the model wrote none, its words stay readable."""
    if not arguments.strip():
        return {}
    try:
        said = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"unreadable": arguments}
    return said if isinstance(said, dict) else {"unreadable": arguments}


def _delta(block: Block, text: str) -> Json:
    match block.kind:
        case "reasoning":
            return {"type": "thinking_delta", "thinking": text}
        case "tool":
            return {"type": "input_json_delta", "partial_json": text}
        case _:
            return {"type": "text_delta", "text": text}


def _sse(said: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (said["type"].encode(), _encode(said))
