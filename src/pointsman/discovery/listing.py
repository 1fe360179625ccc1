"""The models that an engine lists: what they are called, how large, how much they read."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pointsman.discovery.answers import Answer, member, members
from pointsman.discovery.evidence import MODELS, PROPS, STUDIO, TAGS, Answers
from pointsman.discovery.sizes import Size, size_of

_CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")
_OTHER_WORK = re.compile(
    r"embed|rerank|reranker|\bbge-|\be5-|\bgte-|whisper|\btts\b|clip\b|moderation|"
    r"dall-e|stable-diffusion|\bflux\b|transcribe|realtime"
)
_OTHER_KINDS = frozenset({"embeddings", "embedding", "rerank", "bert", "nomic-bert"})


class Listed(NamedTuple):
    """One model as its engine lists it."""

    id: str
    context: int | None = None
    size: Size | None = None
    chats: bool = True  # False: it embeds, ranks, hears or draws


def listed_models(answers: Answers) -> tuple[Listed, ...]:
    """Every model of `/v1/models`, in its order, with what the engine says elsewhere of it."""
    answer = answers.get(MODELS)
    if answer is None:
        return ()
    more = _by_id(answers)
    context = _of_slot(answers)
    found: dict[str, Listed] = {}
    for entry in members(answer.json, "data"):
        name = entry.get("id")
        if isinstance(name, str) and name and name.isprintable():
            found.setdefault(name, _listed(name, {**entry, **more.get(name, {})}, context))
    return tuple(found.values())


def context_of(entry: Mapping[str, Any]) -> int | None:
    """How many tokens a listed model reads, where the list says so."""
    meta = entry.get("meta")
    places = [entry, meta] if isinstance(meta, dict) else [entry]
    for place in places:
        for name in _CONTEXT:
            value = place.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


def entries_of(answer: Answer) -> list[dict[str, Any]] | None:
    """The entries of a list of models, or None where the answer is no such list."""
    document = answer.json
    listed = member(document, "data") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        return None
    return [each for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]


def _listed(name: str, entry: Mapping[str, Any], context: int | None) -> Listed:
    kinds = {str(entry.get("type")).lower(), str(member(entry, "details", "family")).lower()}
    chats = not (kinds & _OTHER_KINDS or _OTHER_WORK.search(name.lower()))
    said = member(entry, "details", "parameter_size")  # Ollama: `4.0B`
    size = size_of(name) or (size_of(said) if isinstance(said, str) else None)
    count = member(entry, "meta", "n_params")  # llama.cpp
    if size is None and isinstance(count, int) and count > 0:
        size = Size(round(count / 1e9, 3), round(count / 1e9, 3))
    return Listed(name, context or context_of(entry), size, chats)


def _by_id(answers: Answers) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, list_name, key in ((TAGS, "models", "name"), (STUDIO, "data", "id")):
        if path in answers:
            for entry in members(answers[path].json, list_name):
                found[str(entry.get(key))] = entry
    return found


def _of_slot(answers: Answers) -> int | None:
    """llama.cpp: the tokens of one slot, which is what a request has."""
    if PROPS not in answers:
        return None
    value = member(answers[PROPS].json, "default_generation_settings", "n_ctx")
    return value if isinstance(value, int) and value > 0 else None
