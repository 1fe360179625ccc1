"""What a client asks and what a model answers, on every surface and behind every engine."""

from typing import Any, Literal

import msgspec

# What is asked of a model, whatever surface asks: each is one path at an engine.
Operation = Literal["chat", "completion", "embedding", "rerank"]
WRITING: frozenset[Operation] = frozenset({"chat", "completion"})  # those that answer with text


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a model: what we interpret, typed; everything the client sent, to forward.

    `fields` holds every top-level field as raw JSON, in the client's order and in the words of
    the operation's own path at an engine; what we do not know is forwarded from there untouched.
    `messages` is decoded for features and prompts only; what an operation without messages reads
    (a prompt, inputs, documents) stands there as one message each.
    """

    model: str
    stream: bool
    include_usage: bool
    messages: tuple["Message", ...]
    fields: dict[str, msgspec.Raw]
    operation: Operation = "chat"
    choices: int = 1
    token_ids: int = 0  # of input that came as tokens, not as text
    max_tokens: int | None = None
    wants_logprobs: bool = False
    thinking: str | None = None  # "off" | "on" | "low" | "medium" | "high"; None: not asked
    metadata: dict[str, Any] | None = None
    # Functions that a surface knows by two names, namespace and name; keyed by the model's one.
    namespaces: dict[str, tuple[str, str]] | None = None


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
    thinking: str | None = None  # as the client asked for it
    operation: Operation = "chat"
