"""Where a deployment listens now, with which key, and by which way it is reached."""

import msgspec

from pointsman.backends.http_origin import Way


class Address(msgspec.Struct, frozen=True):
    """A base URL and its key; those of an embedded engine change with every start."""

    base_url: str
    api_key: str | None = None
    way: Way | None = None  # None: plainly

    def __repr__(self) -> str:  # the key must not reach a log through an f-string
        return f"Address({self.base_url!r})"
