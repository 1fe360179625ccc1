"""Good answers in every dress: the client sees the same."""

from collections.abc import Iterator
from functools import partial

from tests.conformance.bench import Bench, Case, check_text
from tests.conformance.framings import FRAMINGS
from tests.conformance.surfaces import SURFACES, Surface


def cases() -> Iterator[Case]:
    """The plain answer of every surface, and every dress of every stream."""
    for surface in SURFACES:
        run = partial(_read, surface=surface, shape="plain", stream=False)
        yield Case(group="framing", shape="plain", surface=surface.name, run=run)
        for shape in ("plain", *FRAMINGS) if surface.stream else ():
            run = partial(_read, surface=surface, shape=shape, stream=True)
            label = surface.label(stream=True)
            yield Case(group="framing", shape=shape, surface=label, run=run)


def _read(bench: Bench, *, surface: Surface, shape: str, stream: bool) -> None:
    """The whole text, in the surface's form, with its mark of a whole answer."""
    asking = bench.asking(surface, shape, stream=stream)
    check_text(surface, bench.ask(asking), stream=stream)
