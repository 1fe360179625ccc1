"""The routes of the gateway: which path is which surface. Translates; decides nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from pointsman.answering.asked import Asked
from pointsman.answering.targets import allow
from pointsman.app import Application
from pointsman.domain.errors import (
    InvalidRequest,
    JournalUnavailable,
    MethodNotAllowed,
    NotFound,
    PointsmanError,
)
from pointsman.gateway.auth import Caller, Doorkeeper
from pointsman.gateway.chat import ChatSink, parse_chat
from pointsman.gateway.errors import error_head, error_object
from pointsman.gateway.http_server import Exchange

log = logging.getLogger("pointsman.gateway")
_JSON = [(b"content-type", b"application/json")]
_TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_ASKS_FIRST = b"access-control-request-method"
Surface = Callable[[Exchange, Caller], Awaitable[None]]


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
        self._keeper = Doorkeeper(app.config.keys, app.config.server)
        self._origins = self._keeper.origins
        self._feedback_queries = asyncio.Semaphore(1)
        self._surfaces: dict[str, dict[str, Surface]] = {
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/models": {"GET": self._models},
            "/v1/feedback": {"POST": self._feedback},
        }
        # Never behind a key, never a call of a model: what probes and scrapers ask.
        self._open: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def __call__(self, exchange: Exchange) -> None:
        """Handle one exchange; every expected trouble becomes an OpenAI-shaped error."""
        try:
            request = exchange.request
            probe = self._open.get(request.path)
            if probe is not None and request.method in ("GET", "HEAD"):
                return await probe(exchange)
            if request.method == "OPTIONS" and _ASKS_FIRST in request.headers:
                return self._preflight(exchange)
            surface = self._find(request.method, request.path)
            await surface(exchange, self._admit(request.headers))
        except PointsmanError as error:
            if isinstance(error, JournalUnavailable):
                log.error("journal unavailable: %s", error.why)
            if exchange.started:
                exchange.abort()
            else:
                exchange.respond(error.status, error_head(error), error_object(error))

    def lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Header lines for every answer, whoever gives it: which pages may read it."""
        if self._config is not self._app.config:
            self._renew()
        return self._origins.lines(headers)

    def _admit(self, headers: dict[bytes, bytes]) -> Caller:
        if self._config is not self._app.config:
            self._renew()
        return self._keeper.admit(headers)

    def _renew(self) -> None:
        """Keys and origins change with the configuration."""
        self._config = self._app.config
        self._keeper = Doorkeeper(self._config.keys, self._config.server)
        self._origins = self._keeper.origins

    def _preflight(self, exchange: Exchange) -> None:
        """A browser asks whether a page may ask; it sends no key with that."""
        self._origins.check(exchange.request.headers)
        path = exchange.request.path
        methods = self._surfaces.get(path) or self._surfaces.get("/v1" + path) or ("GET",)
        head = self._origins.preflight(exchange.request.headers, tuple(methods))
        exchange.respond(204, head, b"")

    def _find(self, method: str, path: str) -> Surface:
        methods = self._surfaces.get(path) or self._surfaces.get("/v1" + path)
        if methods is None and method == "GET" and path.startswith("/v1/models/"):
            return self._model
        if methods is None:
            raise NotFound(
                f"no such path {path[:200]!r}",
                next="this server answers " + ", ".join(self._surfaces),
                code="unknown_path",
            )
        surface = methods.get(method)
        if surface is None:
            raise MethodNotAllowed(f"{path} takes {' or '.join(methods)}, not {method}")
        return surface

    async def _chat(self, exchange: Exchange, caller: Caller) -> None:
        request = parse_chat(exchange.request.body)
        target = self._app.targets.resolve(request.model)
        allow(caller.key, target)
        asked = Asked(
            request=request,
            body=exchange.request.body,
            target=target,
            tenant=caller.tenant,
            principal=caller.principal,
            surface="chat",
            arrived=exchange.request.arrived,
            session=_session(exchange.request.headers),
            subject=_subject(exchange.request.headers, request.fields),
        )
        await self._app.answering.answer(asked, ChatSink(exchange))

    async def _models(self, exchange: Exchange, caller: Caller) -> None:
        names = [name for name in self._app.targets.names() if self._may_ask(caller, name)]
        data = [self._card(name) for name in names]
        exchange.respond(200, _JSON, msgspec.json.encode({"object": "list", "data": data}))

    async def _model(self, exchange: Exchange, caller: Caller) -> None:
        name = exchange.request.path.removeprefix("/v1/models/")
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
        return {
            "id": name, "object": "model", "created": self._app.started_s,
            "owned_by": "pointsman",
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
            async with self._feedback_queries:  # one query at a time, off the loop
                await asyncio.to_thread(feedback.recall, [reference])
        record = feedback.add(
            reference, kind=said.kind, value=said.value, tenant=caller.tenant, key=key
        )
        answer = {"id": record.id, "object": "outcome", "trace": record.trace}
        exchange.respond(200, _JSON, msgspec.json.encode(answer))

    async def _healthz(self, exchange: Exchange) -> None:
        exchange.respond(200, _JSON, b'{"status":"ok"}')

    async def _readyz(self, exchange: Exchange) -> None:
        ready, parts = self._app.readiness()
        body = msgspec.json.encode({"status": "ready" if ready else "not ready", **parts})
        exchange.respond(200 if ready else 503, _JSON, body)

    async def _metrics(self, exchange: Exchange) -> None:
        text = await asyncio.to_thread(self._app.metrics.text)
        exchange.respond(200, _TEXT, text)


def _subject(headers: dict[bytes, bytes], fields: dict[str, msgspec.Raw]) -> str | None:
    """The person whose words these are: our header, else OpenAI's fields; None: nobody said."""
    named = headers.get(b"x-pointsman-subject")
    if named:
        return named.decode("utf-8", "replace")
    for name in ("safety_identifier", "user"):
        raw = fields.get(name)
        if raw is not None:
            said = msgspec.json.decode(raw)
            if isinstance(said, str) and said:
                return said
    return None


def _session(headers: dict[bytes, bytes]) -> str | None:
    raw = headers.get(b"x-session-id") or headers.get(b"x-conversation-id")
    if raw is None or len(raw) > 128:
        return None
    return raw.decode("latin-1")
