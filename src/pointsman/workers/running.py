"""`serve` as the configuration wants it: in this process, or in several under a supervisor."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from pointsman.domain.errors import ConfigurationError, WorkerFailed
from pointsman.domain.task import Configuration
from pointsman.gateway.reloading import Load
from pointsman.workers.messages import Counted, Look, Message, Scrape, Seen
from pointsman.workers.supervisor import Ready, supervise

if TYPE_CHECKING:
    from pointsman.app import Application


def run(
    config: Configuration,
    *,
    ready: Ready,
    stopping: Callable[[], None] = lambda: None,
    load: Load | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, with as many processes as `server.workers` says.

    One worker is this process itself: nothing supervises it, and nothing lies between.
    Raises: as `serve` and `supervise`.
    """
    if config.server.workers == 1:
        from pointsman.gateway.serving import run as run_alone

        beside = _beside if config.server.admin is not None else None
        run_alone(config, ready=ready, stopping=stopping, load=load, beside=beside)
        return
    try:
        asyncio.run(supervise(config, ready=ready, stopping=stopping, load=load))
    except NotImplementedError as error:
        raise ConfigurationError(
            "server.workers above 1 does not work on this system",
            why="it has no sockets and signals that a process can hand to another",
            next="set server.workers to 1",
        ) from error


@asynccontextmanager
async def _beside(app: "Application") -> AsyncIterator[None]:
    """The admin beside the only worker, which is also its parent."""
    from pointsman.workers.admin_seat import AdminSeat

    async def asked(message: Message) -> Message:
        match message:
            case Scrape():
                return Counted(snapshots=(app.metrics.snapshot(),))
            case Look():
                return look_alone(app)
            case _:
                raise WorkerFailed(f"a worker is not asked {type(message).__name__}")

    seat = AdminSeat(app.config, asked)
    seat.bind()
    seat.start()
    app.changed.append(seat.change)
    try:
        yield
    finally:
        app.changed.remove(seat.change)
        await seat.stop()


def look_alone(app: "Application") -> Seen:
    """How a gateway of one process stands, in the shape of one with many."""
    import os

    ready, parts = app.readiness()
    digest = app.config.digest
    worker = {
        "slot": 0, "pid": os.getpid(), "state": "serving", "ready": ready, "digest": digest,
        "connections": None, "in_flight": None, "requests": None, "restarts": 0, "last_end": None,
    }  # fmt: skip
    told = {
        "workers": [worker],
        "configuration": {
            "digest": digest, "everywhere": True, "reload_error": app.reload_error,
        },
        "keeper": parts["keeper"],
        "engines": parts["engines"],
    }  # fmt: skip
    return Seen(ready=ready, body=msgspec.json.encode(told))
