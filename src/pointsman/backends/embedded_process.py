"""A child process that serves: started, heard, ended. What it serves and when is decided above."""

import asyncio
import contextlib
import logging
import re
import sys
from collections import deque
from dataclasses import dataclass
from typing import Self

import msgspec

from pointsman.backends.embedded_child import Order, Report

CHILD = ("-P", "-m", "pointsman.backends.embedded_child")  # -P: the working folder is no library
_log = logging.getLogger("pointsman.embedded")
_TAIL_LINES = 20
_LINE_BYTES = 4096
_GRACE_S = 1.0
_ERROR = re.compile(r"[\d.]+ E\s+(.*)")


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a child ended; `code` is negative for a signal."""

    code: int
    last_lines: tuple[str, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """What llama.cpp logged as an error: `0.00.007.161 E load_model: it is corrupt`."""
        found = (_ERROR.match(line) for line in self.last_lines)
        return tuple(dict.fromkeys(match[1] for match in found if match))

    def __str__(self) -> str:
        how = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        return "; ".join((how, *self.last_lines[-3:]))


class ChildProcess:
    """One run of the child; never started twice."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def spawn(cls, name: str, order: Order) -> Self:
        """Start the child and hand it its order.

        Raises: OSError when the system starts no process.
        """
        starting = asyncio.create_task(_start())
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled half way, uvloop would forget the process and leave a zombie.
            process = await starting
            process.kill()
            await process.wait()
            raise
        child = cls(name, process)
        assert process.stdin is not None, "the child was given a pipe as its standard input"
        process.stdin.write(msgspec.json.encode(order) + b"\n")  # under a pipe's 64 KiB: no wait
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def report(self) -> Report | None:
        """What became of the order; None when the child ended without a word."""
        assert self._process.stdout is not None, "the child was given a pipe for its report"
        line = await self._process.stdout.readline()
        return msgspec.json.decode(line, type=Report) if line else None

    async def ended(self) -> Exit:
        """Wait for the end, then say how it was; any number of callers may wait."""
        code = await self._process.wait()
        await asyncio.wait({self._listening}, timeout=_GRACE_S)
        return Exit(code=code, last_lines=tuple(self._tail))

    async def stop(self) -> Exit:
        """End the child: ask first, since it answers within milliseconds unless it is loading."""
        assert self._process.stdin is not None, "the child was given a pipe as its standard input"
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE_S)
        except TimeoutError:
            self.kill()
        return await self.ended()

    def kill(self) -> None:
        """End the child now; it keeps nothing that could be lost."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _listen(self) -> None:
        """Keep the last lines of the engine's log; the whole of it goes to our log at debug."""
        assert self._process.stderr is not None, "the child was given a pipe for its log"
        rest = b""
        while chunk := await self._process.stderr.read(_LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LINE_BYTES:]
            for line in lines:
                self._hear(line)
        self._hear(rest)

    def _hear(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text:
            self._tail.append(text)
            _log.debug("%s: %s", self._name, text)


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *CHILD,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # the terminal's signals are for the parent
    )
