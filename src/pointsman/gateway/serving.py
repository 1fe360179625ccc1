"""Runs one gateway process: application and door, from the first socket to the drained end."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from pointsman.app import Application
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import check_exposure
from pointsman.gateway.door import Door
from pointsman.gateway.http_server import HttpLimits, HttpServer

_DRAIN_S = 30.0  # what runs may finish after SIGTERM; the rest is cancelled and written down


async def serve(
    config: Configuration,
    *,
    ready: Callable[[Sequence[tuple[str, int]]], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; then take nothing new and finish what runs.

    Raises: ConfigurationError where the door would stand open; OSError if the port is taken.
    """
    check_exposure(config.keys, config.server)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(name, stop.set)
    app = Application(config)
    try:
        await app.start()
        limits = HttpLimits(
            max_body_bytes=config.server.max_body_bytes,
            max_connections=config.server.max_connections,
        )
        server = HttpServer(Door(app), limits=limits)
        try:
            ready(await server.start(config.server.host, config.server.port))
            await stop.wait()
        finally:
            await server.drain(_DRAIN_S)
    finally:
        await app.stop()


def run(config: Configuration, *, ready: Callable[[Sequence[tuple[str, int]]], None]) -> None:
    """`serve` on uvloop where it is there, on asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:  # not on every platform; asyncio serves as well, more slowly
        asyncio.run(serve(config, ready=ready))
    else:
        uvloop.run(serve(config, ready=ready))
