"""Which of a request's metadata its record keeps: the segments that its task names."""

from collections.abc import Sequence

from pointsman.domain.messages import ModelRequest

_MOST_CHARS = 64  # of a value: a segment is a word, and records are kept for ever


def tags_of(request: ModelRequest, segments: Sequence[str]) -> dict[str, str]:
    """The metadata of these keys, in their order; texts, numbers and yes/no only.

    What is longer than a word, or is no such value, is left out: the request goes on without it.
    """
    said, found = request.metadata or {}, {}
    for key in sorted(segments):
        value = said.get(key)
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if isinstance(value, int | float):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _MOST_CHARS and value.isprintable():
            found[key] = value
    return found
