"""One good stream in every dress that the formats allow: scripts by name."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from pointsman.testing import STREAM_HEAD, Play, Received, Step, chunk
from tests.conformance import engine
from tests.conformance.ordinary import plain

Dress = Callable[[list[bytes]], list[bytes]]  # payloads to the pieces of the body, one write each
_CLOSED_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
_CASED_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nCONTENT-TYPE:text/event-stream; charset=UTF-8\r\n"
    b"Transfer-Encoding:  chunked\r\n\r\n"
)
_INTERIM: Final = b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"


def _dressed(
    dress: Dress, *, head: bytes = STREAM_HEAD, chunked: bool = True, extension: bytes = b""
) -> Callable[[Received], Play]:
    def script(received: Received) -> Play:
        if not engine.wants_stream(received):
            return plain(received)
        payloads = [*engine.encoded(engine.frames(received)), b"[DONE]"]
        steps = [Step(data=head)]
        for piece in dress(payloads):
            data = chunk(piece) if chunked else piece
            if extension:
                data = data.replace(b"\r\n", extension + b"\r\n", 1)
            steps.append(Step(data=data))
        if chunked:
            steps.append(Step(data=b"0\r\n\r\n"))
        return Play(steps=tuple(steps), then="keep" if chunked else "close")

    return script


def _lines(end: bytes, before: bytes = b"data: ") -> Dress:
    return lambda payloads: [before + each + end + end for each in payloads]


def _in_pieces(size: int) -> Dress:
    def dress(payloads: list[bytes]) -> list[bytes]:
        body = b"".join(_lines(b"\n")(payloads))
        return [body[at : at + size] for at in range(0, len(body), size)]

    return dress


def _at_random(seed: int, end: bytes = b"\n") -> Dress:
    """Split wherever a die says; the same each time."""

    def dress(payloads: list[bytes]) -> list[bytes]:
        die, left = random.Random(seed), b"".join(_lines(end)(payloads))
        pieces = []
        while left:
            size = die.choice((1, 2, 5, die.randrange(1, 200)))
            pieces.append(left[:size])
            left = left[size:]
        return pieces

    return dress


def _at_once(payloads: list[bytes]) -> list[bytes]:
    return [b"".join(_lines(b"\n")(payloads))]


def _two_lines(payloads: list[bytes]) -> list[bytes]:
    """Each object over two `data:` lines, parted where JSON allows space."""
    return [b"data: " + each.replace(b",", b",\ndata: ", 1) + b"\n\n" for each in payloads]


def _commented(payloads: list[bytes]) -> list[bytes]:
    return [b": keep-alive\n\n:\n\ndata: " + each + b"\n\n: x\n\n" for each in payloads]


def _with_fields(payloads: list[bytes]) -> list[bytes]:
    return [
        b"id: %d\nevent: message\nretry: 100\nunknown: x\ndata: %b\n\n" % (at, each)
        for at, each in enumerate(payloads)
    ]


def _marked(payloads: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf", *_lines(b"\n")(payloads)]


def _empty_events(payloads: list[bytes]) -> list[bytes]:
    return [b"data:\n\ndata: \n\n\n\ndata: " + each + b"\n\n" for each in payloads]


def _after_done(payloads: list[bytes]) -> list[bytes]:
    return [*_lines(b"\n")(payloads), b"data: " + payloads[1] + b"\n\n"]


FRAMINGS: Final[Mapping[str, Callable[[Received], Play]]] = {
    "in-one-piece": _dressed(_at_once),
    **{f"in-pieces-of-{size}": _dressed(_in_pieces(size)) for size in (1, 2, 3, 7, 100)},
    **{f"in-random-pieces-{seed}": _dressed(_at_random(seed)) for seed in range(1, 4)},
    "crlf-in-random-pieces": _dressed(_at_random(4, b"\r\n")),
    "crlf": _dressed(_lines(b"\r\n")),
    "cr": _dressed(_lines(b"\r")),
    "crlf-in-pieces-of-1": _dressed(
        lambda payloads: [bytes([each]) for each in b"".join(_lines(b"\r\n")(payloads))]
    ),
    "no-space": _dressed(_lines(b"\n", b"data:")),
    "two-data-lines": _dressed(_two_lines),
    "comments": _dressed(_commented),
    "other-fields": _dressed(_with_fields),
    "byte-order-mark": _dressed(_marked),
    "empty-events": _dressed(_empty_events),
    "data-after-done": _dressed(_after_done),
    "to-the-close": _dressed(_lines(b"\n"), head=_CLOSED_HEAD, chunked=False),
    "odd-head": _dressed(_lines(b"\n"), head=_CASED_HEAD),
    "chunk-extensions": _dressed(_lines(b"\n"), extension=b";ieof=1"),
    "early-hints": _dressed(_lines(b"\n"), head=_INTERIM + STREAM_HEAD),
}
