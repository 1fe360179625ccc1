"""What embeddings and rankings read that is an object: a document, a picture, or both."""

from typing import Any

from pointsman.domain.messages import Message

# Names under which objects bring what is no text; as a type each is what chat calls a picture.
_SEEN = ("image", "image_url", "video", "video_url", "audio", "input_audio")


def message_of(said: str | dict[str, Any]) -> Message:
    """The input as one message, for features, budgets and policy; what is sent is the input."""
    if isinstance(said, str):
        return Message("user", said)
    text, parts = said.get("text"), said.get("content")
    shown = [name for name in _SEEN if said.get(name) is not None]
    if isinstance(text, str) and not shown and parts is None:
        return Message("user", text)
    known = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    if isinstance(text, str):
        known.append({"type": "text", "text": text})
    if isinstance(parts, str):
        known.append({"type": "text", "text": parts})
    known += [{"type": name, name: said[name]} for name in shown]
    return Message("user", known)
