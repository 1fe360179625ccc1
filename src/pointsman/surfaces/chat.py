"""`/v1/chat/completions`: OpenAI's chat, the words in which every engine is asked."""

from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest
from pointsman.domain.messages import Message, ModelRequest
from pointsman.surfaces.reading import read


class StreamOptions(msgspec.Struct):
    """What a client wants of a stream."""

    include_usage: bool | None = None


class _Known(msgspec.Struct):
    """The fields we interpret. Everything else is forwarded without a look."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
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


def parse_chat(body: bytes) -> ModelRequest:
    """The request in a body. Raises: InvalidRequest that says what is wrong and where."""
    known, fields = read(body, _KNOWN)
    if not known.messages:
        raise InvalidRequest("`messages` is empty", param="messages", code="empty_messages")
    check_choices(known.n)
    options = known.stream_options
    return ModelRequest(
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


def check_choices(n: int | None) -> None:
    """Raises: InvalidRequest for a number of choices that nobody serves."""
    if n is not None and not 1 <= n <= 128:
        raise InvalidRequest("`n` must be from 1 to 128", param="n", code="invalid_value")


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
