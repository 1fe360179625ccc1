"""What came back from an address, and the one function through which everything here asks."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

MOST_BYTES = 4 * 2**20  # of one answer; a longer one is none


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]  # names lower-case
    body: bytes

    @property
    def json(self) -> Any:
        """The body of a good answer, decoded; None for anything else."""
        if self.status != 200:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class NoAnswer(Exception):
    """Nothing that could be read came back; the text says why, without the address or a key."""


class Fetch(Protocol):
    """GET an address. Bounded in time and size by whoever made it. Raises: NoAnswer."""

    async def __call__(self, url: str, *, key: str | None = None) -> Answer: ...


def member(value: Any, *path: str) -> Any:
    """The value under some keys of decoded JSON, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def members(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list in decoded JSON; nothing where there is no such list."""
    found = member(value, name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
