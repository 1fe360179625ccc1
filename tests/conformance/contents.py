"""What models say besides text, and the odd ways in which engines say it: scripts by name.

Each is given as the objects of a stream and as one whole answer, so that what a client must see
can be derived from what was sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pointsman.testing import Play, Received, event_stream
from tests.conformance import engine
from tests.conformance.engine import JsonObject, delta, ending
from tests.conformance.ordinary import answer, first_only, good

_CHUNK: Final = {
    "id": "chatcmpl-c0", "object": "chat.completion.chunk", "created": engine.CREATED,
    "model": engine.SERVED,
}  # fmt: skip
_WHOLE: Final = {**_CHUNK, "object": "chat.completion"}


class Content(NamedTuple):
    """One thing to say: as a stream's objects, and whole."""

    stream: tuple[JsonObject, ...]
    whole: JsonObject | None = None


def chunk_of(*choices: JsonObject, **more: Any) -> JsonObject:
    """One object of the stream."""
    return {**_CHUNK, "choices": list(choices), **more}


def _said(*choices: JsonObject, reason: str = "stop", role: bool = True) -> tuple[JsonObject, ...]:
    first = [chunk_of(delta("", role="assistant"))] if role else []
    return (*first, *(chunk_of(each) for each in choices), chunk_of(ending(reason)))


def _answer(reason: str = "stop", **message: Any) -> JsonObject:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {**_WHOLE, "choices": [choice], "usage": engine.USAGE}


def _call(index: int | None, **more: Any) -> JsonObject:
    at = {} if index is None else {"index": index}
    return delta(tool_calls=[{**at, **more}])


def _opened(index: int | None, name: str) -> JsonObject:
    function = {"name": name, "arguments": ""}
    return _call(index, id=f"call_{name}", type="function", function=function)


def _argued(index: int | None, said: str) -> JsonObject:
    return _call(index, function={"arguments": said})


def _tool(name: str, arguments: str) -> JsonObject:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{name}", "type": "function", "function": function}


def _scored(piece: str, logprob: float) -> JsonObject:
    token = {"token": piece, "logprob": logprob, "bytes": list(piece.encode()), "top_logprobs": []}
    return {**delta(piece), "logprobs": {"content": [token], "refusal": None}}


_WEATHER, _TIME = '{"city": "Köln"}', '{"zone": "CET"}'
_TOOLS = _said(
    _opened(0, "weather"), _argued(0, '{"city": '), _argued(0, '"Köln"}'), reason="tool_calls"
)
_USED = {"usage": engine.USAGE}

CONTENT: Final[Mapping[str, Content]] = {
    "reasoning-content": Content(
        _said(delta(reasoning_content="Let me"), delta(reasoning_content=" see."), delta("4")),
        _answer(content="4", reasoning_content="Let me see."),
    ),
    "reasoning": Content(
        _said(delta(reasoning="Let me"), delta(reasoning=" see."), delta("4")),
        _answer(content="4", reasoning="Let me see."),
    ),
    "tool-call": Content(
        _TOOLS,
        _answer("tool_calls", content=None, tool_calls=[_tool("weather", _WEATHER)]),
    ),
    "tools-interleaved": Content(
        _said(_opened(0, "weather"), _opened(1, "time"), _argued(1, '{"zone": '),
              _argued(0, '{"city": '), _argued(1, '"CET"}'), _argued(0, '"Köln"}'),
              reason="tool_calls"),
        _answer("tool_calls", content=None,
                tool_calls=[_tool("weather", _WEATHER), _tool("time", _TIME)]),
    ),
    "tool-without-index": Content(
        _said(_opened(None, "weather"), _argued(None, _WEATHER), reason="tool_calls")
    ),
    "two-choices": Content(
        (chunk_of(delta("", role="assistant"), delta("", role="assistant", index=1)),
         chunk_of(delta("a")), chunk_of(delta("b", index=1)), chunk_of(delta("c", index=1)),
         chunk_of(ending(index=1)), chunk_of(delta("d")), chunk_of(ending("length"))),
        {**_WHOLE, "usage": engine.USAGE, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "ad"},
             "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": "bc"},
             "finish_reason": "stop"},
        ]},
    ),
    "logprobs": Content(
        _said(_scored("Good", -0.25), _scored(" morning", -1.5)),
        {**_WHOLE, "usage": engine.USAGE, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Good"},
             "logprobs": _scored("Good", -0.25)["logprobs"], "finish_reason": "stop"},
        ]},
    ),
    "refusal": Content(
        _said(delta(refusal="I can"), delta(refusal="not.")),
        _answer(content=None, refusal="I cannot."),
    ),
    "unknown-members": Content(
        tuple({**each, "system_fingerprint": "fp_1", "x_engine": {"a": [1, 2.5, None, "é"]}}
              for each in _said({**delta("4"), "x_choice": True}, delta("2", x_delta="yes"))),
        {**_answer(content="42", x_message=[1]), "x_engine": {"a": [1, 2.5, None, "é"]}},
    ),
    "length": Content(_said(delta("Good"), reason="length"), _answer("length", content="Good")),
    "content-filter": Content(
        _said(delta("Good"), reason="content_filter"), _answer("content_filter", content="Good")
    ),
    "escapes": Content(
        _said(delta('tab\t "quoted" \\ back\u2028slash \x7f \U0001f44b')),
        _answer(content='tab\t "quoted" \\ back\u2028slash \x7f \U0001f44b'),
    ),
    "large-piece": Content(_said(delta("x" * 300_000)), _answer(content="x" * 300_000)),
    "finish-twice": Content((*_said(delta("Good")), chunk_of(ending()))),
    "id-changes": Content(
        tuple({**each, "id": f"chatcmpl-{at}"} for at, each in enumerate(_said(delta("Good"))))
    ),
    "usage-unasked": Content((*_said(delta("Good")), chunk_of(**_USED))),
    "usage-at-the-end": Content(
        (*_said(delta("Good"))[:-1], {**chunk_of(ending()), **_USED})
    ),
    "usage-in-every-chunk": Content(
        (*({**each, **_USED} for each in _said(delta("Good"))), chunk_of(**_USED))
    ),
    "usage-never": Content(_said(delta("Good"))),
}  # fmt: skip


def _script(content: Content) -> Callable[[Received], Play]:
    def script(received: Received) -> Play:
        if engine.wants_stream(received):
            return event_stream([*engine.encoded(content.stream), b"[DONE]"])(received)
        return answer(content.whole)(received)

    return script


FORBIDDEN: Final = "FORBIDDEN-0815"
_AROUND: Final = (*engine.PIECES[:3], FORBIDDEN, *engine.PIECES[3:])
FORBIDDEN_SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "forbidden-in-one-piece": _AROUND,
    "forbidden-first": (FORBIDDEN, *engine.PIECES),
    "forbidden-last": (*engine.PIECES, FORBIDDEN),
    "forbidden-letter-by-letter": tuple("".join(_AROUND)),
    "forbidden-in-two": (*engine.PIECES, FORBIDDEN[:7], FORBIDDEN[7:], "."),
}


def _forbidden(pieces: Sequence[str]) -> Callable[[Received], Play]:
    def script(received: Received) -> Play:
        if engine.wants_stream(received):
            objects = engine.frames(received, pieces)
            return event_stream([*engine.encoded(objects), b"[DONE]"])(received)
        return answer(engine.whole(received, "".join(pieces)))(received)

    return script


def _closes_after(received: Received) -> Play:
    """An ordinary answer, and then the connection ends although nobody said that it would."""
    return replace(good(received), then="close")


FLOOD_PIECE: Final = "flood" * 12_000
FLOOD_EVENTS: Final = 700
FLOOD_BYTES: Final = len(FLOOD_PIECE) * FLOOD_EVENTS


def _flood(received: Received) -> Play:
    """More than every buffer between here and the client can hold."""
    said = _said(*[delta(FLOOD_PIECE)] * FLOOD_EVENTS)
    return event_stream([*engine.encoded(said), b"[DONE]"])(received)


CONTENTS: Final[Mapping[str, Callable[[Received], Play]]] = {
    **{name: _script(content) for name, content in CONTENT.items()},
    **{
        f"first-{name}": first_only(_forbidden(pieces)) for name, pieces in FORBIDDEN_SHAPES.items()
    },
    "closes-after": _closes_after,
    "flood": _flood,
}
