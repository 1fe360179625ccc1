"""Runs one gateway process: application and door, from the first socket to the drained end."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from pointsman.app import Application
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import Configuration, ServerSettings
from pointsman.gateway.auth import check_exposure
from pointsman.gateway.door import Door
from pointsman.gateway.http_server import HttpLimits, HttpServer
from pointsman.gateway.reloading import Load, Reloader

DRAIN_S = 30.0  # what runs may finish after SIGTERM; the rest is cancelled and written down
Ready = Callable[[Sequence[tuple[str, int]]], None]


def run(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
) -> None:
    """`serve` on uvloop where it is there, on asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:  # not on every platform; asyncio serves as well, more slowly
        asyncio.run(serve(config, ready=ready, stopping=stopping, load=load))
    else:
        uvloop.run(serve(config, ready=ready, stopping=stopping, load=load))


async def serve(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then take nothing new and finish what runs.

    A second signal cancels what runs. `stopping` is called at the first. With `load`, a changed
    configuration comes into force while serving, and at once on SIGHUP.
    Raises: ConfigurationError where the door would stand open or nobody can listen there.
    """
    check_exposure(config.keys, config.server)
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            return hurry.set()
        stop.set()
        stopping()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(name, signalled)
    app = Application(config)
    try:
        if not await _started(app, stop):
            return
        limits = HttpLimits(
            max_body_bytes=config.server.max_body_bytes,
            max_connections=config.server.max_connections,
        )
        server = HttpServer(Door(app), limits=limits)
        try:
            ready(await _listen(server, config.server))
            async with _reloading(app, load):
                await stop.wait()
        finally:
            await _drain(server, hurry)
    finally:
        await app.stop()


@asynccontextmanager
async def _reloading(app: Application, load: Load | None) -> AsyncIterator[None]:
    """Watch the configuration meanwhile."""
    if load is None:
        yield
        return
    reloader = Reloader(app, load)
    with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
    watching = asyncio.create_task(reloader.run())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _started(app: Application, stop: asyncio.Event) -> bool:
    """Start the engines, which may take a minute; False when told to stop meanwhile."""
    starting = asyncio.ensure_future(app.start())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not starting.done():
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        return False
    await starting
    return True


async def _listen(server: HttpServer, settings: ServerSettings) -> Sequence[tuple[str, int]]:
    try:
        return await server.start(settings.host, settings.port)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host} port {settings.port}",
            why=error.strerror or str(error),
            next="another --port (0 takes a free one), or another --host",
        ) from error


async def _drain(server: HttpServer, hurry: asyncio.Event) -> None:
    draining = asyncio.ensure_future(server.drain(DRAIN_S))
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not draining.done():
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining
        await server.drain(0)
    else:
        await draining
