"""One process of ours as its supervisor sees it: started, told, asked, ended."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, Self

from pointsman.workers.messages import Message
from pointsman.workers.peer import Asked, Peer, Told

Role = Literal["worker", "admin", "reader"]
# What is said to the supervisor alone.
_NOT_INHERITED = (
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
)  # fmt: skip


class Member:
    """One run of a process; never started twice. It ends when its socket does."""

    def __init__(self, process: asyncio.subprocess.Process, peer: Peer) -> None:
        self._process = process
        self.peer = peer
        self._hearing = asyncio.create_task(peer.run())

    @classmethod
    async def start(
        cls,
        role: Role,
        *,
        told: Told,
        asked: Asked,
        listeners: Sequence[socket.socket] = (),
        env: Mapping[str, str] | None = None,
    ) -> Self:
        """Run `python -m pointsman.workers ROLE FD`, with the listeners' descriptors inherited.

        A new program, not a fork: nothing of a running loop, its threads or locks goes along.
        Raises: OSError when the system starts no process.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                fds = [theirs.fileno(), *(each.fileno() for each in listeners)]
                command = (sys.executable, "-P", "-m", "pointsman.workers", role, str(fds[0]))
                starting = asyncio.ensure_future(
                    asyncio.create_subprocess_exec(
                        *command,
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=asyncio.subprocess.DEVNULL,
                        pass_fds=fds,
                        start_new_session=True,  # the terminal's signals are for us
                        env=_environment(os.environ if env is None else env),
                    )
                )
                process = await _uninterrupted(starting)
            peer = await Peer.on(ours, told=told, asked=asked)
        except BaseException:
            ours.close()
            raise
        return cls(process, peer)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for the end and what it said last; the exit code, negative for a signal."""
        code = await self._process.wait()
        # A grandchild could hold the socket open: it is not waited for without bound.
        await asyncio.wait({self._hearing}, timeout=1.0)
        self.peer.close()
        self._hearing.cancel()
        with suppress(asyncio.CancelledError):
            await self._hearing
        return code

    def tell(self, message: Message) -> None:
        self.peer.tell(message)

    async def ask(self, message: Message, *, timeout_s: float) -> Message:
        """Raises: as `Peer.ask`."""
        return await self.peer.ask(message, timeout_s=timeout_s)

    def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError):
            self._process.kill()


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in _NOT_INHERITED}


async def _uninterrupted(
    starting: "asyncio.Future[asyncio.subprocess.Process]",
) -> asyncio.subprocess.Process:
    """A process that was started is known even to who is cancelled meanwhile: it is ended then."""
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        process.kill()
        await process.wait()
        raise
