"""A gateway process of our own for the demonstration: started, found, stopped."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from pointsman.demo.child import SERVING
from pointsman.domain.errors import UpstreamError

_PATIENCE_S = 60.0
_STOP_S = 45.0  # longer than the gateway gives to what is being answered


class GatewayProcess:
    """`pointsman serve` as a child, on a free port of this machine."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._ready = threading.Event()
        self.url = ""

    def __enter__(self) -> "GatewayProcess":
        """Start it and wait until it serves. Raises: UpstreamError with its own words."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "pointsman.demo.child", str(self._config)],
            stdin=subprocess.PIPE,  # it ends when this does, however we end
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches us first, then we stop it in order
        )
        try:
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
            if not self._ready.wait(_PATIENCE_S) or not self.url:
                raise UpstreamError(
                    "the gateway did not start",
                    why=" / ".join(self._said[-5:]) or "it said nothing",
                )
        except BaseException:
            self._stop(self._process)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._stop(self._process)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None, "the child was given a pipe for its words"
        with process.stderr as lines:
            for line in lines:
                self._said = [*self._said[-20:], line.rstrip()]
                if line.startswith(SERVING):
                    self.url = line.removeprefix(SERVING).rstrip()
                    self._ready.set()
        self._ready.set()  # it ended: nobody has to wait any longer

    def _stop(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None, "the child was given a pipe as its standard input"
        process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
