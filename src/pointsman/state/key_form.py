"""The form of a virtual key: `sk-pm-`, 32 random bytes in base 62, a checksum of six characters.

The checksum lets a typing error be refused without a look in the database; it proves nothing.
"""

import hmac
import os
from hashlib import sha256

PREFIX = "sk-pm-"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _CHECK = 43, 6
_LENGTH = len(PREFIX) + _BODY + _CHECK


def mint() -> str:
    """A secret that nobody has had before."""
    body = PREFIX + _in_base_62(int.from_bytes(os.urandom(32), "big"), _BODY)
    return body + _checksum(body.encode()).decode()


def looks_like_one(token: bytes) -> bool:
    """Whether a token can be a virtual key at all: its form and its checksum are right."""
    if len(token) != _LENGTH or not token.startswith(PREFIX.encode()):
        return False
    return hmac.compare_digest(token[-_CHECK:], _checksum(token[:-_CHECK]))


def _checksum(body: bytes) -> bytes:
    return _in_base_62(int.from_bytes(sha256(body).digest()[:5], "big"), _CHECK + 1)[1:].encode()


def _in_base_62(value: int, length: int) -> str:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
