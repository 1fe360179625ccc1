"""The admin's routes: how the whole stands, its counts, and questions to the journal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from pointsman.domain.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PointsmanError,
)
from pointsman.domain.ports import Reports
from pointsman.domain.task import (
    AdminSettings,
    Configuration,
    Key,
    OidcSettings,
    Role,
    ServerSettings,
)
from pointsman.gateway.auth import Caller, Doorkeeper, token_of
from pointsman.gateway.errors import error_head
from pointsman.gateway.http_server import Exchange
from pointsman.surfaces.errors import error_object
from pointsman.workers.people import People, looks_like_token
from pointsman.workers.roles import allow

_JSON = [(b"content-type", b"application/json")]
_TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_ROWS, _MOST_ROWS = 100, 10_000  # of one answer
_WAITING = 16  # questions to the journal that wait for their turn; DuckDB takes one at a time
Surface = Callable[[Exchange, Caller], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Surface]]


class Whole(Protocol):
    """What the admin knows of the rest, by asking the process that runs it."""

    async def scrape(self) -> bytes:
        """The counts of all workers as Prometheus text. Raises: WorkerFailed."""
        ...

    async def look(self) -> tuple[bool, bytes]:
        """Whether every worker is ready, and how the whole stands as JSON. Raises: WorkerFailed."""
        ...


class AdminDoor:
    """Answers every exchange of the admin's server.

    Probes and the scraper need no key, as at the door of clients; everything else needs one of
    `server.admin.keys`, or is for this machine alone where there are none.
    Args: more adds routes, by path and method; a path that ends in `/` takes whatever follows.
    """

    def __init__(
        self,
        config: Configuration,
        whole: Whole,
        reports: Callable[[], Reports],
        *,
        more: Routes | None = None,
    ) -> None:
        self._whole = whole
        self._reports = reports
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._open: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }
        self._routes: dict[str, Mapping[str, Surface]] = {
            "/admin/workers": {"GET": self._workers},
            "/admin/report": {"GET": self._report},
            "/admin/queries/": {"GET": self._query},
            **(more or {}),
        }
        self.change(config)

    def change(self, config: Configuration) -> None:
        """Another configuration is in force: other keys, other tasks."""
        self._config = config
        settings = config.server.admin or AdminSettings()
        self._keeper = Doorkeeper(
            [Key(name=each.name, sha256=each.sha256) for each in settings.keys],
            ServerSettings(host=settings.host, allowed_hosts=config.server.allowed_hosts),
            virtual=settings.oidc is not None,
        )
        self._roles: dict[str, tuple[Role, ...]] = {each.name: each.roles for each in settings.keys}
        self._people = None if settings.oidc is None else _people(config, settings.oidc)

    async def __call__(self, exchange: Exchange) -> None:
        """Handle one exchange; every expected trouble becomes an OpenAI-shaped error."""
        try:
            request = exchange.request
            probe = self._open.get(request.path)
            if probe is not None and request.method in ("GET", "HEAD"):
                return await probe(exchange)
            caller, roles = await self._admit(request.headers)  # before a word of what is here
            route, surface = self._find(request.method, request.path)
            allow(roles, request.method, route)
            await surface(exchange, caller)
        except PointsmanError as error:
            if exchange.started:
                exchange.abort()
            else:
                exchange.respond(error.status, error_head(error), error_object(error))

    async def _admit(
        self, headers: Mapping[bytes, bytes]
    ) -> tuple[Caller, Collection[Role]]:  # fmt: skip
        """Who asks, and what they may do. Raises: Unauthenticated, Forbidden."""
        token = token_of(headers)
        if self._people is not None and token is not None and looks_like_token(token):
            self._keeper.origins.check(headers)
            person = await self._people.person(token)
            return Caller("default", person.name, None, person=person.id), person.roles
        caller = self._keeper.admit(headers)
        return caller, self._roles.get(caller.principal, ("owner",))

    def _find(self, method: str, path: str) -> tuple[str, Surface]:
        route = path if path in self._routes else path[: path.rfind("/") + 1]
        methods = self._routes.get(route)
        if methods is None:
            raise NotFound(
                f"no such path {path[:200]!r}",
                next="the admin answers " + ", ".join((*self._open, *self._routes)),
                code="unknown_path",
            )
        surface = methods.get(method)
        if surface is None:
            raise MethodNotAllowed(f"{path[:200]} takes {' or '.join(methods)}, not {method}")
        return route, surface

    async def _healthz(self, exchange: Exchange) -> None:
        exchange.respond(200, _JSON, b'{"status":"ok"}')

    async def _readyz(self, exchange: Exchange) -> None:
        ready, body = await self._whole.look()
        said = msgspec.json.decode(body)
        workers = said.get("workers", ())
        exchange.respond(
            200 if ready else 503,
            _JSON,
            msgspec.json.encode(
                {
                    "status": "ready" if ready else "not ready",
                    "workers": {
                        "ready": sum(bool(each["ready"]) for each in workers),
                        "of": len(workers),
                    },
                    "configuration": said.get("configuration"),
                }
            ),
        )

    async def _metrics(self, exchange: Exchange) -> None:
        exchange.respond(200, _TEXT, await self._whole.scrape())

    async def _workers(self, exchange: Exchange, caller: Caller) -> None:
        _, body = await self._whole.look()
        exchange.respond(200, _JSON, body)

    async def _report(self, exchange: Exchange, caller: Caller) -> None:
        from pointsman.analytics.report import build_report

        said = _parameters(exchange.request.query, ("hours", "task", "tenant"))
        hours, task = said.get("hours"), said.get("task")
        if task is not None and task not in self._config.tasks:
            raise NotFound(f"no task {task[:100]!r}", param="task", code="model_not_found")
        now_us = time.time_ns() // 1000
        since_us = 0 if hours is None else max(0, now_us - int(_number(hours, "hours") * 3.6e9))
        tasks, tenant = self._config.tasks, said.get("tenant")
        report = await self._ask(
            lambda reports: build_report(
                reports, tasks=tasks, since_us=since_us, until_us=now_us + 1, now_us=now_us,
                task=task, tenant=tenant,
            )
        )  # fmt: skip
        exchange.respond(200, _JSON, msgspec.json.encode(report))

    async def _query(self, exchange: Exchange, caller: Caller) -> None:
        """Rows of a named query that pages: one that gives the whole journal is not for a wire."""
        from pointsman.journal import QUERIES

        name = exchange.request.path.rpartition("/")[2]
        paged = {key: each for key, each in QUERIES.items() if "limit" in each.params}
        query = paged.get(name)
        if query is None:
            raise NotFound(
                f"no query {name[:100]!r} that pages", next=f"there are {', '.join(paged)}"
            )
        said = _parameters(exchange.request.query, tuple(query.params))
        params: dict[str, Any] = {
            key: int(_number(value, key)) if isinstance(query.params[key], int) else value
            for key, value in said.items()
        }
        params["limit"] = min(max(params.get("limit", _ROWS), 1), _MOST_ROWS)
        rows = await self._ask(lambda reports: list(reports.query(name, params)))
        exchange.respond(200, _JSON, msgspec.json.encode({"object": "list", "data": rows}))

    async def _ask(self, question: Callable[[Reports], Any]) -> Any:
        """Ask the journal in a thread, one question at a time. Raises: Overloaded."""
        if self._waiting >= _WAITING:
            raise Overloaded("too many questions to the journal wait", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(lambda: question(self._reports()))
        finally:
            self._waiting -= 1


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """Raises: InvalidRequest for what is not known, said twice or not UTF-8."""
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=32,
            errors="strict",
        )  # fmt: skip
    except ValueError as error:
        raise InvalidRequest(f"the query cannot be read: {error}") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known or name in found:
            why = "said twice" if name in found else "not known"
            raise InvalidRequest(
                f"parameter {name[:100]!r} is {why}", next=f"there are {', '.join(known)}"
            )
        found[name] = value
    return found


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**62:  # NaN is not, either
        raise InvalidRequest(f"`{name}` is a number, zero or more", param=name)
    return value


def _people(config: Configuration, settings: OidcSettings) -> People:
    placed = settings.jwks if "://" in settings.jwks else config.placed(settings.jwks)
    return People(msgspec.structs.replace(settings, jwks=placed))
