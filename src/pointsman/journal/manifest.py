"""The manifest: which Parquet file stands for which segments; replaced whole, never edited."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from pointsman.domain.errors import CheckFailed
from pointsman.journal.disk import replace_file, try_lock
from pointsman.journal.layout import Layout

FORMAT = 2


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
    first_us: int = 0  # the earliest record
    last_us: int = 0  # the latest
    days: tuple[int, ...] = ()  # of the requests its records are about, since 1970
    unrolled: tuple[int, ...] = ()  # those whose roll-up does not know this file yet


class RollUp(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one day, in a Parquet file of their own."""

    day: int  # since 1970, UTC
    name: str
    sha256: str
    size: int
    latest_us: int  # of the outcomes that decided: a report as of an earlier time is not this one
    rules: dict[str, str]  # digest of the acceptance rule, by task; "" for requests without one
    form: int = 1  # of its rows; an earlier one has fewer kinds of them


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Segments of one writer whose records were kept long enough, and how the chain went on."""

    writer: str
    first_seq: int
    last_seq: int
    records: int
    first: str  # the chain before, hex
    last: str  # and after


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything sealed so far; `generation` grows by one with every change."""

    format: int = FORMAT
    generation: int = 0
    files: tuple[SealedFile, ...] = ()
    rollups: tuple[RollUp, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    frozen_day: int = -1  # sums of days up to it are final: some of their records are dropped

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


class Superseded(Exception):
    """Another process does this work now; nothing was changed."""


@contextmanager
def sole_changer(layout: Layout) -> Iterator[bool]:
    """True while this process alone may change the manifest; False while another does."""
    fd = os.open(layout.seal_lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)


def publish(layout: Layout, manifest: Manifest, allowed: Callable[[], bool]) -> None:
    """`replace_manifest`, unless we are no longer the one to do it.

    Raises: Superseded, with the old manifest in force; OSError.
    """
    if not allowed():
        raise Superseded
    replace_manifest(layout, manifest)


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
