"""The chat completions surface: bytes to a ChatRequest, and an answer back to the wire."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman.answering.sink import Headers
from pointsman.domain.errors import InvalidRequest, PointsmanError
from pointsman.domain.messages import ChatRequest, Message
from pointsman.gateway.errors import error_head, error_object
from pointsman.gateway.http_server import Exchange

_JSON = (b"content-type", b"application/json")
_STREAM_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Known(msgspec.Struct):
    """The fields we interpret. Everything else is forwarded without a look."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    reasoning_effort: str | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


_TEMPLATE_SWITCHES = ("enable_thinking", "thinking")  # Qwen's and DeepSeek's
_KNOWN = msgspec.json.Decoder(_Known)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_chat(body: bytes) -> ChatRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    try:
        body.decode()  # what is forwarded unread must be text as well
        known = _KNOWN.decode(body)
        fields = _FIELDS.decode(body)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        raise InvalidRequest(
            str(error), param=path.rstrip("`") or _missing(what), code="invalid_type"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", code="invalid_json") from None
    if not known.messages:
        raise InvalidRequest("`messages` is empty", param="messages", code="empty_messages")
    if known.n is not None and not 1 <= known.n <= 128:
        raise InvalidRequest("`n` must be from 1 to 128", param="n", code="invalid_value")
    options = known.stream_options
    return ChatRequest(
        model=known.model,
        stream=bool(known.stream),
        include_usage=bool(options and options.include_usage),
        messages=tuple(known.messages),
        fields=fields,
        choices=known.n or 1,
        max_tokens=known.max_completion_tokens or known.max_tokens,
        wants_logprobs=bool(known.logprobs),
        thinking=_thinking(known),
        metadata=known.metadata,
    )


def _missing(what: str) -> str | None:
    """The field in msgspec's "Object missing required field `x`"."""
    return what.split("`")[1] if what.count("`") == 2 and "missing" in what else None


def _thinking(known: _Known) -> str | None:
    switch = known.enable_thinking
    kwargs = known.chat_template_kwargs or {}
    for name in _TEMPLATE_SWITCHES:
        if switch is None and isinstance(kwargs.get(name), bool):
            switch = kwargs[name]
    if switch is not None:
        return "on" if switch else "off"
    if known.reasoning_effort is None:
        return None
    return "off" if known.reasoning_effort == "none" else known.reasoning_effort


class ChatSink:
    """An answer in OpenAI's chat shape on one HTTP exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def whole(self, headers: Headers, body: bytes) -> None:
        """200 and the engine's own JSON."""
        self._exchange.respond(200, [_JSON, *headers], body)

    def refuse(self, error: PointsmanError, headers: Headers) -> None:
        """The error with its own status, and Retry-After where there is one."""
        head = [*error_head(error), *headers]
        self._exchange.respond(error.status, head, error_object(error))

    def open_stream(self, headers: Headers) -> None:
        """200, and events follow."""
        self._exchange.start(200, [*_STREAM_HEAD, *headers])

    def events(self, payloads: Sequence[bytes]) -> None:
        """Each payload as one `data:` event, all in one write."""
        if payloads:
            self._exchange.write(b"data: " + b"\n\ndata: ".join(payloads) + b"\n\n")

    def comment(self) -> None:
        """An SSE comment: clients ignore it, proxies see life."""
        self._exchange.write(b": keep-alive\n\n")

    async def drained(self) -> None:
        """Wait while the client reads more slowly than the engine writes."""
        await self._exchange.drain()

    def close_stream(self) -> None:
        """The mark of a whole answer."""
        self._exchange.write(b"data: [DONE]\n\n")
        self._exchange.finish()

    def break_stream(self, error: PointsmanError) -> None:
        """What happened, as an event; no [DONE] after it."""
        self._exchange.write(b"data: " + error_object(error) + b"\n\n")
        self._exchange.finish()
