"""What is watched: each request's facts as values of streams, once each, as they become known."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.domain.task import AcceptanceRule, Task

_US_PER_H = 3_600_000_000
_PASSED = ("accept", "accepted")
_ANSWERED: Mapping[str, float] = {"delivered": 1.0, "failed": 0.0, "cut": 0.0}


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of one stream: of a request of `at_us`, known since `known_us`."""

    stream: str
    what: str
    task: str
    value: float
    at_us: int
    known_us: int
    trace: str


class _Fact(msgspec.Struct, frozen=True, kw_only=True):
    outcome: str
    source: str
    at_us: int
    fresh: bool
    value: str | None = None

    @property
    def said(self) -> Any:
        return None if self.value is None else msgspec.json.decode(self.value)

    @property
    def row(self) -> OutcomeRow:
        return OutcomeRow(
            at_us=self.at_us, outcome=self.outcome, value=self.said, source=self.source
        )


class Judges:
    """The acceptance rules of tasks, compiled once."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        """Raises: ConfigurationError where a rule cannot be read."""
        self._judges = {name: AcceptanceJudge(task.acceptance) for name, task in tasks.items()}
        self._default = AcceptanceJudge(AcceptanceRule())

    def of(self, task: str | None) -> AcceptanceJudge:
        """The rule of a task, or the default one."""
        return self._judges.get(task or "", self._default)

    def closing(self, since_us: int, until_us: int) -> list[tuple[str | None, int, int]]:
        """Requests of which no outcome is needed any more, by when they were admitted."""
        found: list[tuple[str | None, int, int]] = []
        for name, judge in self._judges.items():
            if judge.rule.otherwise != "unknown":
                window_us = round(judge.rule.within_h * _US_PER_H)
                found.append((name, since_us - window_us, until_us - window_us))
        return found


def values_of(
    rows: Sequence[Mapping[str, Any]], judges: Judges, *, last_us: int, now_us: int
) -> list[Value]:
    """Every value that these requests give now and did not give before, in the order known.

    Args: rows as `fresh_requests` gives them; last_us is the now_us of the time before.
    """
    found = [value for row in rows for value in _values(row, judges, last_us, now_us)]
    return sorted(found, key=lambda value: (value.known_us, value.at_us, value.trace))


def _values(row: Mapping[str, Any], judges: Judges, last_us: int, now_us: int) -> Iterator[Value]:
    task, text = row["task"] or "", row["facts"]
    facts = msgspec.json.decode(text, type=list[_Fact]) if text else []

    def a(what: str, value: float, known_us: int) -> Value:
        return Value(
            stream=f"{task or '(no task)'}/{what}", what=what, task=task, value=value,
            at_us=row["at_us"], known_us=known_us, trace=row["trace"],
        )  # fmt: skip

    if row["ended_fresh"]:
        ended_us = row["ended_us"]
        if row["status"] in _ANSWERED:
            yield a("answered", _ANSWERED[row["status"]], ended_us)
        if row["status"] == "delivered" and row["cost_usd_picos"] > 0:
            yield a("cost", row["cost_usd_picos"] / 1e12, ended_us)
    known = _newly(row, facts, judges.of(row["task"]), last_us, now_us)
    if known is not None:
        yield a("accepted", *known)
    for fact in facts:
        said = _yes(fact)
        if fact.fresh and fact.source.startswith(("verifier", "judge:")) and said is not None:
            yield a(f"verified by {fact.source}", said, fact.at_us)
    yield from (a(*agreed) for agreed in _agreements(facts))


def _newly(
    row: Mapping[str, Any], facts: Sequence[_Fact], judge: AcceptanceJudge, last_us: int,
    now_us: int,
) -> tuple[float, int] | None:  # fmt: skip
    """Whether it was accepted, and since when that is known; None where that is no news."""

    def said(some: Sequence[_Fact], status: str | None, at_us: int) -> str:
        return judge.judge_request(
            [fact.row for fact in some], status=status, delivered=row["delivered"],
            at_us=row["at_us"], now_us=at_us,
        )  # fmt: skip

    before_status = None if row["ended_fresh"] else row["status"]
    if said([fact for fact in facts if not fact.fresh], before_status, last_us) != "unknown":
        return None
    now = said(facts, row["status"], now_us)
    if now == "unknown":
        return None
    fresh = [fact.at_us for fact in facts if fact.fresh]
    if row["ended_fresh"]:
        fresh.append(row["ended_us"])
    return (1.0 if now == "accepted" else 0.0), min(now_us, max(fresh, default=now_us))


def _agreements(facts: Sequence[_Fact]) -> Iterator[tuple[str, float, int]]:
    """Whether a judge said what a person said of the same answer, where one of them is new."""
    people = [fact for fact in facts if fact.source.startswith("rater:") and _yes(fact) is not None]
    if not people:
        return
    person = people[-1]
    for judge in {fact.source: fact for fact in facts if fact.source.startswith("judge:")}.values():
        said = _yes(judge)
        if said is not None and (judge.fresh or person.fresh):
            agrees = (said >= 0.5) == ((_yes(person) or 0.0) >= 0.5)
            known_us = max(judge.at_us, person.at_us)
            yield f"agreement of {judge.source}", float(agrees), known_us


def _yes(fact: _Fact) -> float | None:
    """What a verifier, judge or person says of an answer, in [0, 1]; None where they do not."""
    said = fact.said
    if isinstance(said, bool):
        return float(said)
    if isinstance(said, int | float) and 0.0 <= said <= 1.0:
        return float(said)
    if isinstance(said, str) and said in (*_PASSED, "reject", "rejected", "edit", "edited"):
        return float(said in _PASSED)
    return None
