"""What a deployment served: its weights, engine and chat template, each with who says so. Pure."""

from hashlib import sha256
from typing import Literal

import msgspec

# Who says a field: the file that was read here, the engine itself, or whoever wrote the
# configuration. Nobody: the field is None, which means unknown.
Source = Literal["file", "engine", "configuration"]


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What can be known of a model that is served; None: not known."""

    weights: str | None = None  # what the engine calls them: a path, a repository, a tag
    weights_sha256: str | None = None  # of the file; of several parts, one after another
    revision: str | None = None  # a commit of a repository, or the digest of a manifest
    quantisation: str | None = None
    engine_version: str | None = None
    chat_template_sha256: str | None = None


class Identity(Found, frozen=True, kw_only=True, omit_defaults=True):
    """What a deployment served, as it is recorded."""

    model: str  # the configuration's name for it
    engine: str
    sources: dict[str, Source] = {}  # of each field above that is known
    contradicted: dict[str, str] = {}  # what the configuration states and was found otherwise


FIELDS = Found.__struct_fields__


def identity_of(
    model: str,
    engine: str,
    *,
    stated: Found | None = None,
    told: Found | None = None,
    read: Found | None = None,
) -> Identity:
    """One identity from all that is known: a file that was read counts before the engine's word,
    and that before what the configuration states. A statement that was found otherwise is kept.
    """
    ways: tuple[tuple[Source, Found | None], ...] = (
        ("file", read), ("engine", told), ("configuration", stated),
    )  # fmt: skip
    known: dict[str, str] = {}
    sources: dict[str, Source] = {}
    contradicted: dict[str, str] = {}
    for name in FIELDS:
        for source, found in ways:
            value = getattr(found, name) if found is not None else None
            if value is None:
                continue
            if name not in known:
                known[name], sources[name] = value, source
            elif source == "configuration" and value.lower() != known[name].lower():
                contradicted[name] = value
    return Identity(model=model, engine=engine, sources=sources, contradicted=contradicted, **known)


def identity_id(deployment: str, identity: Identity) -> str:
    """`sv_` and 128 bits of SHA-256 over the deployment's name and everything said of it."""
    text = msgspec.json.encode([deployment, identity], order="sorted")
    return "sv_" + sha256(text).hexdigest()[:32]
