"""The keeper's process as its parent sees it: started, listened to, started again, stopped."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from pointsman.domain.task import Configuration
from pointsman.journal.layout import layout
from pointsman.keeping.keeper import Told, stays

_STOP_S = 10.0  # what a step may take to its end; killing it is harmless
_BACKOFF_S = (1.0, 5.0, 30.0, 60.0)
_LONGEST_S = 3600.0  # between rounds where nothing is written: retention still goes by days
_COMMAND = (sys.executable, "-m", "pointsman.keeping")


class KeeperProcess:
    """Runs `python -m pointsman.keeping` beside a gateway and remembers what it last said."""

    def __init__(self, *, command: Sequence[str] = _COMMAND) -> None:
        self._command = command
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._settings = b""
        self._every_s = 60.0
        self._journal = Path()
        self._told: Told | None = None
        self._runs: dict[str, dict[str, Any]] = {}  # by job: when it last ran, and its error
        self._off = "it was not started"

    def start(self, config: Configuration) -> None:
        """Run it, as long as this loop runs or until `stop`."""
        if not config.keeping.enabled:
            self._off = "keeping.enabled is false"
            return
        self._settings = settings(config)
        self._every_s = config.keeping.every_s
        self._journal = Path(config.journal_path)
        self._task = asyncio.create_task(self._run())

    async def change(self, config: Configuration) -> None:
        """Run it by another configuration, where that is one for it."""
        if self._task is not None and settings(config) == self._settings:
            return
        await self.stop()
        self.start(config)

    async def stop(self) -> None:
        """Let it end its step; kill it where that takes too long."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None, "it was started with a pipe"
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def status(self) -> Mapping[str, Any]:
        """What /readyz tells of it."""
        if self._task is None:
            return {"status": "off", "reason": self._off}
        if self._told is None:
            return {"status": "starting"}
        return {
            "status": self._told.role,
            "jobs": self._runs,
            **({"error": self._told.errors["state"]} if "state" in self._told.errors else {}),
        }

    async def _run(self) -> None:
        failures = 0
        while True:
            before = await asyncio.to_thread(written, self._journal)
            heard = await self._life()
            failures = 0 if heard else failures + 1
            if heard and not stays(self._every_s):
                await self._wait_for_work(before)
            else:
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])

    async def _wait_for_work(self, before: int) -> None:
        """Until something was written since, or what went wrong may be tried again."""
        if self._told_errors:
            return await asyncio.sleep(self._every_s)
        for _ in range(max(1, round(_LONGEST_S / self._every_s))):
            await asyncio.sleep(self._every_s)
            if await asyncio.to_thread(written, self._journal) != before:
                return

    async def _life(self) -> bool:
        """One process from start to end; whether it did a round."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # the terminal's signals are for us; it ends with its stdin
        )
        self._process = process
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "it was started with pipes"
        heard = False
        with suppress(ConnectionError):
            process.stdin.write(self._settings)
            await process.stdin.drain()
        async for line in process.stdout:
            with suppress(msgspec.MsgspecError):
                self._hear(msgspec.json.decode(line, type=Told))
                heard = heard or "state" not in self._told_errors
        await process.wait()
        return heard

    @property
    def _told_errors(self) -> Mapping[str, str]:
        return self._told.errors if self._told is not None else {}

    def _hear(self, told: Told) -> None:
        self._told = told
        for name in told.ran:
            run: dict[str, Any] = {"last_us": told.at_us}
            if name in told.errors:
                run["error"] = told.errors[name]
            self._runs[name] = run


def written(root: Path) -> int:
    """What lies in segments (bytes): another number where something was written or sealed."""
    where, size = layout(root), 0
    for name in where.segment_names():
        with suppress(FileNotFoundError):
            size += (where.segments / name).stat().st_size
    return size


def settings(config: Configuration) -> bytes:
    """What the keeper needs of a configuration, on one line; no deployment, no client's key."""
    needed = msgspec.structs.replace(
        config, digest="", deployments={}, routes={}, prompts={}, aliases={}, keys=(),
        secret_sources=(),
    )  # fmt: skip
    return msgspec.json.encode(needed) + b"\n"
