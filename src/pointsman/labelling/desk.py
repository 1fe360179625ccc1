"""The label desk: draws requests, shows them blind, and writes each label down as an outcome."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from pointsman.analytics.material import Material, material_of
from pointsman.analytics.opinions import (
    LABEL_VALUES,
    Opined,
    chances_of,
    drawn_order,
    opinions_of,
    samplings_of,
)
from pointsman.analytics.quality import judge_of
from pointsman.domain.errors import InvalidRequest, UsageError
from pointsman.domain.ids import draw_id, outcome_id
from pointsman.domain.ports import Journal, Reports, SubjectKeys
from pointsman.domain.records import Drawn, OutcomeRecord, SamplingRecord
from pointsman.domain.task import Task
from pointsman.evals.judging.asking import conversation
from pointsman.evals.sampling import Candidate, Draw, draw, stratum_of
from pointsman.stats.agreement import cohen_kappa, krippendorff_alpha
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import wilson

Word = Literal["accept", "reject", "edit", "skip", "undone"]
MOST = 1000  # requests of one draw
MOST_TEXT = 1_000_000  # characters of an edited answer
_AGAIN = 4000  # of earlier draws, whose grown chances one record holds
_POOL = 500_000  # requests that one draw looks at
_SEGMENTS = 5  # tenants told apart, at most


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a rater sees it: no judge, no other rater, no outcome."""

    trace: str
    task: str
    at_us: int
    asked: str
    answer: str


class RaterAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two raters on the requests that both labelled."""

    first: str
    second: str
    agreed: Estimate
    kappa: Estimate


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How labelling stands for one task."""

    task: str
    drawn: int
    labelled: int
    raters: dict[str, int]  # labels of each
    alpha: Estimate | None  # of all raters, Krippendorff's
    pairs: tuple[RaterAgreement, ...]


class LabelDesk:
    """For commands and pages; blocking.

    Args: journal None for who only looks; keys find the key under which a person's words lie.
    """

    def __init__(
        self,
        reports: Reports,
        journal: Journal | None,
        keys: SubjectKeys,
        tasks: dict[str, Task],
        *,
        now_us: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._reports, self._kept_in, self._keys, self._tasks = reports, journal, keys, tasks
        self._now_us, self._entropy = now_us, entropy

    def draw(
        self,
        task: str,
        n: int,
        *,
        by: str,
        since_us: int = 0,
        tenant: str | None = None,
        write: bool = True,
    ) -> Draw:
        """Draw requests to label, and write the draw with its chances down unless told not to.

        From those that the task's judge looked at; where there is none, from all delivered ones.
        Raises: UsageError for more than 1000, or where there is nothing to draw from.
        """
        if not 1 <= n <= MOST:
            raise UsageError(f"a draw is of 1 to {MOST} requests")
        until_us = self._now_us() + 1
        span = {"since_us": since_us, "until_us": until_us, "tenant": tenant}
        said = opinions_of(self._reports.query("opinions", {**span, "task": task}))
        candidates = self._candidates(task, said, span)
        if not candidates:
            raise UsageError(
                f"there is nothing of task {task!r} to label",
                why="no request of the range was delivered, or judged where the task has a judge",
                next=f"`pointsman report --task {task}` shows what there is",
            )
        found = draw(candidates, n)
        if write and any(not pick.again for pick in found.picks):
            self._journal.append(self._record(task, found, by, since_us, until_us))
        return found

    def _candidates(
        self, task: str, said: dict[str, Opined], span: dict[str, Any]
    ) -> list[Candidate]:
        judge = judge_of(self._tasks.get(task), list(said.values()))
        chances = chances_of(samplings_of(self._reports.query("samplings", {"task": task})))
        judged = {
            trace: one.judge_value(judge) for trace, one in said.items()
            if judge is not None and one.judge_value(judge) is not None
        }  # fmt: skip
        if judged:
            pool = [(trace, said[trace].tenant) for trace in judged]
        else:
            rows = self._reports.query("requests", {**span, "task": task, "limit": _POOL})
            pool = [(r["trace"], r["tenant"]) for r in rows if r["status"] == "delivered"]
        tenants = {tenant for _, tenant in pool}
        several = 1 < len(tenants) <= _SEGMENTS
        return [
            Candidate(
                trace=trace,
                stratum=stratum_of(judged.get(trace), tenant if several else ""),
                judged=judged.get(trace),
                label=said[trace].label if trace in said else None,
                chance=chances.get(trace, 0.0),
            )
            for trace, tenant in sorted(pool)
        ]

    def _record(
        self, task: str, found: Draw, by: str, since_us: int, until_us: int
    ) -> SamplingRecord:
        at_us = self._now_us()
        fresh = [pick for pick in found.picks if not pick.again]
        again = [pick for pick in found.picks if pick.again][:_AGAIN]
        return SamplingRecord(
            id=draw_id(at_us // 1000, self._entropy(10)),
            at_us=at_us,
            by=by,
            task=task,
            pool=found.pool,
            since_us=since_us,
            until_us=until_us,
            drawn=tuple(
                Drawn(trace=p.trace, chance=p.chance, stratum=p.stratum, again=p.again)
                for p in (*fresh, *again)
            ),
            strata=found.strata,
        )

    def queue(
        self, rater: str, *, task: str | None = None, second: bool = False, skipped: bool = False
    ) -> list[str]:
        """Traces that wait for this rater, in the order of the draws.

        Args: second gives those that another rater labelled and this one did not: for agreement;
            skipped gives those this rater passed by as well.
        """
        drawn = drawn_order(samplings_of(self._reports.query("samplings", {"task": task})))
        said = opinions_of(self._reports.query("opinions", {"task": task}))
        waiting = []
        for each in drawn:
            one = said.get(each.trace)
            mine = one is not None and rater in one.labels
            passed = one is not None and rater in one.skipped
            others = one is not None and bool(one.labels)
            if not mine and (skipped or not passed) and (others if second else not others):
                waiting.append(each.trace)
        return waiting

    def read(self, trace: str) -> Item:
        """One request in words. Raises: NotFound; InvalidRequest where its words are gone."""
        return item_of(material_of(self._reports, trace))

    def label(
        self,
        trace: str,
        word: Word,
        *,
        rater: str,
        edited: str | None = None,
        took_ms: int | None = None,
        write: bool = True,
    ) -> OutcomeRecord | None:
        """Write one label down; without `write` only look whether it could be.

        Args: edited is what should have been said, with the word `edit`.
        Raises: NotFound for an unknown trace; InvalidRequest for a word or text that is none.
        """
        if word not in (*LABEL_VALUES, "skip", "undone"):
            raise InvalidRequest(f"{word!r} is no label", next=f"{', '.join(LABEL_VALUES)}, skip")
        check_rater(rater)
        if (word == "edit") != (edited is not None):
            raise InvalidRequest("an edit comes with what should have been said, and only it does")
        if edited is not None and not 1 <= len(edited) <= MOST_TEXT:
            raise InvalidRequest(f"an edited answer has 1 to {MOST_TEXT} characters")
        material = material_of(self._reports, trace)
        if not write:
            return None
        body = None
        if edited is not None:
            ref = material.end.response or material.admission.request
            key = self._keys.find([ref.key]).get(ref.key) if ref.key else None
            if ref.key and key is None:
                raise InvalidRequest(f"{trace} was erased", why="its person asked for that")
            body = self._journal.put_body(edited.encode(), key=key, until_us=ref.until_us)
        at_us = self._now_us()
        record = OutcomeRecord(
            id=outcome_id(at_us // 1000, self._entropy(10)),
            at_us=at_us,
            trace=trace,
            outcome="label",
            value=word,
            source=f"rater:{rater}",
            tenant=material.admission.tenant,
            took_ms=took_ms,
            body=body,
        )
        self._journal.append(record)
        return record

    def labels_of(self, rater: str) -> dict[str, tuple[str, str | None]]:
        """The latest label of a rater on each trace, with the edited text where it is kept."""
        found: dict[str, tuple[str, str | None]] = {}
        for trace, one in opinions_of(self._reports.query("opinions")).items():
            if rater in one.labels:
                said = one.labels[rater]
                body = self._reports.body(said.body) if said.body is not None else None
                found[trace] = (str(said.value), None if body is None else body.decode())
            elif rater in one.skipped:
                found[trace] = ("skip", None)
        return found

    def standing(self, task: str) -> Standing:
        """How labelling stands, and how raters agree."""
        samplings = samplings_of(self._reports.query("samplings", {"task": task}))
        said = list(opinions_of(self._reports.query("opinions", {"task": task})).values())
        raters: dict[str, int] = {}
        for one in said:
            for rater in one.labels:
                raters[rater] = raters.get(rater, 0) + 1
        units = [[_yes(each) for each in one.labels.values()] for one in said]
        doubly = [unit for unit in units if len(unit) > 1]
        return Standing(
            task=task,
            drawn=len(drawn_order(samplings)),
            labelled=sum(one.label is not None for one in said),
            raters=dict(sorted(raters.items())),
            alpha=krippendorff_alpha(doubly) if doubly else None,
            pairs=_pairs(said, sorted(raters)),
        )

    @property
    def _journal(self) -> Journal:
        assert self._kept_in is not None, "who labels writes it down"
        return self._kept_in


def item_of(material: Material) -> Item:
    """As a rater sees it."""
    return Item(
        trace=material.admission.trace,
        task=material.admission.task or "",
        at_us=material.admission.at_us,
        asked=conversation(material.messages),
        answer=material.answer,
    )


def check_rater(name: str) -> None:
    """Raises: InvalidRequest for a name that no record can bear."""
    if not 1 <= len(name) <= 64 or not name.isprintable() or ":" in name:
        raise InvalidRequest(
            "a rater's name has 1 to 64 printable characters, without a colon", next="give --by"
        )


def _yes(record: OutcomeRecord) -> float:
    return LABEL_VALUES[str(record.value)]


def _pairs(said: Sequence[Opined], raters: Sequence[str]) -> tuple[RaterAgreement, ...]:
    found = []
    for place, first in enumerate(raters[:10]):
        for second in raters[place + 1 : 10]:
            both = [one for one in said if first in one.labels and second in one.labels]
            if not both:
                continue
            one = [_yes(each.labels[first]) for each in both]
            other = [_yes(each.labels[second]) for each in both]
            same = sum(a == b for a, b in zip(one, other, strict=True))
            found.append(
                RaterAgreement(first=first, second=second, agreed=wilson(same, len(both)),
                               kappa=cohen_kappa(one, other))
            )  # fmt: skip
    return tuple(found)
