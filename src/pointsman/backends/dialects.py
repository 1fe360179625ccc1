"""What engines and model families differ in, as data; the code that reads it is the same for all.

One row an engine: where it takes what, how it is asked for usage, logprobs, thinking and a form
of its answer, what it calls its errors and its load. A row is added with a test against real or
recorded bytes; `docs/reference/engines.md` is written from this table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from pointsman.domain.messages import Operation
from pointsman.domain.portfolio import Engine, StreamUsage

# Fields that take a form; `gbnf` is llama.cpp's `grammar`, written from choices; `typed` is TGI's
# response_format, which has `type` and `value`.
FormField = Literal[
    "response_format", "structured_outputs", "regex", "ebnf", "grammar", "gbnf", "typed"
]

# Where engines usually take each operation, behind a base URL that ends in /v1.
PATHS: Final[Mapping[Operation, str]] = MappingProxyType(
    {
        "chat": "/chat/completions",
        "completion": "/completions",
        "embedding": "/embeddings",
        "rerank": "/rerank",
    }
)
_WRITING: Final = frozenset[Operation]({"chat", "completion"})
_ALL: Final = frozenset[Operation](PATHS)


class LoadNames(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine calls its load in its Prometheus text, at `/metrics` beside `/v1`."""

    running: str  # requests being answered
    waiting: str  # requests in its queue
    cache: str | None = None  # the part of its KV cache in use, 0 to 1


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's way with the OpenAI protocol."""

    title: str  # for people
    operations: frozenset[Operation]  # that it has a path for, in some version
    paths: Mapping[str, str] = MappingProxyType({})  # other than the usual, by operation
    stream_usage: StreamUsage = "asked"
    logprobs: bool = True  # takes `logprobs: true` on chat completions
    text_logprobs: bool = True  # takes `logprobs: 1` on completions
    # Where the switch of thinking goes: into chat_template_kwargs under the family's name for
    # it, to the top level as enable_thinking whatever the family, or into reasoning_effort.
    thinking: Literal["template", "top_level", "effort"] = "template"
    # The field of a request that bounds the tokens spent on thinking; None: it has none.
    thinking_tokens: str | None = None
    reasoning: tuple[str, ...] = ("reasoning_content",)  # what it calls the thinking it tells
    # Where a form of the answer goes, by kind; one that is absent goes on in the client's words.
    forms: Mapping[str, FormField] = MappingProxyType({"json": "response_format"})
    overflow: tuple[str, ...] = ()  # its words for a prompt that is too long
    overflow_5xx: tuple[str, ...] = ()  # the same, told as if it were its own failure
    account: tuple[str, ...] = ()  # codes of a 400 about our account, not the client's request
    load: LoadNames | None = None
    # Where it says that it is there, beside /v1, without a model being called; None: /v1/models.
    alive: str | None = None
    known: bool = True  # False: any engine may be behind it; a client's own words stay

    def path(self, operation: Operation) -> str:
        """Where it takes an operation, behind its base URL."""
        return self.paths.get(operation) or PATHS[operation]


_LLAMACPP = Dialect(
    title="llama.cpp",
    operations=_ALL,
    thinking_tokens="thinking_budget_tokens",
    forms=MappingProxyType({"json": "response_format", "choice": "gbnf", "grammar": "grammar"}),
    overflow=("context size",),
    # Of embeddings and rankings, whose inputs must fit into one physical batch.
    overflow_5xx=("too large to process. increase the physical batch size",),
    alive="/health",
    load=LoadNames(
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        cache="llamacpp:kv_cache_usage_ratio",  # versions before the end of 2025
    ),
)

ENGINES: Final[Mapping[Engine, Dialect]] = MappingProxyType(
    {
        "openai": Dialect(
            title="OpenAI, or any that speaks like it",
            operations=_ALL,
            thinking="effort",
            reasoning=("reasoning_content", "reasoning"),
            forms=MappingProxyType({}),
            overflow=("context length", "context window"),
            known=False,
        ),
        "vllm": Dialect(
            title="vLLM",
            operations=_ALL,
            reasoning=("reasoning", "reasoning_content"),  # the second until 0.11; both between
            thinking_tokens="thinking_token_budget",  # where it knows how thinking begins and ends
            # Since 0.10.2; the guided_ names of before are ignored, without a word, since 0.12.
            forms=MappingProxyType(
                dict.fromkeys(("json", "regex", "choice", "grammar"), "structured_outputs")
            ),
            overflow=("maximum context length", "maximum model length"),
            alive="/health",
            load=LoadNames(
                running="vllm:num_requests_running",
                waiting="vllm:num_requests_waiting",
                cache="vllm:kv_cache_usage_perc",
            ),
        ),
        "sglang": Dialect(
            title="SGLang",  # its /health generates a token
            operations=_ALL,
            forms=MappingProxyType(
                {"json": "response_format", "regex": "regex", "choice": "regex", "grammar": "ebnf"}
            ),
            overflow=(
                "model's context length",
                "maximum context length",
                "exceeds the maximum allowed length",
            ),
            load=LoadNames(
                running="sglang:num_running_reqs",
                waiting="sglang:num_queue_reqs",
                cache="sglang:token_usage",
            ),
        ),
        "llamacpp": _LLAMACPP,
        "embedded": msgspec.structs.replace(
            _LLAMACPP, title="llama.cpp, embedded", operations=_WRITING, load=None
        ),
        "tgi": Dialect(
            title="TGI",
            operations=_WRITING,
            text_logprobs=False,  # its completions have none
            thinking="effort",
            reasoning=(),
            forms=MappingProxyType({"json": "typed", "regex": "typed", "choice": "typed"}),
            overflow=("`max_new_tokens` must be", "`inputs` must have less than"),
            alive="/health",
            load=LoadNames(running="tgi_batch_current_size", waiting="tgi_queue_size"),
        ),
        "ollama": Dialect(
            title="Ollama",
            operations=_WRITING | {"embedding"},
            text_logprobs=False,  # takes the number and tells none
            thinking="effort",
            reasoning=("reasoning",),
            alive="/api/version",
            overflow=("exceeds the context length", "context length exceeded"),
        ),
        "dashscope": Dialect(
            title="DashScope (Model Studio)",
            operations=_ALL,
            paths=MappingProxyType({"rerank": "/reranks"}),  # its base URL: …/compatible-api/v1
            text_logprobs=False,  # no such field in its completions
            thinking="top_level",
            thinking_tokens="thinking_budget",
            overflow=("Range of input length should be",),
            account=("Arrearage",),
        ),
    }
)


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How a model family switches its thinking."""

    switch: str | None = None  # the boolean name in the chat template; None: by effort
    least_effort: str = "none"  # what `off` is where an effort is asked
    known: bool = True  # False: any model may be behind it; a client's own words stay


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "generic": Family(known=False),
        "qwen3": Family(switch="enable_thinking"),
        "deepseek": Family(switch="thinking"),
        # Always thinks; engines refuse an effort of `none` for it.
        "gpt-oss": Family(least_effort="low"),
    }
)
