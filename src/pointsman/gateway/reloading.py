"""A changed configuration comes into force without a restart, or the old one stays and says why."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from pointsman.domain.errors import ConfigurationError, PointsmanError
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import check_exposure

log = logging.getLogger("pointsman.reload")
Load = Callable[[], Configuration]
_EVERY_S = 1.0
# What another process would have to let go of first: a change there needs a restart.
_FIXED = (
    "server.host", "server.port", "server.tls", "server.max_body_bytes", "server.max_connections",
    "server.workers", "server.logs", "server.admin.host", "server.admin.port", "journal", "state",
    "batches.path",
)  # fmt: skip


class Changing(Protocol):
    """What a configuration is in force in: an application, or a supervisor of many."""

    config: Configuration
    reload_error: str | None  # why the latest change did not come into force

    async def change(self, config: Configuration) -> None:
        """Bring it into force. Raises: PointsmanError, and the old one goes on."""
        ...


class Reloader:
    """Watches the files of the configuration, and reloads them when they change or when told to.

    Args: load reads the configuration anew (in a thread); every_s is the time between looks.
    """

    def __init__(self, app: Changing, load: Load, *, every_s: float = _EVERY_S) -> None:
        self._app = app
        self._load = load
        self._every_s = every_s
        self._asked = asyncio.Event()
        self._seen = signature(app.config.files)

    def ask(self) -> None:
        """Reload now, whether a change is seen or not: what SIGHUP does."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            asked = await self._wait()
            now = await asyncio.to_thread(signature, self._app.config.files)
            if not asked and now == self._seen:
                continue
            self._seen = now
            await self.reload()
            self._seen = await asyncio.to_thread(signature, self._app.config.files)

    async def _wait(self) -> bool:
        try:
            async with asyncio.timeout(self._every_s):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def reload(self) -> bool:
        """Validate, build, swap; False where the old configuration stays, with the reason kept."""
        try:
            config = await asyncio.to_thread(self._load)
            if config.digest == self._app.config.digest and config == self._app.config:
                self._app.reload_error = None
                return False
            check_fixed(self._app.config, config)
            check_exposure(config.keys, config.server, virtual=config.virtual_keys.enabled)
            await self._app.change(config)
        except PointsmanError as error:
            self._app.reload_error = error.sentence
            log.warning("the configuration stays as it was: %s", error)
            return False
        except Exception as error:  # the watch must outlive whatever a file can do to it
            self._app.reload_error = f"{type(error).__name__} while loading it"
            log.exception("the configuration stays as it was")
            return False
        self._app.reload_error = None
        log.warning("configuration %s is in force", config.digest)
        return True


def signature(files: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of files; a missing one counts too, so that its return is seen."""
    found = []
    for name in files:
        try:
            status = os.stat(name)
        except OSError:
            found.append((name, -1, -1))
        else:
            found.append((name, status.st_mtime_ns, status.st_size))
    return tuple(found)


def check_fixed(old: Configuration, new: Configuration) -> None:
    """Raises: ConfigurationError for a change that a running process cannot make."""
    changed = [name for name in _FIXED if _at(old, name) != _at(new, name)]
    if changed:
        raise ConfigurationError(
            f"{', '.join(changed)} cannot change while serving",
            why="the running process holds them",
            next="restart for this change, or take it back",
        )


def _at(config: Configuration, name: str) -> object:
    value: object = config
    for part in name.split("."):
        value = getattr(value, part, None)
    return value
