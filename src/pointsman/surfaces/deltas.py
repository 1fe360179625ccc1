"""One chat object, a whole answer or a chunk of one, read as the pieces that it says.

What is made for every chunk is a Struct here and in `pieces.py`: a frozen dataclass takes ten times
as long to make.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["reasoning", "text", "refusal", "tool"]


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Text(msgspec.Struct):
    content: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None  # what tool calls were before they had that name


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None
    stop_reason: Any = None  # vLLM's: the stop sequence that was met
    matched_stop: Any = None  # SGLang's


class _Details(msgspec.Struct):
    cached_tokens: float | None = None
    reasoning_tokens: float | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    reasoning_tokens: float | None = None  # SGLang's place for it


_NONE = msgspec.Raw()


class _Object(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    pointsman: msgspec.Raw = _NONE


_OBJECT = msgspec.json.Decoder(_Object)


class Counts(msgspec.Struct, frozen=True):
    """Tokens as the engine counted them."""

    read: int  # cached ones included
    written: int  # reasoning included
    cached: int = 0
    reasoned: int = 0


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Some more of an answer: `slot` tells the tool calls apart."""

    kind: Kind
    text: str
    slot: int = -1
    id: str = ""
    name: str = ""


class Said(msgspec.Struct, frozen=True):
    """What one object says of the answer's first choice."""

    id: str
    model: str
    created: int  # seconds since 1970; 0 where the engine does not say
    pieces: Sequence[Piece]
    finish_reason: str | None
    stop_sequence: str | None
    counts: Counts | None
    told: msgspec.Raw | None  # what the gateway itself adds


def read(data: bytes) -> Said | None:
    """What the object says; None where it is no chat object."""
    try:
        said = _OBJECT.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    pieces: list[Piece] = []
    reason, sequence = None, None
    for choice in said.choices or ():
        if choice.index != 0:
            continue
        if choice.delta is not None:
            pieces += _pieces(choice.delta, whole=False)
        elif choice.message is not None:
            pieces += _pieces(choice.message, whole=True)
        reason = choice.finish_reason or reason
        met = choice.stop_reason if choice.stop_reason is not None else choice.matched_stop
        sequence = met if isinstance(met, str) else sequence  # a number is a token of the model's
    counts = _counts(said.usage) if said.usage is not None else None
    told = said.pointsman.copy() if bytes(said.pointsman) else None  # `data` need not stay
    return Said(
        said.id or "", said.model or "", _number(said.created), pieces, reason, sequence, counts,
        told,
    )  # fmt: skip


def _pieces(said: _Text, *, whole: bool) -> Iterator[Piece]:
    thought = said.reasoning_content or said.reasoning
    if thought:
        yield Piece("reasoning", thought)
    text = _text(said.content)
    if text:
        yield Piece("text", text)
    if said.refusal:
        yield Piece("refusal", said.refusal)
    for position, call in enumerate(said.tool_calls or ()):
        # In a whole answer each is a call of its own, whatever number the engine gives it.
        slot = position if whole or call.index is None else call.index
        yield _called(call.function or _Function(), slot, call.id or "")
    if said.function_call is not None:
        yield _called(said.function_call, 0, "")


def _called(function: _Function, slot: int, id: str) -> Piece:
    said = function.arguments
    if said is not None and not isinstance(said, str):
        said = msgspec.json.encode(said).decode()  # an object, where an engine forgot to write text
    return Piece("tool", said or "", slot, id, function.name or "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _counts(said: _Usage) -> Counts:
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    reasoned = completion.reasoning_tokens if completion else None
    return Counts(
        read=_number(said.prompt_tokens),
        written=_number(said.completion_tokens),
        cached=_number(prompt.cached_tokens if prompt else None),
        reasoned=_number(reasoned or said.reasoning_tokens),
    )


def _number(said: float | None) -> int:
    return int(min(max(said or 0, 0), 10**11))
