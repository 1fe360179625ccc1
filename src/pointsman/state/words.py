"""Names and texts that every database takes: bounded, no NUL, valid Unicode."""

from pointsman.domain.errors import UsageError

NAME_MAX = 255
VALUE_MAX = 65_536


def checked_name(what: str, name: str) -> str:
    """The name of a lease, a label, a schedule, a tenant. Raises: UsageError."""
    return _checked(what, name, NAME_MAX, "a name")


def checked_value(what: str, value: str) -> str:
    """The value of a label. Raises: UsageError."""
    return _checked(what, value, VALUE_MAX, "a text")


def lasting(text: str, *, at_most: int) -> str:
    """The text as far as it can be kept: what no database takes is replaced, the rest cut."""
    return text[:at_most].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _checked(what: str, text: str, at_most: int, kind: str) -> str:
    if text and len(text) <= at_most and lasting(text, at_most=at_most) == text:
        return text
    raise UsageError(
        f"{kind} of a {what} cannot be kept",
        why=f"it wants 1 to {at_most} characters of valid Unicode, without NUL",
        next="choose another",
    )
