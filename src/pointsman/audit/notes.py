"""Checkpoints as text: what a log says of itself, signed; C2SP tlog-checkpoint in a signed note.

    origin
    size
    base64(root)

    — name base64(key id, signature)

Values only: signing itself is `signing.py`.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec

from pointsman.audit.merkle import HASH_BYTES

ED25519 = 1  # the kind of key, in its id and before it
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
_DASH = "— "
_NAME = re.compile(r"^[^\s+]{1,200}$")
MAX_NOTE_CHARS = 64 * 1024


class Signature(msgspec.Struct, frozen=True):
    """One signature of a note: by the key of that name and id."""

    name: str
    key_id: bytes
    signature: bytes


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The root over the first `size` entries of a log."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...] = ()
    extensions: tuple[str, ...] = ()  # further lines of the body, in order

    @property
    def body(self) -> str:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @property
    def text(self) -> str:
        """The whole note."""
        return self.body + "\n" + "".join(
            f"{_DASH}{each.name} {base64.b64encode(each.key_id + each.signature).decode()}\n"
            for each in self.signatures
        )  # fmt: skip


class NoteError(ValueError):
    """A text is no checkpoint, or no key; says why."""


def valid_name(name: str) -> bool:
    """Whether a log or a key can have this name: no blank, no plus sign."""
    return _NAME.match(name) is not None


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note; signatures are read, not checked. Raises: NoteError."""
    if len(text) > MAX_NOTE_CHARS:
        raise NoteError(f"it is over {MAX_NOTE_CHARS} characters")
    body, separator, rest = text.replace("\r\n", "\n").partition("\n\n")
    if not separator:
        raise NoteError("it has no empty line between what is said and its signatures")
    lines = body.split("\n")
    if len(lines) < 3:
        raise NoteError("it does not have an origin, a size and a root")
    origin, size, root, *extensions = lines
    if not origin:
        raise NoteError("its first line, the origin, is empty")
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
        raise NoteError(f"its size is {size[:40]!r}")
    return Checkpoint(
        origin=origin,
        size=int(size),
        root=_decoded(root, HASH_BYTES, "root"),
        signatures=tuple(_signature(line) for line in rest.split("\n") if line),
        extensions=tuple(extensions),
    )


def parse_notes(text: str) -> Iterator[Checkpoint]:
    """Every checkpoint of a file that notes were appended to. Raises: NoteError."""
    part: list[str] = []
    signed = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if signed and line and not line.startswith(_DASH):
            yield parse_checkpoint("\n".join(part))
            part, signed = [], False
        if not line and part:
            signed = True
        if line or part:
            part.append(line)
    if any(part):
        yield parse_checkpoint("\n".join(part))


def key_id(name: str, public: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, kind, key)."""
    return sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:KEY_ID_BYTES]


def public_text(name: str, public: bytes) -> str:
    """A public key as text: `name+id+base64(kind, key)`."""
    told = base64.b64encode(bytes([ED25519]) + public).decode()
    return f"{name}+{key_id(name, public).hex()}+{told}"


def parse_public(text: str) -> tuple[str, bytes]:
    """Name and key of `public_text`. Raises: NoteError."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not valid_name(parts[0]):
        raise NoteError("a public key reads NAME+ID+KEY")
    data = _decoded(parts[2], 1 + HASH_BYTES, "key")
    if data[0] != ED25519:
        raise NoteError(f"its kind is {data[0]}; Ed25519 is {ED25519}")
    name, public = parts[0], data[1:]
    if key_id(name, public).hex() != parts[1]:
        raise NoteError("its id does not belong to its name and key")
    return name, public


def signed(checkpoint: Checkpoint, signatures: Sequence[Signature]) -> Checkpoint:
    """The checkpoint with these signatures."""
    return msgspec.structs.replace(checkpoint, signatures=tuple(signatures))


def _signature(line: str) -> Signature:
    name, blank, told = line.removeprefix(_DASH).rpartition(" ")
    if not line.startswith(_DASH) or not blank or not name:
        raise NoteError(f"{line[:60]!r} is no signature")
    try:
        data = base64.b64decode(told, validate=True)
    except binascii.Error as error:
        raise NoteError(f"the signature of {name} is not base64") from error
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _decoded(text: str, size: int, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"its {what} is not base64") from error
    if len(data) != size:
        raise NoteError(f"its {what} has {len(data)} bytes, not {size}")
    return data
