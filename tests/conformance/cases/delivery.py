"""Clients that vanish, dawdle, hurry or speak oddly: what reaches them, what the upstream sees."""

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

from tests.conformance.bench import Asking, Bench, Case, check_good, check_text, read
from tests.conformance.contents import FLOOD_BYTES, FLOOD_EVENTS, FLOOD_PIECE
from tests.conformance.matching import Absent, check
from tests.conformance.surfaces import BY_NAME, SURFACES, Surface
from tests.conformance.wire import Line

_CHAT: Final = BY_NAME["chat"]
_CANCEL_S: Final = 20.0  # well under the minute for which `conformance-patient` waits
Manner = Literal["closes", "resets"]


def cases() -> Iterator[Case]:
    """Hang-ups at every stage, slow readers, and the ways of speaking HTTP."""
    for surface in SURFACES:
        for stream in (False, True) if surface.stream else (False,):
            label = surface.label(stream=stream)
            for manner in ("closes", "resets"):
                run = partial(_vanishes, surface=surface, stream=stream, manner=manner)
                shape = f"client-{manner}-waiting"
                yield Case(group="delivery", shape=shape, surface=label, run=run)
            if stream:
                run = partial(_vanishes_later, surface=surface)
                shape = "client-closes-reading"
                yield Case(group="delivery", shape=shape, surface=label, run=run)
            run = partial(_dribbled, surface=surface, stream=stream)
            yield Case(group="delivery", shape="request-in-pieces", surface=label, run=run)
            run = partial(_chunked_request, surface=surface, stream=stream)
            yield Case(group="delivery", shape="request-chunked", surface=label, run=run)
            run = partial(_half_closed, surface=surface, stream=stream)
            yield Case(group="delivery", shape="client-half-closes", surface=label, run=run)
            run = partial(_old, surface=surface, stream=stream)
            yield Case(group="delivery", shape="http-1.0", surface=label, run=run)
        run = partial(_kept, surface=surface)
        yield Case(group="delivery", shape="keep-alive", surface=surface.name, run=run)
    run = partial(_slow_reader, model="patient")
    yield Case(group="delivery", shape="slow-reader", surface="chat stream", run=run)
    yield Case(group="delivery", shape="pipelined", surface="chat", run=_pipelined)
    yield Case(group="delivery", shape="expect-continue", surface="chat", run=_expecting)
    yield Case(group="delivery", shape="kept-after-an-error", surface="chat", run=_kept_after)
    yield Case(group="delivery", shape="upstream-closes-idle", surface="chat", run=_stale)
    yield Case(group="delivery", shape="stream-headers", surface="chat stream", run=_headers)
    yield Case(group="delivery", shape="one-after-a-hang-up", surface="chat", run=_after_hang_up)


def _waiting(bench: Bench, surface: Surface, *, stream: bool) -> tuple[Asking, Line]:
    """A request whose upstream says nothing, once it has got there."""
    _look_for_patient(bench)
    asking = bench.asking(surface, "silence", stream=stream, model=bench.names.patient)
    line = bench.line()
    line.send(bench.rendered(asking))
    bench.upstream.wait(asking.token)
    return asking, line


def _look_for_patient(bench: Bench) -> None:
    answer = bench.ask(bench.asking(_CHAT, model=bench.names.patient))
    if answer.status == 404:
        raise Absent(f"the model {bench.names.patient!r} is not configured")


def _check_cancelled(bench: Bench, asking: Asking) -> None:
    [received] = bench.seen(asking)
    check(received.cancelled.wait(_CANCEL_S), "the upstream goes on for a client that is gone",
          expected="the connection to the upstream closes")  # fmt: skip


def _vanishes(bench: Bench, *, surface: Surface, stream: bool, manner: Manner) -> None:
    """Before the first word."""
    asking, line = _waiting(bench, surface, stream=stream)
    if manner == "closes":
        line.close()
    else:
        line.reset()
    _check_cancelled(bench, asking)


def _vanishes_later(bench: Bench, *, surface: Surface) -> None:
    """Between words."""
    _look_for_patient(bench)
    shape = "stall-between-tokens"
    asking = bench.asking(surface, shape, stream=True, model=bench.names.patient)
    with bench.line() as line:
        line.send(bench.rendered(asking))
        line.read_until("Grüße".encode())
    _check_cancelled(bench, asking)


def _after_hang_up(bench: Bench) -> None:
    """A connection that was cut in the middle of an answer does no harm to the next request."""
    for _ in range(5):
        _, line = _waiting(bench, _CHAT, stream=True)
        line.reset()
        check_good(bench, None, _CHAT)


def _stale(bench: Bench) -> None:
    """A kept connection that the engine has closed meanwhile is not the client's trouble."""
    for at in range(10):
        for shape in ("closes-after", "plain"):
            stream = at % 2 == 1
            answer = bench.ask(bench.asking(_CHAT, shape, stream=stream))
            check_text(_CHAT, answer, stream=stream)


def _headers(bench: Bench) -> None:
    """Nothing between may keep a stream back, nor any part of it."""
    answer = bench.ask(bench.asking(_CHAT, stream=True))
    told = answer.header("x-accel-buffering")
    check(told == "no", "proxies may hold the stream back",
          expected="x-accel-buffering: no", got=answer.raw[:500])  # fmt: skip
    length = answer.header("content-length")
    check(length is None, "a length for a stream that has none yet", got=answer.raw[:500])


def _slow_reader(bench: Bench, *, model: str) -> None:
    """A client that stops reading stops the upstream; what it reads later is all of it."""
    _look_for_patient(bench)
    name = getattr(bench.names, model)
    asking = bench.asking(_CHAT, "flood", stream=True, model=name)
    with bench.line(receive_bytes=64 * 1024) as line:
        line.send(bench.rendered(asking))
        line.read_until(b"flood")
        received = bench.upstream.wait(asking.token)
        sent, since, start = -1, time.monotonic(), time.monotonic()
        while time.monotonic() - since < 1.5 and time.monotonic() - start < 15:
            if received.sent != sent:
                sent, since = received.sent, time.monotonic()
            time.sleep(0.05)
        check(not received.answered.is_set() and sent < FLOOD_BYTES * 3 // 4,
              "the upstream is not slowed down: the gateway holds what the client does not read",
              expected=f"less than {FLOOD_BYTES * 3 // 4} bytes taken", got=sent)  # fmt: skip
        answer = read(line)
    assert _CHAT.stream is not None
    said = _CHAT.stream(answer)
    check(said.ended, "the mark of a whole answer is missing", got=answer.raw[-300:])
    check(said.text == FLOOD_PIECE * FLOOD_EVENTS, "another text",
          expected=f"{len(FLOOD_PIECE) * FLOOD_EVENTS} characters", got=len(said.text))  # fmt: skip


def _kept(bench: Bench, *, surface: Surface) -> None:
    """Several requests on one connection, whole and streamed by turns."""
    with bench.line() as line:
        for at in range(4):
            stream = surface.stream is not None and at % 2 == 1
            check_good(bench, line, surface, stream=stream)
        check(not line.unread, "bytes that belong to no answer", got=line.unread)


def _pipelined(bench: Bench) -> None:
    """Requests sent ahead are answered in their order."""
    shapes = ("length", "plain", "escapes", "plain")
    asked = [bench.asking(_CHAT, shape) for shape in shapes]
    expected = [_text(bench, shape) for shape in shapes]
    with bench.line() as line:
        line.send(b"".join(bench.rendered(asking) for asking in asked))
        got = []
        for _ in shapes:
            answer = read(line)
            check(answer.status == 200, "another status", expected=200, got=answer.raw)
            got.append(_CHAT.said(answer.json))
    check(got == expected, "another order", expected=expected, got=got)


def _text(bench: Bench, shape: str) -> str:
    return _CHAT.said(bench.ask(bench.asking(_CHAT, shape)).json)


def _kept_after(bench: Bench) -> None:
    """An error ends no connection, unless it says so."""
    with bench.line() as line:
        line.send(bench.render("POST", bench.root + _CHAT.path, b"{not json"))
        answer = read(line)
        check(answer.status == 400, "another status", expected=400, got=answer.raw)
        if (answer.header("connection") or "").lower() == "close":
            check(line.ended(), "`connection: close` was said, and it stays open")
        else:
            check_good(bench, line, _CHAT)


def _expecting(bench: Bench) -> None:
    """`Expect: 100-continue` is answered by one, and the body is read after it."""
    asking = bench.asking(_CHAT)
    head, _, body = bench.rendered(asking, {"expect": "100-continue"}).partition(b"\r\n\r\n")
    with bench.line() as line:
        line.send(head + b"\r\n\r\n")
        told = line.read_until(b"\r\n\r\n")
        check(told.startswith(b"HTTP/1.1 100"), "no invitation",
              expected=b"HTTP/1.1 100 Continue", got=told)  # fmt: skip
        line.send(body)
        check_text(_CHAT, read(line), stream=False)


def _dribbled(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """Any split of the request's bytes is the same request."""
    data = bench.rendered(bench.asking(surface, stream=stream))
    with bench.line() as line:
        for at in range(0, len(data), 7):
            line.send(data[at : at + 7])
        check_text(surface, read(line), stream=stream)


def _chunked_request(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """A body whose length was not known beforehand."""
    asking = bench.asking(surface, stream=stream)
    head, _, body = bench.rendered(asking).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    pieces = [body[at : at + 10] for at in range(0, len(body), 10)]
    data = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    with bench.line() as line:
        head = b"\r\n".join([*lines, b"transfer-encoding: chunked"])
        line.send(head + b"\r\n\r\n" + data + b"0\r\n\r\n")
        check_text(surface, read(line), stream=stream)


def _half_closed(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """A client that has said everything still gets its answer."""
    with bench.line() as line:
        line.send(bench.rendered(bench.asking(surface, stream=stream)))
        line.half_close()
        check_text(surface, read(line), stream=stream)


def _old(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """HTTP/1.0: no chunks, and the connection's end is the answer's."""
    data = bench.rendered(bench.asking(surface, stream=stream))
    with bench.line() as line:
        line.send(data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        answer = read(line)
        chunked = answer.header("transfer-encoding")
        check(chunked is None, "chunks for a client that does not know them", got=answer.raw)
        check(json.dumps(answer.status) == "200", "another status", expected=200, got=answer.raw)
        check_text(surface, answer, stream=stream)
        check(line.ended(), "the connection stays open")
