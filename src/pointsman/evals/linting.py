"""What will disappoint about a suite before it is run: cases alike, persons, too few cases."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from pointsman.evals.case import Case, Suite
from pointsman.policy.finding import Detector
from pointsman.stats.proportions import wilson

_FEW = 30  # cases, below which even a large difference is hard to see
_MOST = 200  # remarks


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about a suite. A `problem` should be mended; a `hint` should be known."""

    level: Literal["problem", "hint"]
    case: str | None
    what: str


def remarks_on(suite: Suite, detectors: Sequence[Detector]) -> tuple[Remark, ...]:
    """Everything worth a word, problems first; at most 200."""
    found = [*_alike(suite.cases), *_persons(suite.cases, detectors), *_silent(suite),
             *_few(suite.cases)]  # fmt: skip
    return tuple(sorted(found, key=lambda each: each.level != "problem"))[:_MOST]


def _alike(cases: Sequence[Case]) -> Iterator[Remark]:
    seen: dict[bytes, str] = {}
    for case in cases:
        asked = msgspec.json.encode(
            (case.first_messages, case.request, case.turns, case.tools), order="deterministic"
        )
        if asked in seen:
            yield Remark(level="problem", case=case.id,
                         what=f"asks just what {seen[asked]} asks: it counts twice")  # fmt: skip
        else:
            seen[asked] = case.id


def _persons(cases: Sequence[Case], detectors: Sequence[Detector]) -> Iterator[Remark]:
    for case in cases:
        kinds = {
            finding.kind
            for text in _texts((case.messages, case.request, case.turns, case.expected), 0)
            for detector in detectors
            for finding in detector.judge(text, channel="content").findings
        }
        if kinds:
            yield Remark(level="problem", case=case.id,
                         what=f"holds what tells of a person or opens a door: "
                         f"{', '.join(sorted(kinds))}")  # fmt: skip


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 64 and isinstance(value, dict):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif depth < 64 and isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, depth + 1)


def _silent(suite: Suite) -> Iterator[Remark]:
    silent = [case.id for case in suite.cases if case.expected is None]
    if silent and len(silent) < len(suite.cases):
        yield Remark(level="hint", case=silent[0],
                     what=f"{len(silent)} of {len(suite.cases)} cases expect nothing")  # fmt: skip


def _few(cases: Sequence[Case]) -> Iterator[Remark]:
    groups = len({case.group for case in cases})
    if groups < _FEW:
        half = wilson(groups // 2, groups)
        width = 100 * ((half.high or 1.0) - (half.low or 0.0)) / 2
        what = f"{groups} independent cases tell a share to ±{width:.0f} points"
        yield Remark(level="hint", case=None, what=what)
