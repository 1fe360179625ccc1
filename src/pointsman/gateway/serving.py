"""Runs one gateway process: application and door, from the first socket to the drained end."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress

from pointsman.app import Application, checked_contexts, ways
from pointsman.domain.errors import PointsmanError
from pointsman.domain.task import Configuration
from pointsman.gateway.auth import check_exposure, exposure_remarks
from pointsman.gateway.collecting import settle
from pointsman.gateway.door import Door
from pointsman.gateway.http_server import Certificates, HttpLimits, HttpServer
from pointsman.gateway.http_tls import door_context
from pointsman.gateway.listening import bind, cannot_listen, met, release
from pointsman.gateway.reloading import Load, Reloader
from pointsman.gateway.systemd import Systemd
from pointsman.telemetry.destination import destination_of
from pointsman.telemetry.exporting import check_installed

log = logging.getLogger("pointsman.serving")
DRAIN_S = 30.0  # what runs may finish after SIGTERM; the rest is cancelled and written down
Ready = Callable[[Sequence[tuple[str, int]]], None]
Beside = Callable[[Application], AbstractAsyncContextManager[None]]


def run(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
    beside: Beside | None = None,
) -> None:
    """`serve` on uvloop where it is there, on asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:  # not on every platform; asyncio serves as well, more slowly
        asyncio.run(serve(config, ready=ready, stopping=stopping, load=load, beside=beside))
    else:
        uvloop.run(serve(config, ready=ready, stopping=stopping, load=load, beside=beside))


def checked_wire(config: Configuration, env: Mapping[str, str]) -> list[str]:
    """Remarks on both ends of the wire, once every file they need was read.

    Raises: ConfigurationError for an open door, or a certificate, key, proxy or address of a
        collector that is not usable; ExtraMissing where telemetry is sent and cannot be.
    """
    if destination_of(config.telemetry, env) is not None:
        check_installed()
    check_exposure(config.keys, config.server, virtual=config.virtual_keys.enabled)
    if config.server.tls is not None:
        door_context(config.server.tls, config.placed)
    checked_contexts(config, ways(config, env))
    unverified = [
        f"deployments.{each.name}.tls.verify is false: whoever answers at {each.base_url} is "
        "believed, and is sent its key and every prompt"
        for each in config.deployments.values()
        if each.tls is not None and not each.tls.verify
    ]
    return [*exposure_remarks(config.keys, config.server), *unverified]


async def serve(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
    beside: Beside | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then take nothing new and finish what runs.

    A second signal cancels what runs. `stopping` is called at the first. With `load`, a changed
    configuration comes into force while serving, and at once on SIGHUP; SIGHUP reads certificates
    anew as well. `beside` is entered while serving. Sockets that systemd hands over stand in for
    server.host, and it is kept informed.
    Raises: ConfigurationError where the door would stand open or nobody can listen there.
    """
    check_exposure(config.keys, config.server, virtual=config.virtual_keys.enabled)
    stop, hurry = asyncio.Event(), asyncio.Event()
    with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
        # until there is something to reload, a SIGHUP means nothing: it must not end us
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)

    def signalled() -> None:
        if stop.is_set():
            return hurry.set()
        stop.set()
        stopping()
        if systemd is not None:
            systemd.stopping()

    systemd: Systemd | None = None
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(name, signalled)
    app = Application(config)
    systemd = Systemd(app.env)
    try:
        if not await started(app, stop):
            return
        limits = HttpLimits(
            max_body_bytes=config.server.max_body_bytes,
            max_buffered_bytes=config.server.max_buffered_bytes,
            max_connections=config.server.max_connections,
        )
        door = Door(app)
        server = HttpServer(
            door, limits=limits, lines=door.lines, told=app.metrics.told, spools=door.spools
        )
        app.in_flight = lambda: server.in_flight
        handed = systemd.listeners()
        try:
            ready(await _listen(server, config, handed))
            settle()
            for remark in checked_wire(met(config, handed), app.env):
                log.warning("%s", remark)
            async with (
                beside(app) if beside is not None else nullcontext(),
                _reloading(app, server, systemd, load),
            ):
                systemd.ready(f"configuration {config.digest}")
                app.start_keeper()
                app.start_judges()
                await stop.wait()
        finally:
            await drain(server, hurry)
            if not handed:
                release(config.server.hosts)
    finally:
        systemd.close()
        await app.stop()


@asynccontextmanager
async def _reloading(
    app: Application, server: HttpServer, systemd: Systemd, load: Load | None
) -> AsyncIterator[None]:
    """Watch the configuration meanwhile, and read it and the certificates anew on SIGHUP."""
    if load is None:
        yield
        return
    reloader, hung_up = Reloader(app, load), asyncio.Event()
    with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)

    async def reload_when_told() -> None:
        while True:
            await hung_up.wait()
            hung_up.clear()
            systemd.reloading()
            await _reload_certificates(app, server)
            reloader.ask()
            systemd.ready(f"configuration {app.config.digest}")

    tasks = [asyncio.create_task(each) for each in (reloader.run(), reload_when_told())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _reload_certificates(app: Application, server: HttpServer) -> None:
    """Where one cannot be used, all stay as they were, and the log says why."""
    for reload in (server.reload_certificates, app.reload_certificates):
        try:
            await reload()
        except PointsmanError as error:
            log.warning("the certificates stay as they were: %s", error)


async def started(app: Application, stop: asyncio.Event) -> bool:
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


async def _listen(
    server: HttpServer, config: Configuration, handed: Sequence[socket.socket]
) -> Sequence[tuple[str, int]]:
    settings = config.server
    check_exposure(config.keys, met(config, handed).server, virtual=config.virtual_keys.enabled)
    try:
        listeners = handed or bind(settings.hosts, settings.port)
        return await server.start(sockets=listeners, certificates=certificates_of(config))
    except OSError as error:
        raise cannot_listen(error, settings.hosts, settings.port) from error


def certificates_of(config: Configuration) -> Certificates | None:
    """What reads the certificate of the door; None where it speaks plain HTTP."""
    said = config.server.tls
    return None if said is None else lambda: door_context(said, config.placed)


async def drain(server: HttpServer, hurry: asyncio.Event, grace_s: float = DRAIN_S) -> None:
    """Take nothing new and let what runs end within its grace; cancel it at once when hurried."""
    draining = asyncio.ensure_future(server.drain(grace_s))
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
