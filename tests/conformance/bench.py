"""One gateway under examination: how to ask it, and what its upstream saw meanwhile."""

import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pointsman.testing import Received
from tests.conformance.engine import JsonObject
from tests.conformance.matching import Absent, Mismatch, check
from tests.conformance.surfaces import Surface
from tests.conformance.upstream import Upstream, mark
from tests.conformance.wire import Answer, Broken, Line, render


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the gateway's configuration calls things; the defaults are those of the page."""

    model: str = "conformance"  # one deployment: the upstream
    refused: str = "conformance-refused"  # one deployment: the port that refuses
    fallback: str = "conformance-fallback"  # `first`, and where that fails `second`
    bounded: str = "conformance-bounded"  # the upstream, answers of at most 1 MiB
    guarded: str = "conformance-guarded"  # as fallback, with a rule against what is forbidden
    patient: str = "conformance-patient"  # the upstream, waited for at least a minute
    live: str = "/healthz"
    ready: str = "/readyz"
    max_body_bytes: int = 4 * 1024 * 1024

    @property
    def optional(self) -> tuple[str, ...]:
        """Models that a gateway need not have."""
        return (self.refused, self.fallback, self.bounded, self.patient, self.guarded)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The gateway's address and key, the upstream behind it, and a way to ask."""

    url: str  # with /v1
    upstream: Upstream
    names: Names = Names()
    key: str | None = None
    heard: Callable[[Answer], None] | None = None  # told of every answer that was read

    @property
    def root(self) -> str:
        """The path of the base URL, `/v1`."""
        return urlsplit(self.url).path.rstrip("/")

    def line(self, *, receive_bytes: int | None = None) -> Line:
        """A connection of its own."""
        return Line(self.url, receive_bytes=receive_bytes, heard=self.heard)

    def auth(self) -> dict[str, str]:
        """The headers that say who asks."""
        return {} if self.key is None else {"authorization": f"Bearer {self.key}"}

    def render(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """A request with the key; `path` is whole."""
        kind = {} if body is None else {"content-type": "application/json"}
        return render(
            method,
            path,
            urlsplit(self.url).netloc,
            {**kind, **self.auth(), **(headers or {})},
            body,
        )

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange on a connection of its own. Raises: Mismatch where no answer comes."""
        with self.line() as line:
            with contextlib.suppress(OSError):  # refused early: the answer may be there yet
                line.send(self.render(method, path, body, headers))
            return read(line, method)

    def rendered(self, asking: "Asking", headers: Mapping[str, str] | None = None) -> bytes:
        """The bytes of a request to a surface."""
        more = {**asking.surface.headers, **(headers or {})}
        return self.render("POST", self.root + asking.surface.path, asking.body, more)

    def ask(self, asking: "Asking", headers: Mapping[str, str] | None = None) -> Answer:
        """One exchange with a surface. Raises: Absent where the gateway does not have it."""
        more = {**asking.surface.headers, **(headers or {})}
        answer = self.request("POST", self.root + asking.surface.path, asking.body, more)
        if asking.model in self.names.optional and answer.status == 404:
            raise Absent(f"the model {asking.model!r} is not configured")
        return answer

    def asking(
        self,
        surface: Surface,
        shape: str = "plain",
        *,
        stream: bool = False,
        model: str | None = None,
        **fields: object,
    ) -> "Asking":
        """A request to a surface whose upstream will play the shape."""
        token = secrets.token_hex(8)
        model = model or self.names.model
        body: JsonObject = {
            "model": model,
            **surface.body(f"{mark(shape, token)} Say good morning."),
        }
        if stream:
            body["stream"] = True
        encoded = json.dumps({**body, **fields}, ensure_ascii=False).encode()
        return Asking(surface=surface, token=token, model=model, body=encoded)

    def seen(self, asking: "Asking") -> list[Received]:
        """What the upstream was sent for it."""
        return self.upstream.seen(asking.token)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One request to be sent."""

    surface: Surface
    token: str
    model: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cell of the table: a shape on a surface, and what must come of it."""

    group: str
    shape: str
    surface: str  # as the table names it: `chat`, `chat stream`, `door`
    run: Callable[[Bench], None]  # raises Mismatch, Absent, Broken

    @property
    def name(self) -> str:
        """What `--only` and the tests call it."""
        return f"{self.group}/{self.shape}/{self.surface.replace(' ', '-')}"


def read(line: Line, method: str = "POST") -> Answer:
    """The next answer of a connection. Raises: Mismatch where none comes."""
    try:
        return line.answer(method)
    except Broken as broken:
        raise Mismatch(f"no answer: {broken}", expected="an answer", got=broken.raw) from None


def check_good(bench: Bench, line: Line | None, surface: Surface, *, stream: bool = False) -> None:
    """An ordinary request is answered in the ordinary way. Raises: Mismatch."""
    asking = bench.asking(surface, stream=stream)
    if line is None:
        answer = bench.ask(asking)
    else:
        line.send(bench.rendered(asking))
        answer = read(line)
    check_text(surface, answer, stream=stream)


def check_text(surface: Surface, answer: Answer, *, stream: bool) -> None:
    """An answer holds the ordinary text, whole. Raises: Mismatch."""
    check(answer.status == 200, "another status", expected=200, got=answer.raw)
    check(answer.whole, "the answer is cut", got=answer.raw[-300:])
    expected = ORDINARY[surface.name]
    if stream:
        assert surface.stream is not None
        said = surface.stream(answer)
        check(said.error is None, "an error", got=said.error)
        check(said.text == expected, "another text", expected=expected, got=said.text)
        check(said.ended, "the mark of a whole answer is missing", got=answer.raw[-300:])
        return
    try:
        text = surface.said(answer.json)
    except (ValueError, LookupError, TypeError):
        raise Mismatch("not the form of an answer", got=answer.raw) from None
    check(text == expected, "another text", expected=expected, got=text)


ORDINARY: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("chat", "completions", "responses", "messages"), "Good morning, Grüße 👋 日本."
    ),
    "embeddings": "[1.0, 0.5]",
    "rerank": "[2, 1, 0]",
}
