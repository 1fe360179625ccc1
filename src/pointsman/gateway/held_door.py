"""Where a client asks for an answer that was held: 202 until people have decided."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from pointsman.answering.holding import held_told
from pointsman.app import Application
from pointsman.domain.errors import NotFound, PolicyBlocked
from pointsman.gateway.auth import Caller
from pointsman.gateway.http_server import Exchange
from pointsman.surfaces.table import SURFACES

_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_PREFIX = "/v1/held/"
_BY_NAME = {surface.name: surface for surface in SURFACES.values()}
Handler = Callable[[Exchange, Caller], Awaitable[None]]


class HeldDoor:
    """The handler of `GET /v1/held/ID`, for the tenant whose answer it is."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def below(self, path: str) -> Mapping[str, Handler] | None:
        """The methods of a held answer's path; None where it is none."""
        if not path.startswith(_PREFIX) or "/" in path[len(_PREFIX) :]:
            return None
        return {"GET": self._held}

    async def _held(self, exchange: Exchange, caller: Caller) -> None:
        """Raises: NotFound, for another tenant's as well; PolicyBlocked where it was rejected."""
        id = exchange.path[len(_PREFIX) :]
        if not self._app.config.review.enabled:
            raise NotFound("answers are not held here", code="held_not_found")
        desk = await self._app.reviews.desk()
        held, request, answer = await asyncio.to_thread(
            desk.delivered, id, tenant=caller.tenant, by=caller.principal
        )
        status = held.status_at(self._app.clock.now_us())
        if status == "waiting":
            head = [*_JSON, (b"retry-after", b"5")]
            exchange.respond(202, head, msgspec.json.encode(held_told(held)))
            return
        if held.delivers is None:
            raise PolicyBlocked(
                "this answer is not delivered",
                why="nobody decided in time" if status == "expired" else "people rejected it",
            )
        surface = _BY_NAME.get(held.surface)
        if request is None or answer is None or surface is None:
            raise NotFound("this answer was erased", code="held_not_found")
        writer = surface.writer(surface.parse(request))
        head = [*_JSON, (b"x-pointsman-trace", held.trace.encode())]
        exchange.respond(200, head, writer.whole(answer))
