"""Bodies at rest under their subject's key, and those keys under a master key from a file.

Who copies the store of subject keys reads nothing without the master key; who holds the master
key reads nothing of a subject whose key was destroyed.
"""

import base64
import binascii
import hmac
import os
import stat
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.domain.errors import ConfigurationError, ExtraMissing
from pointsman.domain.ports import SubjectKey
from pointsman.domain.task import Configuration, JournalSettings

if TYPE_CHECKING:
    from nacl.secret import SecretBox

_BOXES = 4096  # made boxes that are remembered
_BODY, _ID = b"pointsman body 1", b"pointsman master key 1"
_NONCE = 24


class Cipher:
    """XSalsa20-Poly1305 (libsodium's secretbox) with a key of each subject. One thread at a time.

    Raises: ExtraMissing without PyNaCl.
    """

    def __init__(self) -> None:
        try:
            from nacl.exceptions import CryptoError
            from nacl.secret import SecretBox
        except ImportError as error:
            raise _missing(error) from error
        self._make, self._wrong = SecretBox, CryptoError
        self._boxes: OrderedDict[str, SecretBox] = OrderedDict()

    def seal(self, key: SubjectKey, plain: bytes) -> bytes:
        """Nonce and ciphertext."""
        return bytes(self._box(key).encrypt(plain))

    def open(self, key: SubjectKey, sealed: bytes) -> bytes:
        """The plain bytes. Raises: ValueError for another key or a changed byte."""
        try:
            return bytes(self._box(key).decrypt(sealed))
        except (self._wrong, ValueError) as error:
            raise ValueError("it does not open with its key") from error

    def _box(self, key: SubjectKey) -> "SecretBox":
        box = self._boxes.get(key.id)
        if box is None:
            box = self._make(hmac.digest(key.secret, _BODY, "sha256"))
            self._boxes[key.id] = box
            if len(self._boxes) > _BOXES:
                self._boxes.popitem(last=False)
        return box


class MasterKey:
    """Wraps subject keys with XChaCha20-Poly1305; their ids are bound to them.

    Raises: ExtraMissing without PyNaCl.
    """

    def __init__(self, key: bytes) -> None:
        assert len(key) == 32, "a master key is 32 bytes"
        try:
            from nacl import bindings
        except ImportError as error:
            raise _missing(error) from error
        self._key = key
        self._seal = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt
        self._open = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt

    @property
    def id(self) -> str:
        """Names the key without telling anything of it."""
        return "mk_" + hmac.digest(self._key, _ID, "sha256").hex()[:16]

    def wrap(self, secret: bytes, *, context: bytes) -> bytes:
        """Nonce and ciphertext of a secret."""
        nonce = os.urandom(_NONCE)
        return nonce + bytes(self._seal(secret, context, nonce, self._key))

    def unwrap(self, wrapped: bytes, *, context: bytes, by: str) -> bytes:
        """The secret. Raises: ValueError where this is not the key `by` that wrapped it."""
        if by != self.id:
            raise ValueError(f"it was wrapped by {by}")
        from nacl.exceptions import CryptoError

        try:
            return bytes(self._open(wrapped[_NONCE:], context, wrapped[:_NONCE], self._key))
        except (CryptoError, ValueError) as error:
            raise ValueError("it does not open") from error


def open_master_key(config: Configuration) -> MasterKey | None:
    """The master key that a configuration names; None where it asks for no encryption.

    Raises: ExtraMissing; ConfigurationError for a key that is not 32 bytes, or a file that is not
        there or that others may read.
    """
    said = config.journal.encryption
    if said is None:
        return None
    if said.key_file is not None:
        return MasterKey(_decoded(_read(Path(config.placed(said.key_file))), said.key_file))
    assert said.key is not None, "the schema asks for one of the two"
    return MasterKey(_decoded(said.key, "journal.encryption.key"))


def open_cipher(settings: JournalSettings) -> Cipher | None:
    """What encrypts bodies; None where they lie plain. Raises: ExtraMissing."""
    return Cipher() if settings.encryption is not None else None


def _missing(error: ImportError) -> ExtraMissing:
    return ExtraMissing(
        "journal.encryption needs PyNaCl",
        why=str(error),
        next='pip install "pointsman[encryption]"',
    )


def _read(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY)
        try:
            mode = os.fstat(fd).st_mode
            text = os.read(fd, 1024)
        finally:
            os.close(fd)
    except OSError as error:
        raise ConfigurationError(
            f"the key file {path} cannot be read",
            why=error.strerror or str(error),
            next="make one: head -c 32 /dev/urandom | base64 > FILE && chmod 600 FILE",
        ) from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigurationError(
            f"everybody on this machine may read the key file {path}",
            why=f"its mode is {stat.S_IMODE(mode):o}",
            next=f"chmod 600 {path}",
        )
    return text.decode("ascii", "replace")


def _decoded(text: str, where: str) -> bytes:
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 32:
        raise ConfigurationError(
            f"the key at {where} is not 32 bytes",
            why="it is read as 64 hexadecimal digits, or as base64",
            next="head -c 32 /dev/urandom | base64",
        )
    return key
