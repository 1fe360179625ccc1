"""The manifest: which Parquet file stands for which segments; replaced whole, never edited."""

import msgspec

from pointsman.domain.errors import CheckFailed
from pointsman.journal.disk import replace_file
from pointsman.journal.layout import Layout

FORMAT = 1


class SealedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that now lives in a Parquet file; chain hashes in hex."""

    name: str
    writer: str
    seq: int
    records: int
    first: str  # the chain its first record goes on from
    last: str  # the chain after its closing mark, or after its last record
    closed: bool  # it bore its closing mark; False: its writer was killed


class SealedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file, written once."""

    name: str
    sha256: str
    size: int  # bytes
    records: int
    segments: tuple[SealedSegment, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything sealed so far; `generation` grows by one with every seal."""

    format: int = FORMAT
    generation: int = 0
    files: tuple[SealedFile, ...] = ()

    def covered(self) -> set[str]:
        """Names of the segments that need not be read: their records are in a file."""
        return {segment.name for file in self.files for segment in file.segments}


_decode = msgspec.json.Decoder(Manifest).decode


def read_manifest(layout: Layout) -> Manifest:
    """The manifest in force; an empty one before the first seal. Raises: CheckFailed."""
    try:
        data = layout.manifest.read_bytes()
    except FileNotFoundError:
        return Manifest()
    try:
        manifest = _decode(data)
    except msgspec.DecodeError as error:
        raise _unreadable(layout, str(error)) from error
    if manifest.format != FORMAT:
        raise _unreadable(layout, f"it has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def replace_manifest(layout: Layout, manifest: Manifest) -> None:
    """Put a new manifest in force at one instant. Raises: OSError."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    replace_file(layout.manifest, data + b"\n")


def _unreadable(layout: Layout, why: str) -> CheckFailed:
    return CheckFailed(
        "The manifest of the journal cannot be read",
        why=f"{why} ({layout.manifest})",
        next="restore manifest.json from a backup; the sealed files beside it are untouched",
    )
