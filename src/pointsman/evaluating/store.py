"""Runs on disk: begun, added to, resumed after any kill, sealed, read and verified.

A run is a folder: `run.json` and `cases.jsonl` (written when it begins), `samples.jsonl` (one line
a sample, appended), `sealed.json` (digests of all three, written last). A line that a killed
writer left half written is cut when the run is resumed and passed over when it is read.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from pointsman.domain.errors import CheckFailed, NotFound, PointsmanError, UsageError
from pointsman.evals.case import Case
from pointsman.evals.sample import Run, Sample
from pointsman.evaluating.layout import RUN_ID, RunFiles
from pointsman.evaluating.writing import RunWriter, Seal, replace_file

_RUN = msgspec.json.Decoder(Run)
_CASE = msgspec.json.Decoder(Case)
_SAMPLE = msgspec.json.Decoder(Sample)
_SEAL = msgspec.json.Decoder(Seal)
_MAX_HEAD_BYTES = 64 * 1024 * 1024
_T = TypeVar("_T")


class RunStore:
    """The runs under one folder."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def begin(self, run: Run, cases: Iterable[Case]) -> RunWriter:
        """A new run's folder, whole on the disk before this returns. Raises: OSError."""
        files = self._files(run.id)
        files.folder.mkdir(mode=0o700, parents=True)
        lines = b"".join(msgspec.json.encode(case) + b"\n" for case in cases)
        replace_file(files.cases, lines)
        replace_file(files.samples, b"")
        replace_file(files.head, msgspec.json.format(msgspec.json.encode(run), indent=2))
        return RunWriter(files, run)

    def resume(self, reference: str) -> tuple[RunWriter, list[Sample]]:
        """A run that is not sealed, to go on with, and the samples it has.

        Raises: NotFound; UsageError where it is sealed or somebody else adds to it.
        """
        run = self.read(reference)
        if run.sealed:
            raise UsageError(
                f"{run.id} is sealed: a finished run never changes",
                next="start a new one; what was answered before comes from the cache",
            )
        writer = RunWriter(self._files(run.id), run)
        try:
            writer.cut_torn_tail()
            samples = list(self.samples(run.id))
        except BaseException:
            writer.close()
            raise
        return writer, samples

    def read(self, reference: str) -> Run:
        """A run by its id, the beginning of it, or `latest`. Raises: NotFound, PointsmanError."""
        run_id = self.find(reference)
        files = self._files(run_id)
        run = _decoded(files.head, _RUN)
        seal = self._seal(files)
        if seal is None:
            return run
        return msgspec.structs.replace(
            run,
            status=seal.status,
            ended_us=seal.ended_us,
            samples=seal.samples,
            missing=seal.missing,
        )

    def find(self, reference: str) -> str:
        """The id of a run. Raises: NotFound, UsageError where several begin so."""
        ids = self.ids()
        if reference in ids:
            return reference
        if reference == "latest" and ids:
            return ids[-1]
        near = [each for each in ids if each.startswith(reference)] if len(reference) > 4 else []
        if len(near) == 1:
            return near[0]
        if near:
            raise UsageError(f"{len(near)} runs begin with {reference!r}", next="say more of it")
        raise NotFound(
            f"there is no run {reference[:80]!r} in {self.root}",
            next="`pointsman eval list` names them",
        )

    def ids(self) -> list[str]:
        """Of every run, oldest first."""
        with suppress(FileNotFoundError, NotADirectoryError):
            names = [each for each in os.listdir(self.root) if RUN_ID.fullmatch(each)]
            return sorted(each for each in names if self._files(each).head.exists())
        return []

    def list(self, *, limit: int | None = None, suite: str | None = None) -> list[Run]:
        """Runs, newest first; those that cannot be read are left out."""
        found: list[Run] = []
        for each in reversed(self.ids()):
            if limit is not None and len(found) >= limit:
                break
            with suppress(PointsmanError):
                run = self.read(each)
                if suite is None or run.suite == suite:
                    found.append(run)
        return found

    def samples(self, reference: str) -> Iterator[Sample]:
        """The samples of a run in the order they came; a sample twice is taken once.

        Raises: NotFound; PointsmanError for a line that is not a sample.
        """
        files = self._files(self.find(reference))
        seen: set[tuple[str, int]] = set()
        with files.samples.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return  # half written
                sample = _line(line, _SAMPLE, files.samples, number)
                if (sample.case, sample.epoch) not in seen:
                    seen.add((sample.case, sample.epoch))
                    yield sample

    def cases(self, reference: str) -> Iterator[Case]:
        """The cases of a run, as they were asked. Raises: NotFound, PointsmanError."""
        files = self._files(self.find(reference))
        with files.cases.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield _line(line, _CASE, files.cases, number)

    def verify(self, reference: str) -> None:
        """Raises: CheckFailed where a sealed run is not what it was, or is not sealed."""
        files = self._files(self.find(reference))
        seal = self._seal(files)
        if seal is None:
            raise CheckFailed(f"{files.folder.name} is not sealed", next="resume it first")
        for name, digest in seal.files.items():
            path = files.folder / name
            if not path.exists() or _digest(path) != digest:
                raise CheckFailed(
                    f"{path} is not what it was when the run was sealed",
                    why="its SHA-256 differs from the one in sealed.json",
                    next="take the run from a copy; its numbers are not to be trusted",
                )

    def files(self, reference: str) -> RunFiles:
        """The files of a run. Raises: NotFound."""
        return self._files(self.find(reference))

    def _files(self, run_id: str) -> RunFiles:
        return RunFiles(self.root / run_id)

    def _seal(self, files: RunFiles) -> Seal | None:
        return _decoded(files.seal, _SEAL) if files.seal.exists() else None


def _decoded(path: Path, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        with path.open("rb") as file:
            return decoder.decode(file.read(_MAX_HEAD_BYTES))
    except (OSError, msgspec.DecodeError) as error:
        raise PointsmanError(
            f"{path} cannot be read", why=str(error), next="take it from a copy, or delete the run"
        ) from error


def _line(line: bytes, decoder: msgspec.json.Decoder[_T], path: Path, number: int) -> _T:
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        raise PointsmanError(
            f"{path}:{number} cannot be read",
            why=str(error),
            next="it was changed by hand or by the disk; `pointsman eval show` cannot trust it",
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        hashed = sha256()
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
