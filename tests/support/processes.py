"""`pointsman` as a process of its own: started, listened to, signalled, never left behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_SERVING = re.compile(r"serving on http://[^:]+:(\d+)/v1")
PROGRAM = (sys.executable, "-m", "pointsman")


def run_pointsman(
    *arguments: str,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """One command to its end, with its output."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would change a command's mind."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("POINTSMAN_", "OPENAI_", "DEMO_", "COLUMNS", "NO_COLOR"))
    }
    return {**kept, **(changes or {})}


class ServeProcess:
    """`pointsman serve` on a free port; killed at the end of the `with` unless it ended before."""

    def __init__(self, config: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.port = 0
        self.said: list[str] = []
        self._serving = threading.Event()
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", "-c", str(config), "--port", "0", *options],
            cwd=config.parent,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_serving(self, timeout_s: float = 60) -> Self:
        assert self._serving.wait(timeout_s), "it does not serve"
        assert self.port, "\n".join(self.said)
        return self

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        self._listener.join(10)

    def terminate(self, *, with_signal: int = signal.SIGTERM) -> None:
        self.process.send_signal(with_signal)

    def ended(self, timeout_s: float = 60) -> int:
        """The exit code, once it ends by itself."""
        code = self.process.wait(timeout_s)
        self._listener.join(10)
        return code

    def __enter__(self) -> Self:
        return self.wait_until_serving()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.said.append(line.rstrip())
                if found := _SERVING.search(line):
                    self.port = int(found[1])
                    self._serving.set()
        self._serving.set()


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        # A thread may end between being listed and being read: it has no children any more.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, task.read_text().split())
    return found


def alive(pids: Sequence[int]) -> list[int]:
    """Those of the processes that still run; a zombie does not."""
    return [pid for pid in pids if _state(pid) not in ("", "Z", "X")]


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[0]
