"""The texts in JSON that models read and write: every leaf with its channel, and what is none."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pointsman.domain.policies import Channel

Path = tuple[str | int, ...]
# Words of the protocol, never words of anyone.
NAMES = frozenset(
    ("role", "type", "id", "object", "index", "tool_call_id", "call_id", "cache_control",
     "finish_reason", "stop_reason", "signature", "detail", "format", "mime_type", "media_type",
     "status", "strict")
)  # fmt: skip
_CHANNELS: Mapping[str, Channel] = {
    "arguments": "tool_args",
    "reasoning": "reasoning",
    "reasoning_content": "reasoning",
    "reasoning_details": "reasoning",
    "thinking": "reasoning",
    "refusal": "refusal",
}
# Parts that bring what is no text; nobody here looks into them.
_SEEN = frozenset(
    ("image_url", "image", "input_image", "input_audio", "audio", "audio_url", "video",
     "video_url", "input_video", "file", "input_file", "document_url")
)  # fmt: skip
_CALLS: tuple[Path, ...] = (("function",), ("function_call",))
MAX_DEPTH = 64


class Leaf(NamedTuple):
    """A text and where it stands; without a text, what cannot be read there."""

    path: Path
    channel: Channel
    text: str | None
    what: str = ""


def leaves(
    value: Any, path: Path = (), channel: Channel = "content", *, names: frozenset[str] = NAMES
) -> Iterator[Leaf]:
    """Every text in a value, in its order; a picture or sound as a leaf without a text.

    Args: what stands under one of names is the protocol's, where it is a word and no sentence.
    """
    if isinstance(value, str):
        if value:
            yield Leaf(path, channel, value)
        return
    if len(path) > MAX_DEPTH:
        yield Leaf(path, channel, None, "nested too deep")
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index), channel, names=names)
        return
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if isinstance(kind, str) and kind in _SEEN:
        yield Leaf(path, channel, None, f"a part of type {kind}")
        return
    for name, item in value.items():
        if name == "arguments" and isinstance(item, dict | list) and path[-1:] in _CALLS:
            # words of the model under any name: none of them may pass for the protocol's
            yield Leaf((*path, name), "tool_args", None, "arguments that are no text")
        elif name in _SEEN and item:
            yield Leaf((*path, name), channel, None, f"a part of type {name}")
        elif name in names and not _said(name, item):
            continue
        elif isinstance(item, str):
            if item:
                yield Leaf((*path, name), _CHANNELS.get(name, channel), item)
        elif isinstance(item, dict | list):
            yield from leaves(item, (*path, name), _CHANNELS.get(name, channel), names=names)


def _said(name: str, item: Any) -> bool:
    """Whether what stands under a word of the protocol is more than one: somebody's words."""
    return name != "signature" and isinstance(item, str) and any(map(str.isspace, item))


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for step in path:
        value = value[step]
    return value


def put(value: Any, path: Path, text: str) -> None:
    """Put a text where another stood; the value is changed."""
    at(value, path[:-1])[path[-1]] = text
