"""A case without what tells of a person: every find of our detectors becomes a numbered word.

What has a form is found: addresses, numbers, keys. Names and places have none, and stay.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.policy.finding import Detector
from pointsman.policy.verdicts import Span, redacted, union

MAX_DEPTH = 64
# Words of the protocol, never words of anyone.
_NAMES = frozenset(("role", "type", "tool_call_id", "finish_reason", "detail", "format"))
# Parts that bring what is no text: nobody here can look into them.
_UNSEEN = frozenset(
    (
        "image_url", "image", "input_image", "input_audio", "audio", "audio_url", "video",
        "video_url", "file", "input_file", "document_url",
    )
)  # fmt: skip


class Unseeable(Exception):
    """Part of the case cannot be looked at; says which and why, never its text."""


class Deidentified(msgspec.Struct, frozen=True, kw_only=True):
    """The values as they may be kept, and what was taken out of them, by kind."""

    values: tuple[Any, ...]
    taken: dict[str, int]  # different ones of each kind


def deidentified(values: Sequence[Any], detectors: Sequence[Detector]) -> Deidentified:
    """The values with a word like `[email 1]` for each find; the same find has the same word.

    Nothing leads back from a word to what stood there: words are numbered as they come.
    Args: values are JSON: messages, expected answers; all of them are one case.
    Raises: Unseeable for what is no text, or where a detector could not look.
    """
    words: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}

    def word(kind: str, text: str) -> str:
        if (kind, text) not in words:
            counts[kind] = counts.get(kind, 0) + 1
            words[kind, text] = f"[{kind} {counts[kind]}]"
        return words[kind, text]

    def clean(text: str) -> str:
        for _ in range(3):  # what stood apart may be found once its neighbour is gone
            spans = _spans(text, detectors, word)
            if not spans:
                return text
            text = redacted(text, spans)
        if _spans(text, detectors, word):
            raise Unseeable("something is found again and again")
        return text

    cleaned = tuple(_walk(value, clean, 0) for value in values)
    return Deidentified(values=cleaned, taken=dict(sorted(counts.items())))


def _spans(
    text: str, detectors: Sequence[Detector], word: Callable[[str, str], str]
) -> tuple[Span, ...]:
    found = []
    for detector in detectors:
        said = detector.judge(text, channel="content")
        if said.status == "unjudged":
            raise Unseeable(f"{detector.name} could not look: {said.reason}")
        found += [each for each in said.findings if each.end > each.start]
    found.sort(key=lambda each: (each.start, -each.end))
    apart = union([Span(each.start, each.end, each.kind) for each in found])
    return tuple(
        Span(each.start, each.end, word(each.replacement, text[each.start : each.end]))
        for each in apart
    )


def _walk(value: Any, clean: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        return clean(value)
    if depth > MAX_DEPTH:
        raise Unseeable("nested too deep")
    if isinstance(value, list | tuple):
        return [_walk(each, clean, depth + 1) for each in value]
    if isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _UNSEEN:
            raise Unseeable(f"a part of type {kind}")
        made = {}
        for name, item in value.items():
            if name in _UNSEEN and item:
                raise Unseeable(f"a part of type {name}")
            made[name] = item if name in _NAMES else _walk(item, clean, depth + 1)
        return made
    return value
