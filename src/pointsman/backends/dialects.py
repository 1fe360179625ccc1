"""What engines and model families differ in, as data; the code that reads it is the same for all.

Rows state what an engine's OpenAI surface takes and gives; a row is added with a test against
real or recorded bytes.
"""

from typing import Any, Final, Literal

import msgspec

from pointsman.domain.portfolio import Engine


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's way with the OpenAI protocol."""

    stream_usage: bool = True  # takes stream_options.include_usage
    logprobs: bool = True  # takes `logprobs: true` on chat completions
    # Where the switch of thinking goes: into chat_template_kwargs under the family's name for
    # it, to the top level as enable_thinking whatever the family, or into reasoning_effort.
    thinking: Literal["template", "top_level", "effort"] = "template"
    known: bool = True  # False: any engine may be behind it; a client's own words stay


ENGINES: Final[dict[Engine, Dialect]] = {
    "openai": Dialect(thinking="effort", known=False),
    "vllm": Dialect(),
    "sglang": Dialect(),
    "llamacpp": Dialect(),
    "embedded": Dialect(),
    "tgi": Dialect(thinking="effort"),
    "ollama": Dialect(thinking="effort"),
    "dashscope": Dialect(thinking="top_level"),
}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How a model family switches its thinking."""

    switch: str | None = None  # the boolean name in the chat template; None: by effort
    least_effort: str = "none"  # what `off` is where an effort is asked
    known: bool = True  # False: any model may be behind it; a client's own words stay


FAMILIES: Final[dict[str, Family]] = {
    "generic": Family(known=False),
    "qwen3": Family(switch="enable_thinking"),
    "deepseek": Family(switch="thinking"),
    # Always thinks; engines refuse an effort of `none` for it.
    "gpt-oss": Family(least_effort="low"),
}

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


def _kwargs(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The client's own, each value as it came."""
    if not _given(fields, _KWARGS):
        return {}
    return msgspec.json.decode(fields[_KWARGS], type=dict[str, msgspec.Raw])


def _given(fields: dict[str, msgspec.Raw], name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"
