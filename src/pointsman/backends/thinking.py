"""The switch of a model's thinking, in the words of its engine and family; pure."""

from typing import Any, Final

import msgspec

from pointsman.backends.dialects import ENGINES, FAMILIES
from pointsman.domain.portfolio import Engine

_EFFORT: Final = "reasoning_effort"
_KWARGS: Final = "chat_template_kwargs"
_TOP_LEVEL: Final = "enable_thinking"
_SWITCHES: Final = frozenset(kind.switch for kind in FAMILIES.values() if kind.switch)
_OFF: Final = ("off", "none")


def thinking_fields(
    thinking: str, engine: Engine, family: str, fields: dict[str, msgspec.Raw]
) -> dict[str, Any]:
    """The request fields that switch thinking for this engine and family.

    Args: thinking is `off`, `on`, or an effort; fields are those the client sent.
    Returns: fields to set (a value of None removes the client's); empty where the client already
        speaks this engine's own switch, or nothing is known to set. A null is no switch.
    """
    dialect, kind = ENGINES[engine], FAMILIES.get(family, FAMILIES["generic"])
    kwargs = _kwargs(fields)
    wanted = thinking not in _OFF
    if dialect.thinking == "top_level":
        return {} if _given(fields, _TOP_LEVEL) else {_TOP_LEVEL: wanted, _EFFORT: None}
    if dialect.thinking == "template" and kind.switch is not None:
        if _given(kwargs, kind.switch):
            return {}
        cleared = dict.fromkeys((_EFFORT, _TOP_LEVEL))
        return {_KWARGS: {**kwargs, kind.switch: wanted}, **cleared}
    spoken = _given(fields, _TOP_LEVEL) or any(_given(kwargs, name) for name in _SWITCHES)
    untouched = spoken and not (dialect.known and kind.known)
    if _given(fields, _EFFORT) or untouched or thinking == "on":
        return {}
    return {_EFFORT: thinking if wanted else kind.least_effort}


def bound_fields(most: int, engine: Engine, fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """The request field that bounds the tokens of thinking; empty where the client has a bound of
    its own, or the engine has no such field."""
    name = ENGINES[engine].thinking_tokens
    return {} if name is None or _given(fields, name) else {name: most}


def _kwargs(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The client's own, each value as it came."""
    if not _given(fields, _KWARGS):
        return {}
    return msgspec.json.decode(fields[_KWARGS], type=dict[str, msgspec.Raw])


def _given(fields: dict[str, msgspec.Raw], name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"
