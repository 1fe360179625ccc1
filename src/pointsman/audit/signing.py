"""Signing checkpoints with Ed25519, and checking who signed one; the curve is libsodium's."""

import base64
import binascii
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.audit.notes import (
    ED25519,
    Checkpoint,
    NoteError,
    Signature,
    key_id,
    parse_public,
    public_text,
    signed,
    valid_name,
)
from pointsman.domain.errors import ConfigurationError, ExtraMissing, UsageError

if TYPE_CHECKING:
    from nacl.signing import SigningKey

_PREFIX = "PRIVATE+KEY"
_SEED_BYTES = 32


class Signer:
    """A private key by its name. Raises: ExtraMissing without PyNaCl."""

    def __init__(self, name: str, seed: bytes) -> None:
        assert len(seed) == _SEED_BYTES, "a seed is 32 bytes"
        self.name = name
        self._seed = seed
        self._key = _signing_key(seed)
        self._public = bytes(self._key.verify_key)

    @property
    def public(self) -> str:
        """The public key as text, for whoever verifies."""
        return public_text(self.name, self._public)

    @property
    def private(self) -> str:
        """The private key as text, for a file that only its owner reads."""
        told = base64.b64encode(bytes([ED25519]) + self._seed).decode()
        return f"{_PREFIX}+{self.name}+{key_id(self.name, self._public).hex()}+{told}"

    def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with one more signature."""
        made = bytes(self._key.sign(checkpoint.body.encode()).signature)
        each = Signature(self.name, key_id(self.name, self._public), made)
        return signed(checkpoint, (*checkpoint.signatures, each))

    def __repr__(self) -> str:  # the seed must not reach a log
        return f"Signer({self.name!r})"


class Verifier:
    """Public keys that are trusted, by name and id. Raises: NoteError, ExtraMissing."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys: dict[tuple[str, bytes], bytes] = {}
        for text in keys:
            name, public = parse_public(text)
            self._keys[name, key_id(name, public)] = public

    def signers(self, checkpoint: Checkpoint) -> list[str]:
        """Which trusted keys signed it, by name.

        Raises: NoteError where a signature claims to be of a trusted key and is not.
        """
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey

        found = []
        for each in checkpoint.signatures:
            public = self._keys.get((each.name, each.key_id))
            if public is None:
                continue
            try:
                VerifyKey(public).verify(checkpoint.body.encode(), each.signature)
            except (BadSignatureError, ValueError) as error:
                raise NoteError(f"the signature of {each.name} does not belong to it") from error
            found.append(each.name)
        return found


def new_signer(name: str) -> Signer:
    """A key of its own for a log. Raises: UsageError for a name that none can have."""
    if not valid_name(name):
        raise UsageError(
            f"A key cannot be called {name!r}",
            why="names have no blank and no plus sign, and at most 200 characters",
            next="take a name such as audit.example.org/journal",
        )
    return Signer(name, os.urandom(_SEED_BYTES))


def parse_private(text: str) -> Signer:
    """The signer of `Signer.private`. Raises: NoteError, without the text in it."""
    parts = text.strip().split("+", 4)
    if len(parts) != 5 or "+".join(parts[:2]) != _PREFIX or not valid_name(parts[2]):
        raise NoteError("a private key reads PRIVATE+KEY+NAME+ID+KEY")
    try:
        data = base64.b64decode(parts[4], validate=True)
    except binascii.Error as error:
        raise NoteError("the key is not base64") from error
    if len(data) != 1 + _SEED_BYTES or data[0] != ED25519:
        raise NoteError("the key is not an Ed25519 seed")
    signer = Signer(parts[2], data[1:])
    if signer.private != text.strip():
        raise NoteError("its id does not belong to its name and key")
    return signer


def read_signer(path: str | os.PathLike[str]) -> Signer:
    """The signer of a key file. Raises: ConfigurationError for one missing, open, or no key."""
    place = Path(path)
    try:
        mode = place.stat().st_mode
        text = place.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The key of the audit log cannot be read: {place}",
            why=str(error),
            next="make one with `pointsman audit key --out FILE`",
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"The key of the audit log is open to others: {place}",
            why="who reads it can sign in the log's name",
            next=f"chmod 600 {place}",
        )
    try:
        return parse_private(text)
    except NoteError as error:
        raise ConfigurationError(
            f"The key of the audit log is no key: {place}", why=str(error), next="make one anew"
        ) from error


def _signing_key(seed: bytes) -> "SigningKey":
    try:
        from nacl.signing import SigningKey
    except ImportError as error:
        raise ExtraMissing(
            "Signed checkpoints need PyNaCl",
            why=f"it is not installed ({error})",
            next="pip install 'pointsman[encryption]'",
        ) from error
    return SigningKey(seed)
