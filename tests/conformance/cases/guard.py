"""Answers that a rule forbids: nothing of them reaches a client, however an engine splits them."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.conformance.bench import Bench, Case
from tests.conformance.contents import FORBIDDEN, FORBIDDEN_SHAPES
from tests.conformance.matching import check
from tests.conformance.surfaces import SURFACES, Surface

_PART: Final = FORBIDDEN[:6]  # so much of it, put together from pieces, is a part of it


def cases() -> Iterator[Case]:
    """On every surface that gives text, whole and streamed."""
    for surface in SURFACES:
        if surface.stream is None:
            continue
        for stream in (False, True):
            for shape in FORBIDDEN_SHAPES:
                run = partial(_guarded, surface=surface, shape=shape, stream=stream)
                label = surface.label(stream=stream)
                yield Case(group="guard", shape=shape, surface=label, run=run)


def _guarded(bench: Bench, *, surface: Surface, shape: str, stream: bool) -> None:
    """Another answer, or an error; never the forbidden one."""
    asking = bench.asking(surface, f"first-{shape}", stream=stream, model=bench.names.guarded)
    answer = bench.ask(asking)
    check(bench.seen(asking), "the upstream was not asked")
    told = answer.body.decode("utf-8", "replace")
    check(_PART not in told, "a forbidden answer was shown", expected="nothing of it", got=told)
    if answer.status != 200:
        check(400 <= answer.status < 600, "another status", got=answer.raw)
        return
    if not stream:
        check(_PART not in json.dumps(answer.json, ensure_ascii=False), "it was shown", got=told)
        return
    assert surface.stream is not None
    said = surface.stream(answer)
    check(_PART not in said.text, "a forbidden answer was shown in pieces",
          expected="nothing of it", got=said.text)  # fmt: skip
    check(said.ended or said.error is not None, "a stream without an end", got=answer.raw[-300:])
