"""What a client asks and what a model answers, on every surface and behind every engine."""

from typing import Any

import msgspec


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One chat request: what we interpret, typed; everything the client sent, kept to forward.

    `fields` holds every top-level field as raw JSON, in the client's order; what we do not know
    is forwarded from there untouched. `messages` is decoded for features and prompts only.
    """

    model: str
    stream: bool
    include_usage: bool
    messages: tuple["Message", ...]
    fields: dict[str, msgspec.Raw]
    choices: int = 1
    max_tokens: int | None = None
    wants_logprobs: bool = False
    thinking: str | None = None  # "off" | "on" | "low" | "medium" | "high"; None: not asked
    metadata: dict[str, Any] | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation; content parts beyond text stay raw."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a finished answer, assembled, as gates and verifiers see it."""

    content: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple["ToolCall", ...] = ()
    finish_reason: str | None = None
    logprobs: "LogprobSummary | None" = None

    @property
    def empty(self) -> bool:
        """True when nothing came that a client could use."""
        return not (self.content or self.tool_calls or self.refusal)


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool, its arguments as the JSON text the model wrote."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class LogprobSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What gates need of token logprobs (natural logarithm, each <= 0)."""

    minimum: float
    mean: float
    tokens: int


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What routing may know of a request before any model has seen it."""

    task: str | None
    tenant: str
    messages: int
    text_chars: int
    prompt_tokens_estimate: int
    has_image: bool
    has_tools: bool
    wants_json: bool
    stream: bool
    max_tokens: int | None = None
    hour_utc: int = 0
