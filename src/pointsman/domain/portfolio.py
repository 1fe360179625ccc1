"""The portfolio: what can answer, at what price, under which limits."""

from typing import Literal

import msgspec

from pointsman.domain.identity import Found
from pointsman.domain.messages import Operation
from pointsman.domain.money import Price
from pointsman.domain.transport import UpstreamTls

# How usage comes in a stream: where stream_options asks for it, without being asked (the option
# may be refused), or not at all.
StreamUsage = Literal["asked", "always", "never"]
ReasoningField = Literal["reasoning_content", "reasoning"]  # what a chat's thinking is called

Engine = Literal["openai", "vllm", "sglang", "llamacpp", "ollama", "tgi", "dashscope", "embedded"]

# The words of OpenAI, vLLM, llama.cpp and TGI for the same bound: an engine may read any of them.
OUTPUT_FIELDS = (
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
    "max_new_tokens",
    "max_output_tokens",
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the use of one deployment; every wait on it has one."""

    concurrency: int = 64
    queue: int = 256  # requests that wait for a place; 0: none does
    queue_timeout_s: float = 10.0  # for a place; the request's own time goes on meanwhile
    connect_timeout_s: float = 5.0
    first_token_timeout_s: float = 60.0  # until the first byte of the answer
    between_tokens_timeout_s: float = 30.0
    timeout_s: float = 300.0  # the whole attempt
    max_output_tokens: int | None = None
    max_answer_bytes: int = 64 * 1024 * 1024


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a deployment is left alone, and how it comes back; from real traffic."""

    enabled: bool = True
    failures: int = 5  # one after another that open it
    failure_rate: float = 0.5  # of the attempts in the window, that opens it
    window_s: float = 30.0
    least: int = 20  # attempts in the window before its rate counts
    open_s: float = (
        10.0  # before it is tried again; doubled each time that fails, eightfold at most
    )
    probes: int = 2  # requests at once, and good answers in all, before it is trusted again
    last_resort: bool = True  # tried even so where nothing else is left


class RetryRules(msgspec.Struct, frozen=True, kw_only=True):
    """How often a request is sent to a deployment again, where nothing can have been generated."""

    most: int = 2  # for one request, beside the first try; 0: never
    budget: float = 0.2  # retries by requests of the latest ten seconds
    floor: int = 3  # retries in ten seconds that are allowed however few requests there are
    longest_wait_s: float = 2.0  # before one, whatever the upstream asks for


class ProbeRules(msgspec.Struct, frozen=True, kw_only=True):
    """When it is asked whether it is there, by a question that calls no model."""

    when: Literal["unwell", "always", "never"] = "unwell"
    every_s: float = 10.0
    timeout_s: float = 2.0
    path: str | None = None  # beside the /v1 of its base_url; None: as its engine has it


class EmbeddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF file that Pointsman itself serves in a supervised child process."""

    gguf: str  # path, `embedded:NAME` (shipped with the package) or `hub:OWNER/REPO/FILE.gguf`
    threads: int = 1
    parallel: int = 4
    context: int = 2048


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One place that serves a model, with price and limits."""

    name: str
    model: str  # what it is, for people and records: `qwen3-8b@awq`
    base_url: str | None  # None: embedded, the address is known once the engine runs
    served_name: str  # the `model` field the engine expects
    engine: Engine = "openai"
    family: str = "generic"  # how thinking is switched: `qwen3`, `deepseek`, `generic` ...
    api_key: str | None = None
    price: Price | None = None
    limits: Limits = Limits()
    breaker: BreakerRules = BreakerRules()
    retries: RetryRules = RetryRules()
    probe: ProbeRules = ProbeRules()
    embedded: EmbeddedModel | None = None
    logprobs: bool = True  # False: the engine cannot give token logprobs
    operations: tuple[Operation, ...] = ("chat", "completion")  # what it can be asked for
    stream_usage: StreamUsage | None = None  # None: as its engine does
    reasoning_field: ReasoningField | None = None  # None: as it names it
    tls: UpstreamTls | None = None
    proxy: str | None = None  # a URL or `none`; None: as the environment says
    identity: Found | None = None  # what the configuration states of what is served

    def __repr__(self) -> str:  # the key must not reach a log through an f-string
        return f"Deployment({self.name!r}, model={self.model!r}, base_url={self.base_url!r})"
