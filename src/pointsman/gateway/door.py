"""The routes of the gateway: which path is which surface. Translates; decides nothing."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from pointsman.answering.asked import Asked
from pointsman.answering.targets import allow
from pointsman.app import Application
from pointsman.domain.errors import (
    Forbidden,
    InvalidRequest,
    JournalUnavailable,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PointsmanError,
)
from pointsman.domain.task import Configuration, VirtualKey
from pointsman.domain.tracing import parent_of
from pointsman.gateway.auth import Caller, Doorkeeper, token_of, unknown_key
from pointsman.gateway.batch_door import BatchDoor
from pointsman.gateway.errors import error_head
from pointsman.gateway.held_door import HeldDoor
from pointsman.gateway.http_server import Exchange
from pointsman.gateway.http_spool import Spool, Spooling
from pointsman.gateway.request_ids import request_id, request_id_line
from pointsman.gateway.surface_sink import SurfaceSink
from pointsman.prompts.rendering import render
from pointsman.routing.features import whole_prompt_estimate
from pointsman.surfaces.messages_request import parse_counted
from pointsman.surfaces.subjects import subject_in
from pointsman.surfaces.surface import Surface, plain_error
from pointsman.surfaces.table import SURFACES

log = logging.getLogger("pointsman.gateway")
_JSON = [(b"content-type", b"application/json")]
_TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
# Ours, and those of Claude Code and Codex.
_SESSIONS = (b"x-session-id", b"x-conversation-id", b"x-claude-code-session-id", b"session-id")
_ANY_SESSION = frozenset(_SESSIONS)
_VIRTUAL_MOST = 10_000
_ASKS_FIRST = b"access-control-request-method"
Handler = Callable[[Exchange, Caller], Awaitable[None]]


class _FeedbackBody(msgspec.Struct):
    """What POST /v1/feedback takes."""

    kind: str
    trace: str | None = None  # the trace id, or
    id: str | None = None  # the answer's own `id`
    value: Any = None
    key: str | None = None


class Door:
    """Answers every exchange of one server."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._config = app.config
        self._keeper = _doorkeeper(app.config)
        self._virtual: dict[str, tuple[VirtualKey, Caller]] = {}  # of a configuration, by name
        self._origins = self._keeper.origins
        self._batches = BatchDoor(app)
        self._held = HeldDoor(app)
        self.spools: Mapping[bytes, Spooling] = {
            b"/v1/files": self._put_aside,
            b"/files": self._put_aside,
        }
        self._paths: dict[str, dict[str, Handler]] = {
            **{path: {"POST": self._answering(each)} for path, each in SURFACES.items()},
            "/v1/messages/count_tokens": {"POST": self._count},
            "/v1/models": {"GET": self._models},
            "/v1/feedback": {"POST": self._feedback},
            **self._batches.paths,
        }
        # Never behind a key, never a call of a model: what probes and scrapers ask.
        self._open: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    def _put_aside(self, headers: Mapping[bytes, bytes]) -> Spool | None:
        """Uploads of whoever may come in go to the disk; a virtual key is looked up later."""
        try:
            self._admit(headers)
        except PointsmanError:
            return None  # told once the request is whole; until then its body is bounded
        return self._batches.spool()

    async def __call__(self, exchange: Exchange) -> None:
        """Handle one exchange; every expected trouble becomes an error in its surface's shape."""
        try:
            method, path, headers = exchange.method, exchange.path, exchange.headers
            methods = self._paths.get(path)
            handle = methods.get(method) if methods is not None else None
            if handle is None:
                probe = self._open.get(path)
                if probe is not None and method in ("GET", "HEAD"):
                    return await probe(exchange)
                if method == "OPTIONS" and _ASKS_FIRST in headers:
                    return self._preflight(exchange)
                handle = self._find(method, path)
            caller = self._admit(headers)
            if caller is None:
                caller = await self._admit_virtual(headers)
            await handle(exchange, caller)
        except PointsmanError as error:
            self._app.metrics.told(error.reported_code)
            if isinstance(error, JournalUnavailable):
                log.error("journal unavailable: %s", error.why)
            if exchange.started:
                exchange.abort()
            else:
                head = error_head(error)
                if isinstance(error, MethodNotAllowed):
                    head.append((b"allow", ", ".join(self._methods(exchange.path)).encode()))
                path = exchange.path.removesuffix("/count_tokens")
                asked = SURFACES.get(path) or SURFACES.get("/v1" + path)
                status, body = asked.error(error) if asked else plain_error(error)
                exchange.respond(status, head, body)

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Header lines for every answer, whoever gives it: which pages may read it, whose it is."""
        if self._config is not self._app.config:
            self._renew()
        return self._origins.lines(headers) + request_id_line(headers)

    def _admit(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        if self._config is not self._app.config:
            self._renew()
        return self._keeper.recognised(headers)

    async def _admit_virtual(self, headers: dict[bytes, bytes]) -> Caller:
        """Who asks with a key that lies in the state.

        Raises: Unauthenticated; Forbidden for a key of a team that is no more; StateUnavailable.
        """
        token, keyring = token_of(headers), self._app.keyring
        if token is None or keyring is None:
            raise unknown_key()
        key = keyring.known(token) or await keyring.look(token)
        if key is None:
            raise unknown_key()
        known = self._virtual.get(key.name)
        if known is not None and known[0] is key:
            return known[1]
        if key.team is not None and all(key.team != team.name for team in self._config.teams):
            raise Forbidden(
                f"the team {key.team!r} of this key is not known here",
                why="its limits are those of the configuration",
                next="add it under `teams:`, or create a key without it",
                code="team_not_known",
            )
        caller = Caller(key.tenant, key.name, key.key, self._config.bounds_of(key.key))
        if len(self._virtual) >= _VIRTUAL_MOST:
            self._virtual.clear()
        self._virtual[key.name] = (key, caller)
        return caller

    def _renew(self) -> None:
        """Keys and origins change with the configuration."""
        self._config = self._app.config
        self._keeper, self._virtual = _doorkeeper(self._config), {}
        self._origins = self._keeper.origins

    def _preflight(self, exchange: Exchange) -> None:
        """A browser asks whether a page may ask; it sends no key with that."""
        self._origins.check(exchange.request.headers)
        methods = self._methods(exchange.request.path)
        head = self._origins.preflight(exchange.request.headers, methods)
        exchange.respond(204, head, b"")

    def _methods(self, path: str) -> tuple[str, ...]:
        return tuple(self._at(path) or ("GET",))

    def _at(self, path: str) -> Mapping[str, Handler] | None:
        found = self._paths.get(path) or self._paths.get("/v1" + path)
        return found or self._batches.below(path) or self._held.below(path)

    def _find(self, method: str, path: str) -> Handler:
        methods = self._at(path)
        if methods is None and method == "GET" and path.startswith("/v1/models/"):
            return self._model
        if methods is None:
            raise NotFound(
                f"no such path {path[:200]!r}",
                next="this server answers " + ", ".join(self._paths),
                code="unknown_path",
            )
        handle = methods.get(method)
        if handle is None:
            raise MethodNotAllowed(f"{path} takes {' or '.join(methods)}, not {method}")
        return handle

    def _answering(self, surface: Surface) -> Handler:
        """What answers requests of one surface."""

        async def handle(exchange: Exchange, caller: Caller) -> None:
            in_flight = self._app.metrics.in_flight
            if in_flight.value >= self._config.server.max_in_flight:
                raise _full(in_flight.value)
            request = surface.parse(exchange.body)
            target = self._app.targets.resolve(request.model)
            allow(caller.key, target)
            target.check(request.operation)
            headers = exchange.headers
            asked = Asked(
                request=request,
                body=exchange.body,
                target=target,
                tenant=caller.tenant,
                principal=caller.principal,
                surface=surface.name,
                arrived=exchange.arrived,
                session=_session(headers),
                bounds=caller.bounds,
                team=caller.key.team if caller.key else None,
                subject=_subject(headers, request.fields),
                parent=parent_of(headers.get(b"traceparent"), headers.get(b"tracestate")),
                named=request_id(headers) is not None,
            )
            sink = SurfaceSink(exchange, surface, request)
            in_flight.value += 1
            try:
                await self._app.answering.answer(asked, sink)
            finally:
                in_flight.value -= 1

        return handle

    async def _count(self, exchange: Exchange, caller: Caller) -> None:
        """How many tokens a request of the Messages API would be, estimated: no model is called."""
        request = parse_counted(exchange.body)
        target = self._app.targets.resolve(request.model)
        allow(caller.key, target)
        prompt = target.task.prompt if target.task else None
        rendered = render(request, prompt) if prompt else request
        told = {"input_tokens": whole_prompt_estimate(rendered), "estimated": True}
        exchange.respond(200, _JSON, msgspec.json.encode(told))

    async def _models(self, exchange: Exchange, caller: Caller) -> None:
        names = [name for name in self._app.targets.names() if self._may_ask(caller, name)]
        data = [self._card(name) for name in names]
        exchange.respond(200, _JSON, msgspec.json.encode({"object": "list", "data": data}))

    async def _model(self, exchange: Exchange, caller: Caller) -> None:
        name = unquote(exchange.request.path.removeprefix("/v1/models/"))
        target = self._app.targets.resolve(name)
        allow(caller.key, target)
        exchange.respond(200, _JSON, msgspec.json.encode(self._card(name)))

    def _may_ask(self, caller: Caller, name: str) -> bool:
        try:
            allow(caller.key, self._app.targets.resolve(name))
        except PointsmanError:
            return False
        return True

    def _card(self, name: str) -> dict[str, Any]:
        """A model as OpenAI's clients read it, and as Anthropic's do."""
        started = datetime.fromtimestamp(self._app.started_s, UTC)
        return {
            "id": name, "object": "model", "created": self._app.started_s, "owned_by": "pointsman",
            "type": "model", "display_name": name, "created_at": started,
            "operations": sorted(self._app.targets.resolve(name).operations),
        }  # fmt: skip

    async def _feedback(self, exchange: Exchange, caller: Caller) -> None:
        try:
            said = msgspec.json.decode(exchange.request.body, type=_FeedbackBody)
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"not a feedback: {error}", code="invalid_json") from None
        reference = said.trace or said.id
        if not reference:
            raise InvalidRequest("give `trace`, or the answer's `id`", param="trace")
        feedback, sent = self._app.feedback, exchange.request.headers.get(b"idempotency-key")
        key = said.key or (sent.decode("latin-1") if sent else None)
        if not feedback.remembered(reference, caller.tenant):
            await self._app.recall(reference, caller.tenant)
        record = feedback.add(
            reference, kind=said.kind, value=said.value, tenant=caller.tenant, key=key
        )
        answer = {"id": record.id, "object": "outcome", "trace": record.trace}
        warning = feedback.warning(said.kind)
        if warning is not None:
            answer["warning"] = warning
        exchange.respond(200, _JSON, msgspec.json.encode(answer))

    async def _healthz(self, exchange: Exchange) -> None:
        exchange.respond(200, _JSON, b'{"status":"ok"}')

    async def _readyz(self, exchange: Exchange) -> None:
        ready, parts = self._app.readiness()
        body = msgspec.json.encode({"status": "ready" if ready else "not ready", **parts})
        exchange.respond(200 if ready else 503, _JSON, body)

    async def _metrics(self, exchange: Exchange) -> None:
        exchange.respond(200, _TEXT, await self._app.scrape())


def _doorkeeper(config: Configuration) -> Doorkeeper:
    return Doorkeeper(
        config.keys,
        config.server,
        bounds_of=config.bounds_of,
        virtual=config.virtual_keys.enabled,
    )


def _full(running: int) -> Overloaded:
    """The newest is turned away, before it is read: those that run go on."""
    return Overloaded(
        "the gateway answers as many requests as it may",
        why=f"{running} are running",
        next="come back shortly, or raise server.max_in_flight",
        retry_after_s=1.0,
    )


def _subject(headers: dict[bytes, bytes], fields: dict[str, msgspec.Raw]) -> str | None:
    """The person whose words these are: our header, else OpenAI's fields; None: nobody said."""
    named = headers.get(b"x-pointsman-subject")
    if named:
        return named.decode("utf-8", "replace")
    return subject_in(fields)


def _session(headers: dict[bytes, bytes]) -> str | None:
    """The conversation that a request is of, by the first header that names it."""
    if _ANY_SESSION.isdisjoint(headers):
        return None
    for name in _SESSIONS:
        raw = headers.get(name)
        if raw and len(raw) <= 128:
            return raw.decode("latin-1")
    return None
