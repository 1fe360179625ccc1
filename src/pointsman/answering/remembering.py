"""What a learned route knew before: told again from the journal, at the start and of others.

Requests and outcomes go through the learner as they did when they happened, each once. Processes
that answer together each see all of it, the others' a little later.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from pointsman.answering.learning import Learner
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, End, OutcomeRecord

_MOST: Final = 10_000  # requests that are told again at once: the latest
_OVERLAP_US: Final = 120_000_000  # a record may be written so long after its own time


class Told(NamedTuple):
    """What the journal had to tell, the oldest first."""

    requests: Sequence[tuple[Admission, End]]
    outcomes: Sequence[OutcomeRecord]


class Remembering:
    """Tells a learner what the journal holds; each time what came since."""

    def __init__(self, learner: Learner, reports: Reports) -> None:
        self._learner = learner
        self._reports = reports
        self._since_us = 0

    def read(self) -> Told:
        """The latest requests of learned routes and every outcome since. Not on an event loop.

        Raises: CheckFailed, OSError where the journal cannot be read.
        """
        routes = self._learner.routes
        params = {"since_us": max(0, self._since_us - _OVERLAP_US)}
        rows = self._reports.query("decisions", {**params, "limit": _MOST})
        requests = [
            (_decoded(row["admission"], Admission), _decoded(row["end"], End))
            for row in reversed(rows)
            if row["route"] in routes and row["end"] is not None
        ]
        begun_us = min((row["at_us"] for row in rows), default=self._since_us)
        told = self._reports.query("outcomes", {"since_us": begun_us})
        outcomes = [_outcome(row) for row in told]
        times = [row["at_us"] for row in rows[:1]] + [fact.at_us for fact in outcomes[-1:]]
        self._since_us = max([self._since_us, *times])
        return Told(requests, outcomes)

    def tell(self, told: Told) -> None:
        """Through the learner in the order of their times, each request once; an outcome that it
        knows changes nothing."""
        tell: list[tuple[int, Callable[[], None]]] = [
            (end.at_us, partial(self._learner.relive, admission, end))
            for admission, end in told.requests
        ]
        tell += [(fact.at_us, partial(self._learner.told, fact)) for fact in told.outcomes]
        for _, each in sorted(tell, key=lambda item: item[0]):
            each()


def _decoded(text: str, kind: Any) -> Any:
    return msgspec.json.decode(text, type=kind)


def _outcome(row: Mapping[str, Any]) -> OutcomeRecord:
    text = row["value"]
    return OutcomeRecord(
        id=row["id"],
        at_us=row["at_us"],
        trace=row["trace"],
        outcome=row["outcome"],
        value=None if text is None else msgspec.json.decode(text),
        source=row["source"],
        tenant=row["tenant"],
    )
