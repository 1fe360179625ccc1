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
    # Where the thinking switch of a family goes: into chat_template_kwargs, to the top level,
    # or nowhere (reasoning_effort is forwarded as it is).
    thinking: Literal["template", "top_level", "effort"] = "template"


ENGINES: Final[dict[Engine, Dialect]] = {
    "openai": Dialect(thinking="effort"),
    "vllm": Dialect(),
    "sglang": Dialect(),
    "llamacpp": Dialect(),
    "embedded": Dialect(),
    "tgi": Dialect(thinking="effort"),
    "ollama": Dialect(thinking="effort"),
    "dashscope": Dialect(thinking="top_level"),
}


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How a model family switches its thinking in its chat template."""

    switch: str | None = None  # the boolean name in the template
    efforts: bool = False  # understands reasoning_effort itself


FAMILIES: Final[dict[str, Family]] = {
    "generic": Family(efforts=True),
    "qwen3": Family(switch="enable_thinking"),
    "deepseek": Family(switch="thinking"),
    "gpt-oss": Family(efforts=True),
}

_OFF: Final = ("off", "none")


def thinking_fields(
    thinking: str, engine: Engine, family: str, fields: dict[str, msgspec.Raw]
) -> dict[str, Any]:
    """The request fields that switch thinking for this engine and family.

    Args: thinking is `off`, `on`, or an effort; fields are those the client sent.
    Returns: fields to set (a value of None removes the client's); empty where the client already
        speaks this engine's own switch, or nothing is known to set.
    """
    dialect, kind = ENGINES[engine], FAMILIES.get(family, FAMILIES["generic"])
    if kind.switch is None or dialect.thinking == "effort":
        if "reasoning_effort" in fields or not (kind.efforts or dialect.thinking == "effort"):
            return {}
        return {"reasoning_effort": _effort(thinking)} if thinking != "on" else {}
    wanted = thinking not in _OFF
    if dialect.thinking == "top_level":
        return {kind.switch: wanted, "reasoning_effort": None}
    kwargs: dict[str, Any] = {}
    if "chat_template_kwargs" in fields:
        kwargs = msgspec.json.decode(fields["chat_template_kwargs"])
    if kind.switch in kwargs:
        return {}
    cleared = {name: None for name in ("reasoning_effort", kind.switch) if name in fields}
    return {"chat_template_kwargs": {**kwargs, kind.switch: wanted}, **cleared}


def _effort(thinking: str) -> str:
    return "none" if thinking in _OFF else thinking
