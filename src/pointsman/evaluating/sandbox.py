"""Programs that nobody trusts, run in a child without network, under limits; or not at all.

Closed off by bubblewrap where it is installed, else by the kernel's namespaces directly. Where
neither works there is no sandbox, and nothing is run: `ExtraMissing` says what to install.
"""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from pointsman.domain.errors import ExtraMissing
from pointsman.domain.ports import CodeRun

_CHILD = Path(__file__).with_name("sandbox_child.py")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives")
_SLACK_S = 5.0  # for the sandbox's own start and end
_DISK_MB = 64
_PROBE = {"wall_s": 10.0, "cpu_s": 5.0, "memory_mb": 256, "output_kb": 4, "processes": 8}
Way = Literal["bubblewrap", "namespaces"]


class _Report(msgspec.Struct):
    exit_code: int | None = None
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One way of closing a program off, that works on this machine."""

    way: Way

    async def run(
        self, files: Mapping[str, str], command: Sequence[str], *, limits: Mapping[str, float]
    ) -> CodeRun:
        """Run a program in a folder that holds the files and is gone afterwards.

        Args: `python` as the first word of the command is this interpreter without our packages;
            limits are `wall_s`, `cpu_s` (of each process), `memory_mb`, `output_kb`, `processes`.
        Its standard input holds one line, a word that it gives back at its very end to be
        `finished`. Raises: OSError where no process can be started.
        """
        word = secrets.token_hex(16)
        with tempfile.TemporaryDirectory(prefix="pointsman-sandbox-") as root:
            return await self._run(root, word, files, command, limits)

    async def _run(
        self,
        root: str,
        word: str,
        files: Mapping[str, str],
        command: Sequence[str],
        limits: Mapping[str, float],
    ) -> CodeRun:
        report_r, report_w = os.pipe()
        order = {
            "root": root, "work": "/work", "files": files, "word": word, "disk_mb": _DISK_MB,
            "command": [_interpreter(), "-I", *command[1:]] if command[0] == "python" else command,
            "limits": limits, "report": report_w, "readable": _readable(),
        }  # fmt: skip
        try:
            child = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(report_w,),
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )
        except BaseException:
            os.close(report_r)
            raise
        finally:
            os.close(report_w)
        try:
            assert child.stdin is not None, "it has a pipe"
            child.stdin.write(msgspec.json.encode(order) + b"\n")
            most = int(limits["output_kb"] * 1024) + len(word) + 2
            stopped = None
            try:
                async with asyncio.timeout(limits["wall_s"] + _SLACK_S):
                    with suppress(ConnectionError):
                        await child.stdin.drain()
                    output, whole = await _read(child.stdout, most)
                    stopped = None if whole else "output"
                    if whole:
                        await child.wait()
            except TimeoutError:
                output, stopped = b"", "time"
        finally:
            await _kill(child)
            told = _told(report_r)
        return _ended(output, word, told, stopped)

    def _command(self) -> list[str]:
        child = [sys.executable, "-I", "-S", str(_CHILD)]
        if self.way == "namespaces":
            return child
        bound = [part for path in _readable() for part in _bound(path)]
        return [
            str(shutil.which("bwrap")), "--unshare-all", "--unshare-user", "--disable-userns",
            "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", *bound,
            "--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev",
            "--size", str(_DISK_MB << 20), "--tmpfs", "/work", "--size", str(_DISK_MB << 20),
            "--tmpfs", "/tmp",  # noqa: S108  # of the sandbox's own
            "--ro-bind", str(_CHILD), "/sandbox_child.py", "--chdir", "/",
            _interpreter(), "-I", "-S", "/sandbox_child.py", "--inside",
        ]  # fmt: skip


def sandbox() -> Sandbox:
    """The sandbox of this machine. Raises: ExtraMissing where there is none."""
    found = _found()
    if found is None:
        raise ExtraMissing(
            "there is no sandbox here, and code of a model is never run without one",
            why="bubblewrap is not installed or may not be used, and this process may not make "
            "namespaces of its own",
            next="apt install bubblewrap (or dnf, apk: `bubblewrap`); it needs Linux",
        )
    return found


@lru_cache(maxsize=1)
def _found() -> Sandbox | None:
    """The first way that really runs a program and really closes it off."""
    if sys.platform != "linux":
        return None
    ways: tuple[Way, ...] = ("bubblewrap", "namespaces")
    for way in ways:
        if way == "bubblewrap" and shutil.which("bwrap") is None:
            continue
        if works(Sandbox(way)):
            return Sandbox(way)
    return None


def works(candidate: Sandbox) -> bool:
    """Whether a program runs in it and sees no network but its own."""
    code = (
        "import os, sys\n"
        "word = sys.stdin.readline()\n"
        "lines = open('/proc/net/dev').read().splitlines()[2:]\n"
        "names = {line.split(':')[0].strip() for line in lines}\n"
        "assert names <= {'lo'}, names\n"
        "print()\n"
        "print(word, end='')\n"
    )
    result: list[CodeRun] = []

    def probe() -> None:
        ran = candidate.run({"probe.py": code}, ["python", "probe.py"], limits=_PROBE)
        with suppress(OSError):
            result.append(asyncio.run(ran))

    thread = threading.Thread(target=probe)  # a loop may be running in this one
    thread.start()
    thread.join()
    return bool(result) and result[0].finished


@lru_cache(maxsize=1)
def _readable() -> list[str]:
    """What a program may read: the system's programs and the interpreter's own folder."""
    own = [os.path.realpath(sys.base_prefix)]
    listed = [path for path in _SYSTEM if os.path.lexists(path)]
    return [*listed, *(each for each in own if not each.startswith("/usr"))]


@lru_cache(maxsize=1)
def _interpreter() -> str:
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def _bound(path: str) -> list[str]:
    if os.path.islink(path):
        return ["--symlink", os.readlink(path), path]
    return ["--ro-bind", path, path]


async def _read(stream: asyncio.StreamReader | None, most: int) -> tuple[bytes, bool]:
    """What was written, at most so much, and whether that is all of it."""
    assert stream is not None, "it has a pipe"
    found = bytearray()
    while len(found) <= most:
        block = await stream.read(65536)
        if not block:
            return bytes(found), True
        found += block
    return bytes(found[:most]), False


async def _kill(child: asyncio.subprocess.Process) -> None:
    """The whole of it: what it started dies with its first process."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, 9)
    with suppress(ProcessLookupError):
        child.kill()
    if child.stdout is not None:  # asyncio waits for what nobody reads any more
        while await child.stdout.read(1 << 20):
            pass
    await child.wait()


def _told(report: int) -> _Report | None:
    with os.fdopen(report, "rb") as file:
        said = file.read(4096)
    try:
        return msgspec.json.decode(said, type=_Report)
    except msgspec.DecodeError:
        return None


def _ended(output: bytes, word: str, told: _Report | None, stopped: str | None) -> CodeRun:
    end = f"\n{word}\n".encode()
    finished = output.endswith(end)
    text = output.removesuffix(end).decode(errors="replace")
    if stopped is not None:
        return CodeRun(None, text, stopped=stopped)
    if told is None:
        return CodeRun(None, text, stopped="the sandbox broke")
    return CodeRun(told.exit_code, text, finished=finished, stopped=told.stopped)
