"""Hosted services that speak the OpenAI protocol: their address, variable and one model each.

Only the name of a variable is ever kept. A model is a suggestion: accounts list their own.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pointsman.domain.portfolio import Engine


class Provider(NamedTuple):
    """One hosted service."""

    name: str
    variable: str
    base_url: str
    model: str
    engine: Engine = "openai"


PROVIDERS = (
    Provider(
        "dashscope",
        "DASHSCOPE_API_KEY",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "qwen-plus",
        "dashscope",
    ),
    Provider("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", "qwen/qwen3-32b"),
    Provider("openai", "OPENAI_API_KEY", "https://api.openai.com/v1", "gpt-4o-mini"),
    Provider("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1", "deepseek-chat"),
    Provider(
        "together",
        "TOGETHER_API_KEY",
        "https://api.together.xyz/v1",
        "Qwen/Qwen2.5-7B-Instruct-Turbo",
    ),
    Provider("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1", "qwen/qwen3-32b"),
    Provider("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", "mistral-small-latest"),
    Provider(
        "fireworks",
        "FIREWORKS_API_KEY",
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/qwen3-30b-a3b",
    ),
    Provider("cerebras", "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1", "qwen-3-32b"),
    Provider(
        "deepinfra",
        "DEEPINFRA_API_KEY",
        "https://api.deepinfra.com/v1/openai",
        "Qwen/Qwen3-32B",
    ),
    Provider(
        "nvidia", "NVIDIA_API_KEY", "https://integrate.api.nvidia.com/v1", "qwen/qwen3-235b-a22b"
    ),
    Provider("xai", "XAI_API_KEY", "https://api.x.ai/v1", "grok-3-mini"),
    Provider("moonshot", "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1", "kimi-k2-0905-preview"),
    Provider("nebius", "NEBIUS_API_KEY", "https://api.studio.nebius.com/v1", "Qwen/Qwen3-32B"),
    Provider("novita", "NOVITA_API_KEY", "https://api.novita.ai/v3/openai", "qwen/qwen3-32b-fp8"),
    Provider(
        "siliconflow", "SILICONFLOW_API_KEY", "https://api.siliconflow.com/v1", "Qwen/Qwen3-32B"
    ),
)


def with_credentials(env: Mapping[str, str]) -> tuple[Provider, ...]:
    """The services whose variable holds something."""
    return tuple(each for each in PROVIDERS if env.get(each.variable, "").strip())


def provider(name: str) -> Provider | None:
    """The service of that name."""
    return next((each for each in PROVIDERS if each.name == name), None)
