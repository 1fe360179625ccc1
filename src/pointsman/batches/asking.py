"""One line of a batch, asked as its maker would ask it at the door."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from pointsman.answering.asked import Asked, Clock
from pointsman.answering.shell import Answering
from pointsman.answering.sink import Headers
from pointsman.answering.targets import Targets, allow
from pointsman.batches.lines import Line
from pointsman.batches.makers import Caller
from pointsman.domain.errors import InvalidRequest, PointsmanError
from pointsman.domain.messages import ModelRequest
from pointsman.surfaces.subjects import subject_in
from pointsman.surfaces.surface import Surface


class Given(NamedTuple):
    """What a line was answered with."""

    status: int
    request_id: str
    body: bytes
    retry_after_s: float | None = None


class LineSink:
    """Implements the port `Sink` in memory, for an answer that is not streamed."""

    def __init__(self, surface: Surface, request: ModelRequest) -> None:
        self._surface = surface
        self._writer = surface.writer(request)
        self.given: Given | None = None

    def whole(self, headers: Headers, body: bytes) -> None:
        self.given = Given(200, _request_id(headers), self._writer.whole(body))

    def refuse(self, error: PointsmanError, headers: Headers) -> None:
        self.given = refused(self._surface, error, _request_id(headers))

    def held(self, headers: Headers, told: Mapping[str, object]) -> None:
        self.given = Given(202, _request_id(headers), msgspec.json.encode(told))

    def open_stream(self, headers: Headers) -> None:
        raise AssertionError("no line is streamed")

    def events(self, payloads: Sequence[bytes]) -> None:
        raise AssertionError("no line is streamed")

    def comment(self) -> None:
        """Nobody waits on the wire."""

    async def drained(self) -> None:
        """Memory takes everything."""

    def close_stream(self) -> None:
        raise AssertionError("no line is streamed")

    def break_stream(self, error: PointsmanError) -> None:
        self.given = refused(self._surface, error, "")


async def ask(
    line: Line,
    surface: Surface,
    caller: Caller,
    *,
    session: str,
    targets: Targets,
    answering: Answering,
    clock: Clock,
) -> Given:
    """The answer, an error as well: routed, let in, metered and written down as any request."""
    try:
        request = surface.parse(line.body)
        if request.stream:
            raise InvalidRequest(
                "a line of a batch is not streamed",
                next="leave `stream` out",
                param="stream",
                code="stream_in_batch",
            )
        target = targets.resolve(request.model)
        allow(caller.key, target)
        target.check(request.operation)
        sink = LineSink(surface, request)
        asked = Asked(
            request=request,
            body=line.body,
            target=target,
            tenant=caller.tenant,
            principal=caller.principal,
            surface=surface.name,
            arrived=clock.monotonic(),
            bounds=caller.bounds,
            team=caller.key.team if caller.key else None,
            session=session,
            subject=subject_in(request.fields),
        )
        await answering.answer(asked, sink)
    except PointsmanError as error:
        return refused(surface, error, "")
    assert sink.given is not None, "every request is answered or raises"
    return sink.given


def refused(surface: Surface, error: PointsmanError, request_id: str) -> Given:
    status, body = surface.error(error)
    return Given(status, request_id, body, error.retry_after_s)


def _request_id(headers: Headers) -> str:
    for name, value in headers:
        if name == b"x-pointsman-trace":
            return value.decode("latin-1")
    return ""
