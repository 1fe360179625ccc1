"""Every way in which an upstream can answer, by name: faults, framings, contents.

A shape that is no fault on a surface (a broken stream where none was asked for) plays the ordinary
answer there.
"""

from collections.abc import Callable, Mapping
from typing import Final

from pointsman.testing import Play, Received
from tests.conformance.contents import CONTENTS
from tests.conformance.early import EARLY
from tests.conformance.framings import FRAMINGS
from tests.conformance.late import LATE
from tests.conformance.ordinary import first_only, plain

SHAPES: Final[Mapping[str, Callable[[Received], Play]]] = {
    "plain": plain,
    **EARLY,
    **LATE,
    **FRAMINGS,
    **CONTENTS,
    **{f"first-{name}": first_only(script) for name, script in {**EARLY, **LATE}.items()},
}
