"""What engines get wrong and clients rely on, put right where it is wrong; no I/O.

One id for one answer; an index in every delta of a tool call, and another for another call; one
reason to finish; usage in an object of its own where it was asked for; a ranking that is an object.
All else stays as it came.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pointsman.domain.portfolio import ReasoningField

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_CHOICES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_TEXT = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_NULL = msgspec.Raw(b"null")
_OTHER: Mapping[ReasoningField, tuple[ReasoningField, bytes]] = {
    "reasoning": ("reasoning_content", b'"reasoning_content"'),
    "reasoning_content": ("reasoning", b'"reasoning"'),
}
_ENVELOPE = ("id", "object", "created", "model", "system_fingerprint")


class Odd(NamedTuple):
    """What is wrong with one choice of a chunk."""

    places: Sequence[int] | None  # of its tool calls, where the engine gives none or wrong ones
    finished_before: bool  # the same reason to finish was told already


def mended(data: bytes, *, name: str | None, odd: Mapping[int, Odd]) -> bytes:
    """The chunk with the id of the first one, and its choices put right.

    Args: name is the id, None where it is right; odd tells by position what is wrong with choices.
    Raises: msgspec.MsgspecError where a name of a field is no text.
    """
    try:
        return _mended(data, name, odd)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error


def with_reasoning_in(data: bytes, field: ReasoningField) -> bytes:
    """The answer or chunk with the thinking of its choices under this name, whichever it had.

    Raises: msgspec.MsgspecError where it is no answer.
    """
    other, quoted = _OTHER[field]
    if quoted not in data:
        return data
    try:
        fields = _FIELDS.decode(data)
        choices = _CHOICES.decode(fields.get("choices", _NULL)) or []
        moved = sum([_moved(choice, other, field) for choice in choices])
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    if not moved:
        return data
    fields["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(fields)


def _moved(choice: dict[str, msgspec.Raw], other: str, field: str) -> bool:
    """Whether there was any under the other name; what is told under both is told once."""
    moved = False
    for part in ("delta", "message"):
        text = _TEXT.decode(choice.get(part, _NULL)) or {}
        said = text.pop(other, None)
        if said is None:
            continue
        if bytes(text.get(field, _NULL)) == b"null":
            text[field] = said
        choice[part] = msgspec.Raw(msgspec.json.encode(text))
        moved = True
    return moved


def usage_alone(data: bytes) -> bytes:
    """The extra object that tells the usage which `data` tells beside a choice.

    Raises: msgspec.MsgspecError where a name of a field is no text.
    """
    try:
        fields = _FIELDS.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
    told = {name: fields[name] for name in _ENVELOPE if name in fields}
    return msgspec.json.encode({**told, "choices": [], "usage": fields["usage"]})


def ranked(data: bytes) -> bytes:
    """A ranking that came as a bare list (SGLang), in the shape of Jina, Cohere and vLLM.

    Raises: msgspec.MsgspecError where it is no list of scores.
    """
    try:
        places = _PLACES.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    read = [place.meta_info.prompt_tokens if place.meta_info else None for place in places]
    told = [tokens for tokens in read if tokens is not None]
    whole: dict[str, Any] = {"results": [_result(place) for place in places]}
    if told and len(told) == len(read):
        whole["usage"] = {"prompt_tokens": sum(told), "total_tokens": sum(told)}
    return msgspec.json.encode(whole)


def _result(place: "_Place") -> dict[str, Any]:
    said: dict[str, Any] = {"index": place.index, "relevance_score": place.score}
    if isinstance(place.document, str):
        said["document"] = {"text": place.document}
    elif place.document is not None:
        said["document"] = place.document
    return said


class _Meta(msgspec.Struct):
    prompt_tokens: int | None = None


class _Place(msgspec.Struct):
    index: int
    score: float
    document: Any = None
    meta_info: _Meta | None = None


_PLACES = msgspec.json.Decoder(list[_Place])


def _mended(data: bytes, name: str | None, odd: Mapping[int, Odd]) -> bytes:
    fields = _FIELDS.decode(data)
    if name is not None:
        fields["id"] = msgspec.Raw(msgspec.json.encode(name))
    if odd:
        choices = _OBJECTS.decode(fields["choices"])
        for position, wrong in odd.items():
            _put_right(choices[position], wrong)
        fields["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(fields)


def _put_right(choice: dict[str, msgspec.Raw], wrong: Odd) -> None:
    if wrong.finished_before:
        choice["finish_reason"] = _NULL
    if wrong.places is None:
        return
    said = "message" if bytes(choice.get("delta", b"null")) == b"null" else "delta"
    text = _FIELDS.decode(choice[said])
    calls = _OBJECTS.decode(text["tool_calls"])
    for call, place in zip(calls, wrong.places, strict=True):
        call["index"] = msgspec.Raw(b"%d" % place)
    text["tool_calls"] = msgspec.Raw(msgspec.json.encode(calls))
    choice[said] = msgspec.Raw(msgspec.json.encode(text))
