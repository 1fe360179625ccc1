"""The keeper's process as its parent sees it: started, listened to, started again, stopped."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from pointsman.domain.task import Configuration
from pointsman.keeping.keeper import Told

_STOP_S = 10.0  # what a step may take to its end; killing it is harmless
_BACKOFF_S = (1.0, 5.0, 30.0, 60.0)
_COMMAND = (sys.executable, "-m", "pointsman.keeping")


class KeeperProcess:
    """Runs `python -m pointsman.keeping` beside a gateway and remembers what it last said."""

    def __init__(self, *, command: Sequence[str] = _COMMAND) -> None:
        self._command = command
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._settings = b""
        self._told: Told | None = None
        self._runs: dict[str, dict[str, Any]] = {}  # by job: when it last ran, and its error
        self._off = "it was not started"

    def start(self, config: Configuration) -> None:
        """Run it, as long as this loop runs or until `stop`."""
        if not config.keeping.enabled:
            self._off = "keeping.enabled is false"
            return
        self._settings = settings(config)
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
            heard = await self._life()
            failures = 0 if heard else failures + 1
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])

    async def _life(self) -> bool:
        """One process from start to end; whether it did a round."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
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


def settings(config: Configuration) -> bytes:
    """What the keeper needs of a configuration, on one line; no deployment, no client's key."""
    needed = msgspec.structs.replace(
        config, digest="", deployments={}, routes={}, prompts={}, aliases={}, keys=(),
        secret_sources=(),
    )  # fmt: skip
    return msgspec.json.encode(needed) + b"\n"
