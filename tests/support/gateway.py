"""A real gateway on a free port, in a thread of this process, and a plain client for its bytes."""

import asyncio
import http.client
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop

from pointsman.app import Application
from pointsman.domain.identity import Found
from pointsman.domain.money import Price
from pointsman.domain.portfolio import Deployment, Limits
from pointsman.domain.task import (
    Configuration,
    GateSpec,
    JournalSettings,
    Key,
    PromptVersion,
    Route,
    ServerSettings,
    Task,
    VerifierSpec,
)
from pointsman.gateway.door import Door
from pointsman.gateway.http_server import HttpServer
from pointsman.journal import JournalReader

DEFAULT_GATE = "verified && finish_reason != 'length'"


def a_deployment(name: str, base_url: str, **changes: Any) -> Deployment:
    settings: dict[str, Any] = {
        "model": f"{name}-model@f16",
        "served_name": f"{name}-model",
        "price": Price(input_usd_picos=1_000_000, output_usd_picos=2_000_000),
        "limits": Limits(
            connect_timeout_s=5, first_token_timeout_s=5, between_tokens_timeout_s=5, timeout_s=20
        ),
        **changes,
    }
    return Deployment(name=name, base_url=base_url, **settings)


def a_config(
    path: Path,
    deployments: Sequence[Deployment],
    *,
    steps: Sequence[str] | None = None,
    gate: str | None = DEFAULT_GATE,
    fallbacks: Sequence[str] = (),
    verifiers: Sequence[VerifierSpec] = (),
    prompt: str | None = None,
    keys: Sequence[Key] = (),
    task: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    server: Mapping[str, Any] | None = None,
    journal: Mapping[str, Any] | None = None,
) -> Configuration:
    """One task `work` by one route `main` over the deployments, cheapest first."""
    gate_spec = GateSpec(accept=gate) if gate else None
    main = Route(
        name="main",
        steps=tuple(steps or [item.name for item in deployments]),
        gate=gate_spec,
        fallbacks=tuple(fallbacks),
        **(route or {}),
    )
    version = (
        PromptVersion(name="work", version="v1", digest="0123456789ab", system=prompt)
        if prompt
        else None
    )
    work = Task(
        name="work", route="main", prompt=version, verifiers=tuple(verifiers), **(task or {})
    )
    return Configuration(
        digest="c0ffee",
        deployments={item.name: item for item in deployments},
        routes={"main": main},
        tasks={"work": work},
        prompts={},
        aliases={"gpt-4o": "task:work"},
        default="task:work",
        keys=tuple(keys),
        server=ServerSettings(port=0, **(server or {})),
        journal=JournalSettings(path=str(path), **(journal or {})),
    )


@dataclass
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True  # False: the connection broke before the end

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        """Payloads of `data:` lines, in order."""
        lines = self.body.decode().splitlines()
        return [line[6:] for line in lines if line.startswith("data: ")]

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        """The streamed content, put together."""
        return "".join(
            choice["delta"].get("content") or ""
            for chunk in self.chunks
            for choice in chunk.get("choices", ())
        )


async def _not_asked(deployment: Deployment) -> Found | None:
    return None


@dataclass
class RunningGateway:
    """Application and door in a thread; stop it by leaving the `with`."""

    config: Configuration
    identifies: bool = False  # True: engines are asked what they serve, beside their scripts
    port: int = 0
    app: Application | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the gateway did not start"
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the gateway did not stop"

    def _run(self) -> None:
        try:
            uvloop.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.app = Application(self.config)
        if not self.identifies:
            self.app.identities.ask = _not_asked
        try:
            await self.app.start()
            door = Door(self.app)
            server = HttpServer(door, lines=door.lines, spools=door.spools)
            self.app.in_flight = lambda: server.in_flight
            addresses = await server.start("127.0.0.1", 0)
            self.port = addresses[0][1]
            self._ready.set()
            await self._stop.wait()
            await server.drain(5)
        finally:
            await self.app.stop()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own; a broken-off answer is given as it came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, payload, dict(headers or {}))
            response = connection.getresponse()
            whole = True
            try:
                data = response.read()
            except http.client.IncompleteRead as broken:
                data, whole = broken.partial, False
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, data, whole)
        finally:
            connection.close()

    def chat(self, text: str = "hello", *, headers: Any = None, **fields: Any) -> Answer:
        """One chat completion of the task `work` unless a model is named."""
        body = {"model": "task:work", "messages": [{"role": "user", "content": text}], **fields}
        return self.request("POST", "/v1/chat/completions", body, headers)

    def rows(self, query: str = "requests", **params: Any) -> list[dict[str, Any]]:
        """Rows of a named query over this gateway's journal."""
        with JournalReader(self.config.journal.path) as reader:
            return list(reader.query(query, params))
