"""The client's own name for its request: repeated to it where it is one, never believed."""

import re
from collections.abc import Mapping

_SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


def request_id(headers: Mapping[bytes, bytes]) -> bytes | None:
    """`x-request-id` as the client sent it; None where it sent none, or nothing to be repeated.

    It goes back to the client and nowhere else: nothing is looked up, counted or charged by it.
    """
    said = headers.get(b"x-request-id")
    return said if said is not None and _SANE.fullmatch(said) else None


def request_id_line(headers: Mapping[bytes, bytes]) -> bytes:
    """The header line that repeats it, or nothing."""
    said = request_id(headers) if b"x-request-id" in headers else None
    return b"" if said is None else b"x-request-id: " + said + b"\r\n"
