"""What `doctor` measures: limits, room, disk, clock, port. `discovery.host` judges the numbers."""

import errno
import os
import platform
import resource
import shutil
import socket
import statistics
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from pointsman.discovery.host import (
    Line,
    clock_line,
    extras_line,
    files_line,
    python_line,
    space_line,
    sync_line,
    unwritable_line,
)
from pointsman.domain.task import Configuration, JournalSettings, ServerSettings

_EXTRAS = {"local": "xllamacpp", "postgres": "psycopg"}
_SYNCS, _SYNC_BYTES = 5, 4096


def machine_lines(config: Configuration | None) -> list[Line]:
    """Everything about this machine but its ports; without a configuration, by the defaults."""
    server = config.server if config else ServerSettings()
    journal = Path(config.journal_path if config else JournalSettings().path)
    deployments = list(config.deployments.values()) if config else []
    installed = tuple(name for name, module in _EXTRAS.items() if find_spec(module))
    version = sys.version_info
    return [
        python_line(
            (version.major, version.minor, version.micro), platform.system(), platform.machine()
        ),
        extras_line(installed, needs_local=any(each.embedded for each in deployments)),
        files_line(
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            connections=server.max_connections,
            upstream=sum(each.limits.concurrency for each in deployments),
        ),
        *disk_lines(journal),
    ]


def disk_lines(journal: Path) -> list[Line]:
    """Room, speed and clock where the journal is, or will be; leaves nothing behind."""
    folder = _existing(journal)
    room = space_line(shutil.disk_usage(folder).free, str(folder))
    probe = folder / f".pointsman-doctor-{os.getpid()}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        unwritable = unwritable_line(str(folder), error.strerror or str(error))
        return [room, unwritable, clock_line(time.time(), disk_s=None, newest_s=_newest(journal))]
    try:
        took = [_sync_ms(fd) for _ in range(_SYNCS)]
        disk_s, now_s = os.fstat(fd).st_mtime, time.time()
    finally:
        os.close(fd)
        probe.unlink(missing_ok=True)
    return [
        room,
        sync_line(statistics.median(took), str(folder)),
        clock_line(now_s, disk_s=disk_s, newest_s=_newest(journal)),
    ]


def bound(host: str, port: int) -> str | None:
    """None where the gateway could listen; else the system's reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return "taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return None


def _sync_ms(fd: int) -> float:
    started = time.monotonic()
    os.write(fd, bytes(_SYNC_BYTES))
    os.fsync(fd)
    return (time.monotonic() - started) * 1000


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    path = path.absolute()
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def _newest(journal: Path) -> float | None:
    """When the journal was last written to, by the clock of then."""
    folder = journal / "journal" / "segments"
    try:
        return max((each.stat().st_mtime for each in folder.iterdir()), default=None)
    except OSError:
        return None
