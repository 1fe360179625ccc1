"""Faults after the first words of a stream were shown: scripts by name."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from pointsman.testing import STREAM_HEAD, Play, Received, Step, Then, chunk, cut
from tests.conformance import engine
from tests.conformance.ordinary import good, plain

SHOWN: Final = engine.PIECES[:4]  # what the client has been given when the fault comes
SHOWN_TEXT: Final = "".join(SHOWN)
OVERSIZE_BYTES: Final = 3 * 1024 * 1024  # of one line, over the bound of 1 MiB


def _after(fault: bytes, then: Then = "close") -> Callable[[Received], Play]:
    """The first words, each in a chunk and a write of its own, then these bytes."""

    def script(received: Received) -> Play:
        if not engine.wants_stream(received):
            return plain(received)
        events = engine.encoded(engine.frames(received, SHOWN, end=False))
        steps = [Step(data=STREAM_HEAD)]
        steps += [Step(data=chunk(b"data: " + each + b"\n\n")) for each in events]
        # a pause: the words before are on their way when the fault comes
        steps.append(Step(data=fault, after_s=0.05))
        return Play(steps=tuple(steps), then=then)

    return script


def cut_after(shape: str) -> Callable[[Received], Play] | None:
    """The ordinary answer, ended after so many thousandths of its bytes: `cut-at-250`."""
    found = re.fullmatch(r"cut-at-(\d{1,3})", shape)
    if found is None:
        return None

    def script(received: Received) -> Play:
        play = good(received)
        size = sum(len(step.data) for step in play.steps)
        return cut(lambda _: play, size * int(found[1]) // 1000)(received)

    return script


_ERROR: Final = b'{"error":{"message":"engine died","type":"InternalServerError","code":500}}'

LATE: Final[Mapping[str, Callable[[Received], Play]]] = {
    "ends-without-done": _after(b"0\r\n\r\n"),
    "cut": _after(b""),
    "cut-inside-event": _after(b'40\r\ndata: {"id":"chatcmpl-c0","cho'),
    "late-reset": _after(b"", "reset"),
    "stall-between-tokens": _after(b"", "hang"),
    "malformed-chunk": _after(chunk(b'data: {"choices": [{"index":0,\n\n'), "hang"),
    "chunk-not-object": _after(chunk(b"data: 17\n\n"), "hang"),
    "error-object": _after(chunk(b"data: " + _ERROR + b"\n\n") + chunk(b"data: [DONE]\n\n"),
                           "hang"),
    "error-event": _after(chunk(b"event: error\ndata: " + _ERROR + b"\n\n"), "hang"),
    "late-bad-framing": _after(b"zz\r\ndata: [DONE]\n\n\r\n", "hang"),
    "oversize-line": _after(chunk(b'data: {"choices":[{"index":0,"delta":{"content":"'
                                  + b"a" * OVERSIZE_BYTES), "hang"),
}  # fmt: skip
