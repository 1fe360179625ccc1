"""Where the files of a journal lie and how they are named; opens nothing but directories."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SEGMENT_SUFFIX = ".pj"
PACK_SUFFIX = ".pack"
UNBORN_SUFFIX = ".new"  # a segment before its writer holds the lock and the header is whole
WRITER_MAX = 48

_SEGMENT = re.compile(r"^([0-9A-Z]{26}-[0-9]{1,20})-([0-9]{8})\.pj$")
_PACK = re.compile(r"^[0-9A-Z]{26}-[0-9]{1,20}-[0-9]{8}\.pack$")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of the journal under a root (the directory that `journal.path` names)."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "journal"

    @property
    def segments(self) -> Path:
        return self.home / "segments"

    @property
    def bodies(self) -> Path:
        return self.home / "bodies"

    @property
    def sealed(self) -> Path:
        return self.home / "sealed"

    @property
    def rollups(self) -> Path:
        return self.home / "rollups"

    @property
    def audit(self) -> Path:
        return self.home / "audit"

    @property
    def readers_lock(self) -> Path:
        return self.home / "readers.lock"

    @property
    def manifest(self) -> Path:
        return self.home / "manifest.json"

    @property
    def seal_lock(self) -> Path:
        return self.home / "seal.lock"

    def create(self) -> "Layout":
        """Make the directories, readable by their owner only: bodies are people's words."""
        for directory in (self.home, self.segments, self.bodies, self.sealed, self.rollups,
                          self.audit):  # fmt: skip
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.readers_lock, os.O_RDWR | os.O_CREAT, 0o600))
        return self

    def segment_names(self) -> list[str]:
        """File names of the segments, each writer's in order; a missing directory has none."""
        try:
            names = os.listdir(self.segments)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if _SEGMENT.match(name))

    def pack(self, name: str) -> Path | None:
        """The path of a pack, or None when `name` is not one (a record may be forged)."""
        return self.bodies / name if _PACK.match(name) else None


def layout(root: str | os.PathLike[str]) -> Layout:
    """The layout under `root`; touches nothing."""
    return Layout(Path(root))


def segment_name(writer: str, seq: int) -> str:
    return f"{writer}-{seq:08d}{SEGMENT_SUFFIX}"


def pack_name(writer: str, seq: int) -> str:
    return f"{writer}-{seq:08d}{PACK_SUFFIX}"


def parse_segment_name(name: str) -> tuple[str, int]:
    """Writer and sequence of a segment's file name. Raises: ValueError for another name."""
    found = _SEGMENT.match(name)
    if found is None:
        raise ValueError(f"{name!r} is not the name of a segment")
    return found.group(1), int(found.group(2))
