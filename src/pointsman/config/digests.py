"""A configuration without its secrets, and the digest that names it."""

from hashlib import sha256
from typing import Any

import msgspec

from pointsman.domain.task import Configuration
from pointsman.domain.transport import shown_proxy


def as_json(config: Configuration) -> dict[str, Any]:
    """The resolved configuration as plain data; no key, no hash of a key, no variable's name."""
    made: dict[str, Any] = msgspec.to_builtins(config)
    del made["secret_sources"]
    for deployment in made["deployments"].values():
        del deployment["api_key"]
        deployment["proxy"] = shown_proxy(deployment["proxy"])
    if made["journal"]["encryption"] is not None:
        del made["journal"]["encryption"]["key"]
    made["state"]["url"] = config.state.shown
    made["state"]["counters"] = config.state.shown_counters
    for key in made["keys"]:
        del key["sha256"]
    for key in (made["server"]["admin"] or {}).get("keys", ()):
        del key["sha256"]
    for binding in made["policies"]:
        for policy in binding.get("policies", ()):
            _without_words(policy)
    return made


def _without_words(policy: dict[str, Any]) -> None:
    """Lists of words may be secrets themselves, and tests quote what nobody should: digests."""
    for name in ("tests", "marks", "file"):
        policy.pop(name, None)
    for detector in policy.get("detectors", ()):
        words = detector.get("literals", ())
        if words:
            detector["literals"] = [sha256(each.encode()).hexdigest()[:16] for each in words]


def with_digest(config: Configuration) -> Configuration:
    """The configuration under its digest: 16 hex digits over everything but the secrets.

    The same file with its keys in another order has the same digest, where order says nothing.
    """
    said = as_json(config)
    del said["digest"]
    text = msgspec.json.encode(said, order="deterministic")
    return msgspec.structs.replace(config, digest=sha256(text).hexdigest()[:16])
