"""Which engine answers, told from its answers: the strongest evidence first, the port never.

llama.cpp and SGLang also speak Ollama's own surface, so `/api/tags` alone proves the least.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from pointsman.discovery.answers import Answer, member, members
from pointsman.domain.portfolio import Engine

Kind = Literal["pointsman", "vllm", "sglang", "llamacpp", "ollama", "lmstudio", "openai"]

MODELS = "/v1/models"
VERSION = "/version"
TAGS = "/api/tags"
INFO = "/get_model_info"
PROPS = "/props"
STUDIO = "/api/v0/models"

# What is worth asking once the kind is known from the list of models, and where it is not.
MORE: Mapping[Kind, tuple[str, ...]] = {
    "pointsman": (),
    "vllm": (),
    "sglang": (),
    "llamacpp": (PROPS,),
    "ollama": (TAGS,),
    "lmstudio": (STUDIO,),
    "openai": (INFO, PROPS, STUDIO, TAGS, VERSION),
}
ENGINES: Mapping[Kind, Engine] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llamacpp",
    "ollama": "ollama",
    "lmstudio": "openai",
    "openai": "openai",
}
WITHOUT_LOGPROBS: frozenset[Kind] = frozenset({"lmstudio"})  # on chat completions
TITLES: Mapping[Kind, str] = {
    "pointsman": "Pointsman",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "openai": "an OpenAI-compatible server",
}

Answers = Mapping[str, Answer]  # by path


class Recognised(NamedTuple):
    """An engine, and by what it was recognised."""

    kind: Kind
    because: str


def recognise(answers: Answers) -> Recognised:
    """The engine behind some answers; `openai` where nothing tells which."""
    for kind, because, holds in _RULES:
        if holds(answers):
            return Recognised(kind, because)
    return Recognised("openai", "nothing tells which engine it is")


def _json(answers: Answers, path: str) -> object:
    return answers[path].json if path in answers else None


def _owned_by(word: str) -> Callable[[Answers], bool]:
    def holds(answers: Answers) -> bool:
        listed = members(_json(answers, MODELS), "data")
        return any(str(each.get("owned_by")).lower() == word for each in listed)

    return holds


def _server(word: str) -> Callable[[Answers], bool]:
    def holds(answers: Answers) -> bool:
        return any(word in each.headers.get("server", "").lower() for each in answers.values())

    return holds


def _says(path: str, *keys: str) -> Callable[[Answers], bool]:
    return lambda answers: member(_json(answers, path), *keys) is not None


def _has_studio_models(answers: Answers) -> bool:
    listed = members(_json(answers, STUDIO), "data")
    return any("compatibility_type" in each or "max_context_length" in each for each in listed)


def _has_tags(answers: Answers) -> bool:
    return isinstance(member(_json(answers, TAGS), "models"), list)


def _has_model_length(answers: Answers) -> bool:
    listed = members(_json(answers, MODELS), "data")
    versioned = isinstance(member(_json(answers, VERSION), "version"), str)
    return versioned and any("max_model_len" in each for each in listed)


_RULES: tuple[tuple[Kind, str, Callable[[Answers], bool]], ...] = (
    ("pointsman", "owned_by: pointsman", _owned_by("pointsman")),
    ("sglang", "owned_by: sglang", _owned_by("sglang")),
    ("llamacpp", "Server: llama.cpp", _server("llama.cpp")),
    ("llamacpp", "owned_by: llamacpp", _owned_by("llamacpp")),
    ("vllm", "owned_by: vllm", _owned_by("vllm")),
    ("lmstudio", "owned_by: organization_owner", _owned_by("organization_owner")),
    ("ollama", "owned_by: library", _owned_by("library")),
    ("sglang", "/get_model_info", _says(INFO, "model_path")),
    ("llamacpp", "/props", _says(PROPS, "default_generation_settings")),
    ("lmstudio", "/api/v0/models", _has_studio_models),
    ("vllm", "/version and max_model_len", _has_model_length),
    ("ollama", "/api/tags", _has_tags),
)
