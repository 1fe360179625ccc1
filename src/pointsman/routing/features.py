"""What routing may know of a request before any model has seen it; no learning lives here."""

import msgspec

from pointsman.domain.messages import Features, Message, ModelRequest

# Bytes of UTF-8 per token of the Qwen vocabulary on mixed English and JSON text, rounded down.
# An estimate for routing rules only: budgets and costs use what the engine reports.
_BYTES_PER_TOKEN = 3.6
_NOTHING = msgspec.Raw()
_TEXT_END_CHARS = 8192  # of a text's beginning, and of its end, that a router is asked about
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})


def features_of(
    request: ModelRequest, *, task: str | None, tenant: str, hour_utc: int = 0
) -> Features:
    """The features of one request.

    Args: task is the resolved task's name, None for a direct ask; hour_utc in [0, 23].
    Returns: `text_chars` counts characters of text parts only; `prompt_tokens_estimate` is that
        text in bytes over a fixed ratio, never below 1.
    """
    chars = size = 0
    has_image = False
    for message in request.messages:  # of every request: a loop, where generators cost three times
        content = message.content
        if isinstance(content, str):
            chars += len(content)
            size += len(content) if content.isascii() else len(content.encode())
        elif content:
            texts = _texts(message)
            chars += sum(map(len, texts))
            size += _size(texts)
            has_image = has_image or _has_image(message)
    fields = request.fields
    return Features(
        task=task,
        tenant=tenant,
        messages=len(request.messages),
        text_chars=chars,
        prompt_tokens_estimate=max(1, request.token_ids + round(size / _BYTES_PER_TOKEN)),
        has_image=has_image,
        has_tools="tools" in fields or "functions" in fields,
        wants_json="response_format" in fields,
        stream=request.stream,
        max_tokens=request.max_tokens,
        hour_utc=hour_utc,
        thinking=request.thinking,
        operation=request.operation,
    )


def text_of(request: ModelRequest) -> str:
    """The words that a router is asked about: every text of the messages, a line each; of a very
    long one its beginning and its end."""
    text = "\n".join(text for message in request.messages for text in _texts(message))
    if len(text) <= 2 * _TEXT_END_CHARS:
        return text
    return text[:_TEXT_END_CHARS] + "\n" + text[-_TEXT_END_CHARS:]


class _Called(msgspec.Struct):
    """What a message says beside its content."""

    tool_calls: msgspec.Raw = _NOTHING
    reasoning_content: msgspec.Raw = _NOTHING


_TURNS = msgspec.json.Decoder(list[_Called])


def whole_prompt_estimate(request: ModelRequest) -> int:
    """Tokens of a chat's whole prompt for whoever asks for their number: with its tools and calls.

    Pictures and files are not counted: their size in tokens is the model's own.
    """
    size = _size([text for message in request.messages for text in _texts(message)])
    size += len(bytes(request.fields.get("tools", _NOTHING)))
    for turn in _TURNS.decode(request.fields["messages"]):
        size += len(bytes(turn.tool_calls)) + len(bytes(turn.reasoning_content))
    return max(1, round(size / _BYTES_PER_TOKEN))


def _size(texts: list[str]) -> int:
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts)


def _texts(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    parts = message.content or []
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _has_image(message: Message) -> bool:
    return isinstance(message.content, list) and any(
        part.get("type") in _IMAGE_PARTS for part in message.content
    )
