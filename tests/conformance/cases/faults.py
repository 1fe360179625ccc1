"""Upstreams that fail: what a client sees before the first word, after it, and from a fallback."""

from collections.abc import Iterator
from functools import partial

from tests.conformance import engine
from tests.conformance.bench import Bench, Case, check_good, check_text
from tests.conformance.early import EARLY, HTML, OVERFLOWS, REFUSALS
from tests.conformance.late import LATE, SHOWN_TEXT
from tests.conformance.matching import check
from tests.conformance.surfaces import SURFACES, Surface, check_error, error_object

_TIMEOUT = (504, 408)
_FAILED = (500, 502, 503)
_STALLS = frozenset({"silence", "head-then-nothing", "stall-before-token"})
# Shapes of chat and text answers; vectors and rankings have no choices.
_OF_TEXT = frozenset(
    {"empty-choices", "ends-before-token", "stall-before-token", "malformed-first", "bad-framing"}
)
# Invisible before the first byte: enough of the faults, on the surfaces that can fall over.
_FALLEN = ("closes", "resets", "500", "502-html", "429", "truncated-json", "200-html", "silence",
           "ends-before-token", "error-in-200", "malformed-first", "404")  # fmt: skip


def cases() -> Iterator[Case]:
    """Every fault on every surface."""
    for surface in SURFACES:
        for stream in (False, True) if surface.stream else (False,):
            label = surface.label(stream=stream)
            run = partial(_refused, surface=surface, stream=stream)
            yield Case(group="early", shape="refused", surface=label, run=run)
            for shape in EARLY:
                if surface.stream is None and shape in _OF_TEXT:
                    continue
                run = partial(_early, surface=surface, shape=shape, stream=stream)
                yield Case(group="early", shape=shape, surface=label, run=run)
            for shape in _FALLEN:
                if surface.stream is None and shape in _OF_TEXT:
                    continue
                run = partial(_fallback, surface=surface, shape=shape, stream=stream)
                yield Case(group="fallback", shape=shape, surface=label, run=run)
        if surface.stream is None:
            continue
        for stream in (False, True):
            run = partial(_cut_anywhere, surface=surface, stream=stream)
            label = surface.label(stream=stream)
            yield Case(group="late", shape="cut-anywhere", surface=label, run=run)
        label = surface.label(stream=True)
        for shape in LATE:
            run = partial(_late, surface=surface, shape=shape, fallback=False)
            yield Case(group="late", shape=shape, surface=label, run=run)
        for shape in ("cut", "stall-between-tokens", "error-object"):
            run = partial(_late, surface=surface, shape=shape, fallback=True)
            yield Case(group="late-with-fallback", shape=shape, surface=label, run=run)


def _refused(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """Nobody listens: an error with a status of its own, in the surface's form."""
    asking = bench.asking(surface, stream=stream, model=bench.names.refused)
    check_error(surface.name, bench.ask(asking), *_FAILED)
    check(not bench.seen(asking), "another deployment was asked")


def _early(bench: Bench, *, surface: Surface, shape: str, stream: bool) -> None:
    """A fault before the first word is a status, never a stream; nothing of the engine's leaks."""
    asking = bench.asking(surface, shape, stream=stream)
    answer = bench.ask(asking)
    kind, _, engine = shape.partition("-")
    if kind == "overflow":
        error = check_error(surface.name, answer, 400)
        if surface.name != "messages":
            code = error["code"]
            check(code == "context_length_exceeded", "another code",
                  expected="context_length_exceeded", got=answer.raw)  # fmt: skip
        words = OVERFLOWS[engine][2]
        check(words in error["message"], "the engine's words are lost",
              expected=words, got=error["message"])  # fmt: skip
    elif kind == "refusal":
        error = check_error(surface.name, answer, 400, 422)
        check(error["type"] == "invalid_request_error", "another type",
              expected="invalid_request_error", got=answer.raw)  # fmt: skip
        words = REFUSALS[engine][2]
        check(words in error["message"], "the engine's words are lost",
              expected=words, got=error["message"])  # fmt: skip
    elif kind == "429":
        check_error(surface.name, answer, 429)
        wait = answer.header("retry-after") or ""
        if shape == "429":
            check(wait == "7", "another Retry-After", expected="retry-after: 7", got=answer.raw)
    else:
        statuses = _TIMEOUT if shape in _STALLS else _FAILED
        check_error(surface.name, answer, *statuses)
        check(HTML[:6] not in answer.body, "the engine's page", got=answer.raw)
        check(b"sk-upstream" not in answer.raw, "the upstream's key is told", got=answer.raw)
    if shape == "redirect":
        targets = {received.target for received in bench.seen(asking)}
        check(not any("elsewhere" in each for each in targets), "the redirect was followed")
    if shape in ("length-too-short", "length-too-long"):  # what was left over answers nobody
        for _ in range(3):
            check_good(bench, None, surface)


def _late(bench: Bench, *, surface: Surface, shape: str, fallback: bool) -> None:
    """What was shown stays; then an error event, and no mark of a whole answer."""
    model = bench.names.bounded if shape == "oversize-line" else None
    if fallback:
        shape, model = f"first-{shape}", bench.names.fallback
    asking = bench.asking(surface, shape, stream=True, model=model)
    answer = bench.ask(asking)
    assert surface.stream is not None
    said = surface.stream(answer)
    check(said.text == SHOWN_TEXT, "another text", expected=SHOWN_TEXT, got=said.text)
    check(not said.ended, "a broken answer with the mark of a whole one", got=answer.raw[-500:])
    check(b"[DONE]" not in answer.body, "[DONE] after a failure", got=answer.raw[-500:])
    check(said.error is not None, "the failure is not told",
          expected='data: {"error":{…}}', got=answer.raw[-500:])  # fmt: skip
    if surface.name != "responses":
        error_object(surface.name, said.error)
    if fallback:
        asked = len({b'"second"' in received.body for received in bench.seen(asking)})
        check(asked == 1, "another deployment was asked after the first word was shown")


def _cut_anywhere(bench: Bench, *, surface: Surface, stream: bool) -> None:
    """Wherever the connection ends, half an answer is never told as a whole one."""
    for thousandths in range(0, 1000, 35):
        shape = f"cut-at-{thousandths}"
        answer = bench.ask(bench.asking(surface, shape, stream=stream))
        if answer.status != 200:
            check_error(surface.name, answer, *_FAILED)
            continue
        check(stream, f"{shape}: half an answer is told as a whole one", got=answer.raw)
        assert surface.stream is not None
        said = surface.stream(answer)
        check(engine.TEXT.startswith(said.text), f"{shape}: another text", got=said.text)
        if said.ended:
            check(said.text == engine.TEXT, f"{shape}: half an answer is told as a whole one",
                  expected=engine.TEXT, got=answer.raw)  # fmt: skip
        else:
            check(said.error is not None, f"{shape}: the failure is not told",
                  got=answer.raw[-500:])  # fmt: skip


def _fallback(bench: Bench, *, surface: Surface, shape: str, stream: bool) -> None:
    """Where another deployment answers, nothing of the failure is seen."""
    model = bench.names.fallback
    asking = bench.asking(surface, f"first-{shape}", stream=stream, model=model)
    check_text(surface, bench.ask(asking), stream=stream)
    bodies = [received.body for received in bench.seen(asking)]
    check(any(b'"first"' in body for body in bodies), "the first deployment was not asked")
    check(b'"second"' in bodies[-1], "the second deployment was not asked")
