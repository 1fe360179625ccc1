"""What systemd and we tell each other: readiness, signs of life, sockets it opened for us."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping

_FIRST_FD = 3


class Systemd:
    """The service manager that the environment names; without one every call does nothing."""

    def __init__(self, env: Mapping[str, str], *, pid: int | None = None) -> None:
        self._where = env.get("NOTIFY_SOCKET", "")
        self._env = env
        self._pid = str(os.getpid() if pid is None else pid)
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, status: str) -> None:
        """We serve (again); from here on with signs of life where they are asked for."""
        self._tell("READY=1", f"STATUS={status}")
        if self._timer is None:
            self._live()

    def reloading(self) -> None:
        """We read what may have changed; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We take nothing new and finish what runs; signs of life go on."""
        self._tell("STOPPING=1", "STATUS=finishing what runs")

    def close(self) -> None:
        """No more signs of life."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def listeners(self) -> list[socket.socket]:
        """The sockets it opened for us (socket activation); none that are meant for another."""
        if self._env.get("LISTEN_PID") != self._pid:
            return []
        count = self._env.get("LISTEN_FDS", "")
        handed = []
        for fd in range(_FIRST_FD, _FIRST_FD + (int(count) if count.isdecimal() else 0)):
            os.set_inheritable(fd, False)
            handed.append(socket.socket(fileno=fd))
        return handed

    @property
    def watchdog_s(self) -> float | None:
        """Within how many seconds it wants a sign of life."""
        said = self._env.get("WATCHDOG_USEC", "")
        ours = self._env.get("WATCHDOG_PID") in (None, self._pid)
        return int(said) / 1e6 if ours and said.isdecimal() and int(said) else None

    def _live(self) -> None:
        """A sign from the event loop itself: one that hangs gives none."""
        within_s = self.watchdog_s
        if within_s is not None and self._where:
            self._tell("WATCHDOG=1")
            self._timer = asyncio.get_running_loop().call_later(within_s / 2, self._live)

    def _tell(self, *lines: str) -> None:
        if not self._where.startswith(("/", "@")):
            return
        # A leading @ stands for the zero byte of an abstract address.
        address = "\0" + self._where[1:] if self._where.startswith("@") else self._where
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            return  # it went away; we serve on
