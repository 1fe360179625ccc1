"""What routing may know of a request before any model has seen it; no learning lives here."""

from pointsman.domain.messages import ChatRequest, Features, Message

# Bytes of UTF-8 per token of the Qwen vocabulary on mixed English and JSON text, rounded down.
# An estimate for routing rules only: budgets and costs use what the engine reports.
_BYTES_PER_TOKEN = 3.6
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})


def features_of(
    request: ChatRequest, *, task: str | None, tenant: str, hour_utc: int = 0
) -> Features:
    """The features of one request.

    Args: task is the resolved task's name, None for a direct ask; hour_utc in [0, 23].
    Returns: `text_chars` counts characters of text parts only; `prompt_tokens_estimate` is that
        text in bytes over a fixed ratio, never below 1.
    """
    texts = [text for message in request.messages for text in _texts(message)]
    chars = sum(len(text) for text in texts)
    size = sum(len(text) if text.isascii() else len(text.encode()) for text in texts)
    return Features(
        task=task,
        tenant=tenant,
        messages=len(request.messages),
        text_chars=chars,
        prompt_tokens_estimate=max(1, round(size / _BYTES_PER_TOKEN)),
        has_image=any(_has_image(message) for message in request.messages),
        has_tools="tools" in request.fields or "functions" in request.fields,
        wants_json="response_format" in request.fields,
        stream=request.stream,
        max_tokens=request.max_tokens,
        hour_utc=hour_utc,
    )


def _texts(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    parts = message.content or []
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _has_image(message: Message) -> bool:
    return isinstance(message.content, list) and any(
        part.get("type") in _IMAGE_PARTS for part in message.content
    )
