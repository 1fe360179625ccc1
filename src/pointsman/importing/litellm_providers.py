"""Which provider prefixes of LiteLLM are OpenAI-compatible servers, and which are not."""

from typing import NamedTuple

from pointsman.discovery.providers import PROVIDERS
from pointsman.domain.portfolio import Engine


class Upstream(NamedTuple):
    """How a provider is reached here."""

    engine: Engine
    base_url: str | None = None  # where it is unless the file says; None: the file must
    variable: str | None = None  # where LiteLLM looks for its key unless the file says
    versioned: bool = False  # the file names the server; the protocol is under /v1
    local: bool = False
    logprobs: bool = True


_HOSTED = {each.name: Upstream(each.engine, each.base_url, each.variable) for each in PROVIDERS}
_RENAMED = {"together_ai": "together", "fireworks_ai": "fireworks", "nvidia_nim": "nvidia"}
_OPENAI = Upstream("openai", "https://api.openai.com/v1", "OPENAI_API_KEY")

UPSTREAMS: dict[str, Upstream] = {
    **_HOSTED,
    **{theirs: _HOSTED[ours] for theirs, ours in _RENAMED.items()},
    "openai": _OPENAI,
    "custom_openai": _OPENAI,
    "openai_like": Upstream("openai"),
    "hosted_vllm": Upstream("vllm", None, "HOSTED_VLLM_API_KEY"),
    "ollama": Upstream("ollama", "http://localhost:11434/v1", versioned=True, local=True),
    "ollama_chat": Upstream("ollama", "http://localhost:11434/v1", versioned=True, local=True),
    "lm_studio": Upstream(
        "openai", "http://localhost:1234/v1", "LM_STUDIO_API_KEY", local=True, logprobs=False
    ),
    "llamafile": Upstream("llamacpp", "http://localhost:8080/v1", local=True),
    "litellm_proxy": Upstream("openai", None, "LITELLM_PROXY_API_KEY"),
    "xinference": Upstream("openai", None, "XINFERENCE_API_KEY"),
    "docker_model_runner": Upstream("llamacpp"),
    "dashscope": _HOSTED["dashscope"],
}

# Known, and no OpenAI-compatible server as LiteLLM speaks to them.
OTHERS = frozenset(
    [
        "azure",
        "azure_ai",
        "azure_text",
        "bedrock",
        "vertex_ai",
        "vertex_ai_beta",
        "gemini",
        "anthropic",
        "cohere",
        "cohere_chat",
        "sagemaker",
        "sagemaker_chat",
        "huggingface",
        "replicate",
        "watsonx",
        "databricks",
        "palm",
        "cloudflare",
        "predibase",
        "clarifai",
        "oobabooga",
        "petals",
        "vllm",
        "text-completion-openai",
        "aleph_alpha",
        "ai21",
        "nlp_cloud",
        "voyage",
        "jina_ai",
        "triton",
        "snowflake",
        "github_copilot",
        "custom",
    ]
)
_OPENAI_NAMES = ("gpt-", "chatgpt-", "o1", "o3", "o4")


def split_model(model: str, said: str | None) -> tuple[str, str]:
    """(provider, name) of `litellm_params.model`; `said` is `custom_llm_provider`.

    A name without a known prefix is OpenAI's where it looks so, else the provider is empty.
    """
    prefix, slash, rest = model.partition("/")
    if said:
        return said, rest if slash and prefix == said else model
    if slash and (prefix in UPSTREAMS or prefix in OTHERS):
        return prefix, rest
    if not slash and model.startswith(_OPENAI_NAMES):
        return "openai", model
    return "", model
