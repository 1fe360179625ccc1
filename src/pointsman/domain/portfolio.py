"""The portfolio: what can answer, at what price, under which limits."""

from typing import Literal

import msgspec

from pointsman.domain.money import Price
from pointsman.domain.transport import UpstreamTls

Engine = Literal["openai", "vllm", "sglang", "llamacpp", "ollama", "tgi", "dashscope", "embedded"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the use of one deployment; every wait on it has one."""

    concurrency: int = 64
    connect_timeout_s: float = 5.0
    first_token_timeout_s: float = 60.0  # until the first byte of the answer
    between_tokens_timeout_s: float = 30.0
    timeout_s: float = 300.0  # the whole attempt
    max_output_tokens: int | None = None
    max_answer_bytes: int = 64 * 1024 * 1024


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
    embedded: EmbeddedModel | None = None
    logprobs: bool = True  # False: the engine cannot give token logprobs
    tls: UpstreamTls | None = None
    proxy: str | None = None  # a URL or `none`; None: as the environment says

    def __repr__(self) -> str:  # the key must not reach a log through an f-string
        return f"Deployment({self.name!r}, model={self.model!r}, base_url={self.base_url!r})"
