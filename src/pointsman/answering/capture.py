"""What is kept of a body: all of it, its shape, or only its digest and size."""

from typing import Any

import msgspec

from pointsman.domain.ports import Journal, SubjectKey
from pointsman.domain.records import BodyRef, Capture

# Values that name things of the protocol, never text of a person.
_KEPT = frozenset({"role", "type", "model", "object", "finish_reason", "id", "index"})
_MASK = {
    **{ord(c): "a" for c in "abcdefghijklmnopqrstuvwxyz"},
    **{ord(c): "A" for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{ord(c): "0" for c in "0123456789"},
}


def keep(
    journal: Journal,
    body: bytes,
    capture: Capture,
    *,
    key: SubjectKey | None,
    until_us: int,
    features: bytes = b"",
) -> BodyRef:
    """Put the body where its task's capture says, and give the reference for the record.

    `redacted` keeps the JSON structure; in every text letters become `a`, `A` or `?` and digits
    `0`, so that lengths and formats stay for debugging and words do not. A body that is not JSON
    is kept as a digest only. The digest is always that of what is stored. Features were read in
    the text and lie with it: nothing of them is kept where it is not.
    """
    if capture == "bodies":
        return journal.put_body(body, features=features, key=key, until_us=until_us)
    if capture == "redacted":
        masked = redact(body)
        if masked is not None:
            return journal.put_body(masked, features=features, key=key, until_us=until_us)
    return journal.digest_body(body, key=key)


def redact(body: bytes) -> bytes | None:
    """The body with every text masked; None where it is not JSON (or lines of JSON)."""
    lines = body.split(b"\n") if body.startswith(b"{") and b"\n{" in body else [body]
    try:
        values = [msgspec.json.decode(line) for line in lines]
    except (msgspec.DecodeError, RecursionError):
        return None
    return b"\n".join(msgspec.json.encode(_masked(value, "")) for value in values)


def _masked(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value if key in _KEPT else mask(value)
    if isinstance(value, list):
        return [_masked(item, key) for item in value]
    if isinstance(value, dict):
        return {name: _masked(item, name) for name, item in value.items()}
    return value


def mask(text: str) -> str:
    """Letters and digits replaced by their kind, everything else as it was."""
    masked = text.translate(_MASK)
    if masked.isascii():
        return masked
    return "".join(c if c.isascii() or not c.isalnum() else "?" for c in masked)
