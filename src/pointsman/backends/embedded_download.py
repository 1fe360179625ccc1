"""A hub file in the cache: fetched by one process at a time, resumed, checked, then renamed."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pointsman.backends.embedded_hub import Cut, Hub, HubClient, HubFile, Source
from pointsman.domain.errors import ConfigurationError, UpstreamError

_TOLD_EVERY_S = 0.25
_LOCK_PAUSE_S = 0.2
_CHUNK = 1 << 20


class Stopped(Exception):
    """The caller asked to stop; what came is kept."""


def fetch(
    file: HubFile,
    hub: Hub,
    *,
    on_progress: Callable[[int, int], None],
    stop: threading.Event,
) -> Path:
    """The file in the cache; one already there is taken without asking the hub.

    Args: on_progress hears (done, total) bytes in the calling thread; stop ends it early.
    Raises: ConfigurationError when the hub has no such file, refuses us or the folder does;
    UpstreamError when it fails or sends other bytes than it promised; Stopped.
    """
    target = hub.cache_dir.joinpath(file.repo, file.revision, file.path)
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_name(f"{target.name}.lock"), stop):
            if not target.is_file():  # another process may have fetched it while we waited
                _Download(file, hub, target, on_progress, stop).run()
    except OSError as error:
        raise ConfigurationError(
            f"'{file}' could not be stored",
            why=f"{error.filename or target.parent}: {error.strerror or error}",
            next="choose another folder for downloaded models, or make room",
        ) from error
    return target


class _Download:
    """One download, by the only process that may write its part file."""

    def __init__(
        self,
        file: HubFile,
        hub: Hub,
        target: Path,
        on_progress: Callable[[int, int], None],
        stop: threading.Event,
    ) -> None:
        self._file, self._hub, self._target = file, hub, target
        self._client = HubClient(hub)
        self._on_progress, self._stop = on_progress, stop
        self._received = 0
        self._told_s = 0.0

    def run(self) -> None:
        source, part = self._patiently()
        found = self._digest(part)
        if found != source.sha256:
            part.unlink()
            raise UpstreamError(
                f"'{self._file}' came damaged",
                why=f"sha256 is {found}, the hub promised {source.sha256}",
                next="start again; if it stays so, suspect a mirror or a proxy",
            )
        name = self._target.name
        self._target.with_name(f"{name}.sha256").write_text(f"{source.sha256}  {name}\n")
        os.replace(part, self._target)

    def _patiently(self) -> tuple[Source, Path]:
        """Resume what breaks off, with longer pauses while nothing comes at all."""
        failures = 0
        while True:
            before = self._received
            try:
                # Asked anew each time: the address of the bytes is signed and expires.
                source = self._client.source(self._file)
                part = self._target.with_name(f"{self._target.name}.{source.sha256[:16]}.part")
                self._transfer(source, part)
            except Cut as cut:
                failures = 1 if self._received > before else failures + 1
                if failures >= self._hub.attempts:
                    raise UpstreamError(
                        f"'{self._file}' could not be downloaded",
                        why=f"{cut} ({failures} times in a row)",
                        next="start again: what came is kept and resumed",
                    ) from cut
                if self._stop.wait(self._hub.retry_delay_s * 2.0 ** (failures - 1)):
                    raise Stopped from cut
            else:
                return source, part

    def _transfer(self, source: Source, part: Path) -> None:
        have = part.stat().st_size if part.exists() else 0
        if have > source.size:
            have = 0
        _require_room(part.parent, source.size - have)
        self._tell(have, source.size)
        if have == source.size:
            return
        with part.open("r+b" if have else "wb") as out:
            for position, block in self._client.read(self._file, source, offset=have):
                if self._stop.is_set():
                    raise Stopped
                out.seek(position)
                out.write(block)
                self._received += len(block)
                self._tell(position + len(block), source.size)
            out.truncate(source.size)
            out.flush()
            os.fsync(out.fileno())

    def _digest(self, part: Path) -> str:
        digest = hashlib.sha256()
        with part.open("rb") as whole:
            while block := whole.read(_CHUNK):
                if self._stop.is_set():
                    raise Stopped
                digest.update(block)
        return digest.hexdigest()

    def _tell(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if done == total or now_s - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now_s
            self._on_progress(done, total)


@contextlib.contextmanager
def _alone(lock: Path, stop: threading.Event) -> Iterator[None]:
    """Be the only process that downloads this file; the kernel drops the lock with its holder."""
    with lock.open("w") as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.wait(_LOCK_PAUSE_S):
                    raise Stopped from None
        yield


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigurationError(
            "the model does not fit on the disk",
            why=f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are still to come",
            next="make room, or choose another folder for downloaded models",
        )
