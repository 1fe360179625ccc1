"""One body as it lies in a pack: features and bytes in one envelope, under a key or a salt.

plain       u32 length of features | features | body
sealed      nonce 24 | XSalsa20-Poly1305 of plain, with a key that the subject's and ours give
salted      salt 32 | plain, where nobody keeps keys: the salt is erased with the body
digest      HMAC-SHA256 of plain, under the subject's key or the salt
"""

import hmac
import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pointsman.domain.ports import SubjectKey
from pointsman.journal.encryption import Cipher

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

SEALED = 4  # bits beside those of erasure in the flags of an entry
SALTED = 8
SALT_BYTES = 32
_LENGTH = struct.Struct("<I")
_JOINED_BYTES = 16_384  # copying less than this is cheaper than a second call
_BLOCK_BYTES = 64  # of SHA-256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Wrapped(msgspec.Struct, frozen=True, gc=False):
    """What goes into a pack, in two parts so that a large body is not copied."""

    head: bytes
    rest: bytes
    digest: bytes
    flags: int


class Content(NamedTuple):
    """What came out again."""

    features: bytes  # JSON, empty for an answer
    body: bytes


def wrap(
    body: bytes,
    *,
    features: bytes,
    key: SubjectKey | None,
    cipher: Cipher | None,
    entropy: Callable[[int], bytes],
) -> Wrapped:
    """The envelope of a body under its subject's key, encrypted where there is a cipher.

    Without a key there is nothing to encrypt under: the envelope is salted and plain.
    """
    head = _LENGTH.pack(len(features)) + features
    if key is None:
        salt = entropy(SALT_BYTES)
        return Wrapped(salt + head, body, _mac(_states(salt), head, body), SALTED)
    digest = _mac(_known_states(key.secret), head, body)
    if cipher is None:
        return Wrapped(head, body, digest, 0)
    return Wrapped(b"", cipher.seal(key, head + body), digest, SEALED)


def digest_of(body: bytes, secret: bytes) -> bytes:
    """The digest of a body that is not kept, without features."""
    return _digest(secret, _LENGTH.pack(0), body)


def unwrap(
    stored: bytes, flags: int, digest: bytes, *, key: SubjectKey | None, cipher: Cipher | None
) -> Content:
    """What an envelope holds, checked against its digest where the key is at hand.

    Raises: ValueError with the reason: another key, a changed byte, no cipher configured.
    """
    secret = key.secret if key is not None else None
    plain = stored
    if flags & SALTED:
        secret, plain = stored[:SALT_BYTES], stored[SALT_BYTES:]
    elif flags & SEALED:
        if key is None or cipher is None:
            raise ValueError("it is encrypted, and journal.encryption or its keys are not at hand")
        plain = cipher.open(key, stored)
    if secret is not None and not hmac.compare_digest(_digest(secret, b"", plain), digest):
        raise ValueError("the bytes do not have that digest")
    if len(plain) < _LENGTH.size:
        raise ValueError("it is shorter than an envelope")
    (length,) = _LENGTH.unpack_from(plain)
    at = _LENGTH.size + length
    if at > len(plain):
        raise ValueError("its features are longer than it is")
    return Content(plain[_LENGTH.size : at], plain[at:])


def _digest(secret: bytes, head: bytes, rest: bytes) -> bytes:
    return _mac(_known_states(secret), head, rest)


def _mac(states: "tuple[HASH, HASH]", head: bytes, rest: bytes) -> bytes:
    """HMAC-SHA256 of both parts, from states that already hold the padded key.

    OpenSSL's own HMAC sets itself up anew each time, which is most of what 1 KiB costs.
    Source: RFC 2104, whose section 4 suggests it.
    """
    mac, last = states[0].copy(), states[1].copy()
    if len(rest) < _JOINED_BYTES:
        mac.update(head + rest)
    else:
        mac.update(head)
        mac.update(rest)
    last.update(mac.digest())
    return last.digest()


def _states(secret: bytes) -> "tuple[HASH, HASH]":
    assert len(secret) <= _BLOCK_BYTES, "a longer key would have to be hashed first"
    block = secret.ljust(_BLOCK_BYTES, b"\x00")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))


_known_states = lru_cache(maxsize=64)(_states)  # of the subjects of the moment
