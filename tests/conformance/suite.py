"""All cases, and the running of them: several at a time, each told as pass, fail or absent."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from tests.conformance.bench import Bench, Case
from tests.conformance.cases import (
    contents,
    delivery,
    faults,
    files,
    forwarding,
    framings,
    guard,
    own,
    refusing,
    smuggling,
)
from tests.conformance.matching import Absent, Mismatch
from tests.conformance.surfaces import SURFACES
from tests.conformance.wire import Broken

AT_ONCE = 8
_GROUPS = (faults, guard, framings, contents, forwarding, delivery, refusing, smuggling, own, files)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one case."""

    case: Case
    status: Literal["pass", "fail", "absent"]
    what: str = ""
    expected: str = ""
    got: str = ""


def all_cases() -> tuple[Case, ...]:
    """Every case, in the order of the report."""
    found = tuple(case for group in _GROUPS for case in group.cases())
    names = [case.name for case in found]
    assert len(set(names)) == len(names), "two cases have the same name"
    return found


def selected(pattern: re.Pattern[str] | None, surfaces: Sequence[str] = ()) -> tuple[Case, ...]:
    """The cases whose name the pattern finds, on these surfaces (none given: on all)."""
    sought = pattern or re.compile("")
    return tuple(
        case
        for case in all_cases()
        if sought.search(case.name) and (not surfaces or case.surface.split()[0] in surfaces)
    )


def absent_surfaces(bench: Bench) -> frozenset[str]:
    """The surfaces that the gateway does not have: an ordinary request finds nothing."""
    missing = set()
    for surface in SURFACES:
        if bench.ask(bench.asking(surface)).status in (404, 405, 501):
            missing.add(surface.name)
    for name in ("files", "batches"):
        if bench.request("GET", f"{bench.root}/{name}").status in (404, 405, 501):
            missing.add(name)
    return frozenset(missing)


def run_case(bench: Bench, case: Case, absent: frozenset[str] = frozenset()) -> Result:
    """One case. What goes wrong in the case itself is a failure as well, and says so."""
    surface = case.surface.split()[0]
    if surface in absent:
        return Result(case=case, status="absent", what=f"the gateway has no {surface}")
    try:
        case.run(bench)
    except Absent as absent_part:
        return Result(case=case, status="absent", what=str(absent_part))
    except Mismatch as found:
        return Result(
            case=case, status="fail", what=found.what, expected=found.expected, got=found.got
        )
    except (Broken, OSError, TimeoutError, LookupError, TypeError, ValueError) as error:
        return Result(case=case, status="fail", what=f"{type(error).__name__}: {error}")
    return Result(case=case, status="pass")


def run_all(
    bench: Bench, cases: Sequence[Case], *, told: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Results in the order of the cases; `told` hears each as it comes."""
    absent = absent_surfaces(bench)

    def one(case: Case) -> Result:
        result = run_case(bench, case, absent)
        told(result)
        return result

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, cases))
