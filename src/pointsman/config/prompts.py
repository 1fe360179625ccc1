"""Prompts: immutable versions with the digest of their text, and labels that point at them."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from pointsman.config.schema import RawPrompt, RawVersion
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import PromptVersion


class Prompt(NamedTuple):
    """The versions of one prompt and what each label points at."""

    versions: dict[str, PromptVersion]
    labels: dict[str, str]

    def find(self, selector: str) -> PromptVersion | None:
        """A version by its label or by its own name."""
        return self.versions.get(self.labels.get(selector, selector))


def resolve_prompt(name: str, raw: RawPrompt, scope: Scope) -> Prompt:
    """One prompt, its texts read; every problem with it kept."""
    place: Place = ("prompts", name)
    short = raw.system is not None or raw.file is not None
    if short == bool(raw.versions):
        scope.problem(place, "needs either a text (system or file) or versions")
    sources = (
        {"v1": (place, RawVersion(system=raw.system, file=raw.file))}
        if short
        else {key: ((*place, "versions", key), each) for key, each in raw.versions.items()}
    )
    versions = {}
    for version, (where, each) in sources.items():
        text = _text(each, where, scope)
        if text:
            digest = sha256(text.encode()).hexdigest()[:12]
            versions[version] = PromptVersion(
                name=name, version=version, digest=digest, system=text
            )
    labels = dict(raw.labels)
    for label, version in labels.items():
        scope.reference((*place, "labels", label), "version", version, tuple(sources))
        if label in sources:
            scope.problem((*place, "labels", label), "a label may not be named like a version")
    if sources:
        labels.setdefault("live", list(sources)[-1])
    return Prompt(versions, labels)


def resolve_reference(
    reference: str, place: Place, prompts: Mapping[str, Prompt], scope: Scope
) -> PromptVersion | None:
    """The version that `NAME[@VERSION or LABEL]` means; None once a problem was kept."""
    name, _, selector = reference.partition("@")
    if not scope.reference(place, "prompt", name, scope.names("prompts")) or name not in prompts:
        return None
    prompt = prompts[name]
    known = [*prompt.labels, *prompt.versions]
    of = f" of {name}"
    if selector and not scope.reference(place, "version or label", selector, known, of=of):
        return None
    return prompt.find(selector or "live")


def _text(raw: RawVersion, place: Place, scope: Scope) -> str | None:
    if (raw.system is None) == (raw.file is None):
        scope.problem(place, "needs exactly one of system and file")
        return None
    if raw.file is None:
        return raw.system
    text = scope.text_of_file((*place, "file"), raw.file)
    if text is None:
        return None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        scope.problem((*place, "file"), "an empty file")
    return text
