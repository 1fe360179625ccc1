"""A process that a supervisor starts: `python -m pointsman.workers ROLE DESCRIPTOR`."""

import signal
import socket
import sys

from pointsman.telemetry.logs import configure


def main() -> int:
    """Exit code of the role. The descriptor is our end of a socket to whoever started us."""
    for name in (signal.SIGINT, signal.SIGHUP):  # for whoever started us, who decides
        signal.signal(name, signal.SIG_IGN)
    role, descriptor = sys.argv[1:3]
    configure("text", role=role)  # until its first word says which
    end = socket.socket(fileno=int(descriptor))
    end.set_inheritable(False)
    if role != "worker":
        import asyncio

        return asyncio.run(_admin(end) if role == "admin" else _reader(end))
    try:
        import uvloop
    except ImportError:  # not on every platform; asyncio serves as well, more slowly
        import asyncio

        return asyncio.run(_worker(end))
    return uvloop.run(_worker(end))


async def _worker(end: socket.socket) -> int:
    from pointsman.workers.worker import Worker

    return await Worker().run(end)


async def _reader(end: socket.socket) -> int:
    from pointsman.workers.reader import Reader

    return await Reader().run(end)


async def _admin(end: socket.socket) -> int:
    from pointsman.workers.admin import Admin

    return await Admin().run(end)


if __name__ == "__main__":
    raise SystemExit(main())
