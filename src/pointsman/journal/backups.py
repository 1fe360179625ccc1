"""A copy of a journal as it stood at one moment, taken while it is written to; and back again."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pointsman.domain.errors import CheckFailed, JournalUnavailable, UsageError
from pointsman.journal.bodies import pack_paths
from pointsman.journal.disk import flush, sync_directory
from pointsman.journal.layout import Layout, layout
from pointsman.journal.manifest import read_manifest, replace_manifest, sole_changer
from pointsman.journal.recovery import SegmentReader
from pointsman.journal.verifying import VerifyReport, verify

_PART = 1 << 20
_AUDIT_FIRST = ("checkpoints.txt", "head.json")


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was copied, and that it holds."""

    to: str
    records: int
    files: int
    bytes: int  # that were copied
    linked: int  # files that share their bytes with the journal, which never change


def backup(root: str | os.PathLike[str], to: str | os.PathLike[str]) -> BackupReport:
    """Copy a journal to an empty or new directory, and verify the copy.

    Sealing and erasing by schedule wait meanwhile; writers do not. Segments come before packs, so
    that no record in the copy names a body that is not. Sealed files, which never change, are
    hard links where that can be; packs are copies, since erasing overwrites them.
    Raises: UsageError for a directory with something in it; JournalUnavailable while another
    process changes the manifest; CheckFailed where the copy does not verify; OSError.
    """
    source, target = layout(root), layout(to)
    _check_empty(target)
    with sole_changer(source.create()) as alone:
        if not alone:
            raise JournalUnavailable(
                "the journal is being sealed or compacted",
                why="a backup is taken between changes of the manifest",
                next="try again in a minute",
            )
        copied = _Copied()
        manifest = read_manifest(source)
        target.create()
        # What the audit log says it holds comes before the records, its hashes after them: it
        # never names a record that is not in the copy.
        copied.named(source.audit, target.audit, _AUDIT_FIRST)
        for file in manifest.files:
            copied.link(source.sealed / file.name, target.sealed / file.name)
        for rollup in manifest.rollups:
            copied.link(source.rollups / rollup.name, target.rollups / rollup.name)
        covered = manifest.covered()
        for name in source.segment_names():
            if name not in covered:
                copied.prefix(
                    source.segments / name, target.segments / name, _good_bytes(source, name)
                )
        for path in pack_paths(source):
            copied.prefix(path, target.bodies / path.name, path.stat().st_size)
        copied.named(source.audit, target.audit, _audit_rest(source))
        replace_manifest(target, manifest)
    for directory in (target.sealed, target.rollups, target.segments, target.bodies, target.audit):
        sync_directory(directory)
    return copied.report(target, _checked(to, "the copy"))


def restore(source: str | os.PathLike[str], to: str | os.PathLike[str]) -> BackupReport:
    """Copy a backup to where a journal is to be, after verifying it; never over another journal.

    Raises: UsageError where something is there; CheckFailed where the backup, or what came of it,
    does not verify; OSError.
    """
    if not layout(source).home.is_dir():
        raise UsageError(f"there is no journal in {source}", next="name what `backup` wrote to")
    _check_empty(layout(to))
    _checked(source, "the backup")
    copied = _Copied()
    at, target = layout(source), layout(to)
    fresh = layout(Path(to).with_name(Path(to).name + ".restoring"))
    shutil.rmtree(fresh.root, ignore_errors=True)
    fresh.create()
    for name in ("sealed", "rollups", "segments", "bodies", "audit"):
        into: Path = getattr(fresh, name)
        if not getattr(at, name).is_dir():  # a backup of before there was an audit log
            continue
        for path in sorted(getattr(at, name).iterdir()):
            copied.prefix(path, into / path.name, path.stat().st_size)
        sync_directory(into)
    replace_manifest(fresh, read_manifest(at))
    report = _checked(fresh.root, "what was copied")
    target.root.mkdir(parents=True, exist_ok=True)
    os.rename(fresh.home, target.home)
    fresh.root.rmdir()
    sync_directory(target.root)
    return copied.report(target, report)


class _Copied:
    def __init__(self) -> None:
        self._files = self._bytes = self._linked = 0

    def link(self, source: Path, target: Path) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            self.prefix(source, target, source.stat().st_size)
            return
        self._files += 1
        self._linked += 1

    def prefix(self, source: Path, target: Path, size: int) -> None:
        """The first bytes of a file that may grow meanwhile, on the disk."""
        left = size
        with source.open("rb") as file:
            out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                while left > 0 and (part := file.read(min(_PART, left))):
                    left -= len(part)
                    view = memoryview(part)
                    while view:
                        view = view[os.write(out, view) :]
                flush(out)
            finally:
                os.close(out)
        self._files += 1
        self._bytes += size - left

    def named(self, source: Path, target: Path, names: Iterable[str]) -> None:
        """Those of a directory's files that are there."""
        for name in names:
            path = source / name
            if path.is_file():
                self.prefix(path, target / name, path.stat().st_size)

    def report(self, target: Layout, verified: VerifyReport) -> BackupReport:
        return BackupReport(
            str(target.root), verified.records, self._files, self._bytes, self._linked
        )


def _audit_rest(where: Layout) -> list[str]:
    if not where.audit.is_dir():
        return []
    return sorted(
        path.name
        for path in where.audit.iterdir()
        if path.is_file() and path.name not in (*_AUDIT_FIRST, "log.lock")
    )


def _good_bytes(where: Layout, name: str) -> int:
    """How much of a segment is whole records."""
    with SegmentReader(where.segments / name) as reader:
        for _ in reader:
            pass
        return reader.position.offset


def _check_empty(target: Layout) -> None:
    if target.root.exists() and any(target.root.iterdir()):
        raise UsageError(
            f"{target.root} is not empty",
            why="a journal is never written over",
            next="name a directory that is new or empty",
        )


def _checked(root: str | os.PathLike[str], what: str) -> VerifyReport:
    report = verify(root)
    if report.fault is not None:
        raise CheckFailed(
            f"{what} is not whole: {report.fault}",
            next="`pointsman journal verify` says what is wrong with the journal itself",
        )
    return report
