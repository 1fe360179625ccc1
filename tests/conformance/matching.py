"""What an answer should be, what it is, and the first place where they part."""

import json
from collections.abc import Sequence
from typing import Any, Final

_SHOWN = 1200


class Mismatch(Exception):
    """An answer that is not what it must be; both sides as bytes that a person can compare."""

    def __init__(self, what: str, *, expected: object = "", got: object = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = shown(expected)
        self.got = shown(got)


class Absent(Exception):
    """The gateway does not offer what the case examines."""


class Any_:
    """Equal to anything that is there."""

    def __repr__(self) -> str:
        return "…"


class OneOf:
    """Equal to any of these."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def __repr__(self) -> str:
        return " | ".join(map(json.dumps, self.values))


ANY: Final = Any_()

# Members that the protocol gives a meaning: none of them may be made up. A gateway's own
# additions (its trace, its cost) go by other names, which every client skips.
_PROTOCOL = frozenset(
    {
        "choices", "delta", "message", "text", "finish_reason", "index", "role", "content", "usage",
        "logprobs", "tool_calls", "function_call", "refusal", "reasoning", "reasoning_content",
        "audio", "annotations", "error", "data", "results", "embedding", "relevance_score",
        "document", "meta", "type", "output", "stop_reason", "stop_sequence",
    }
)  # fmt: skip


def same(expected: object, got: object, *, whole: object = None, where: str = "$") -> None:
    """Raises: Mismatch at the first member that differs.

    A member that is not expected may be null, or one that the protocol does not know.
    """
    whole = got if whole is None else whole
    match expected:
        case Any_():
            return
        case OneOf():
            if got not in expected.values:
                raise Mismatch(f"{where} differs", expected=expected, got=got)
        case dict():
            if not isinstance(got, dict):
                raise Mismatch(f"{where} is no object", expected=expected, got=got)
            for name, value in expected.items():
                if name not in got:
                    raise Mismatch(f"{where}.{name} is missing", expected=expected, got=got)
                same(value, got[name], whole=whole, where=f"{where}.{name}")
            for name, value in got.items():
                if name not in expected and value is not None and name in _PROTOCOL:
                    raise Mismatch(f"{where}.{name} was made up", expected=expected, got=got)
        case list():
            if not isinstance(got, list) or len(got) != len(expected):
                raise Mismatch(f"{where} has other members", expected=expected, got=got)
            for at, (one, other) in enumerate(zip(expected, got, strict=True)):
                same(one, other, whole=whole, where=f"{where}[{at}]")
        case _:
            if type(expected) is not type(got) or expected != got:
                raise Mismatch(f"{where} differs", expected=expected, got=got)


def check(condition: object, what: str, *, expected: object = "", got: object = "") -> None:
    """Raises: Mismatch unless the condition holds."""
    if not condition:
        raise Mismatch(what, expected=expected, got=got)


def shown(value: object) -> str:
    """Bytes and JSON as one readable line, its end cut off where it is long."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n")
    elif isinstance(value, str):
        text = value
    else:
        text = _json(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + f"… ({len(text)} in all)"


def _json(value: object) -> str:
    def rest(other: Any) -> Any:
        if isinstance(other, Sequence):
            return list(other)
        return repr(other)

    return json.dumps(value, ensure_ascii=False, default=rest)
