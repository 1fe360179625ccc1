"""A gateway process of our own for the demonstration: started, found, stopped."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from pointsman.domain.errors import UpstreamError

_READY = re.compile(r"serving on (http://\S+/v1)")
_PATIENCE_S = 60.0


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
            [sys.executable, "-m", "pointsman", "serve", "-c", str(self._config), "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches us first, then we stop it in order
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        if not self._ready.wait(_PATIENCE_S) or not self.url:
            self._stop()
            raise UpstreamError(
                "the gateway did not start", why=" / ".join(self._said[-5:]) or "it said nothing"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._said = [*self._said[-20:], line.rstrip()]
            found = _READY.search(line)
            if found:
                self.url = found.group(1)
                self._ready.set()
        self._ready.set()  # it ended: nobody has to wait any longer

    def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(45)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
