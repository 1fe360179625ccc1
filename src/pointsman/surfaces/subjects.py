"""The person whose words a request is, where its body says so."""

from collections.abc import Mapping

import msgspec

_SAID_IN = frozenset(("safety_identifier", "user"))


def subject_in(fields: Mapping[str, msgspec.Raw]) -> str | None:
    """OpenAI's fields for it; None: nobody said."""
    if _SAID_IN.isdisjoint(fields):
        return None
    for name in ("safety_identifier", "user"):
        raw = fields.get(name)
        if raw is not None:
            said = msgspec.json.decode(raw)
            if isinstance(said, str) and said:
                return said
    return None
