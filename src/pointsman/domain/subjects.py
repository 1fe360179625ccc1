"""Whose words a body holds: the name under which the keys of a person, or of nobody, are kept."""

from hashlib import sha256

_DAY_US = 86_400_000_000
_MOST = 256  # characters of a name that is taken as it is


def subject_of(said: str | None, at_us: int) -> str:
    """The subject of a request: the person its client named, else everybody of that day (UTC).

    A person's name never meets a day's, whatever a client says. A very long name counts by its
    SHA-256, so that it fits a table and is still the same person.
    """
    if not said:
        return f"d:{at_us // _DAY_US}"
    if len(said) > _MOST:
        return "h:" + sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
    return "s:" + said
