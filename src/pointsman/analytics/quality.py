"""The quality of answers as people would call it: a judge on many, corrected by people on few."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec

from pointsman.analytics.opinions import Opined, chances_of, opinions_of, samplings_of
from pointsman.domain.ports import Reports
from pointsman.domain.task import Task
from pointsman.stats.agreement import krippendorff_alpha
from pointsman.stats.estimate import Estimate
from pointsman.stats.means import mean
from pointsman.stats.ppi import rogan_gladen
from pointsman.stats.ppi_sampled import ppi_sampled

_FEWEST = 10


class JudgeErrors(msgspec.Struct, frozen=True, kw_only=True):
    """How often a judge was right where people looked: the counts behind its card."""

    caught: int
    positives: int
    cleared: int
    negatives: int


class TaskQuality(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of the delivered answers of one task in a range that a judge, or people, looked at."""

    task: str
    judge: str | None  # None: people alone
    judged: int
    unjudged: int
    labels: int  # of requests that were drawn
    undrawn: int = 0  # labels of requests that nobody drew: in no estimate
    raters: int = 0
    agreement: Estimate | None = None  # of raters, Krippendorff's alpha
    judge_mean: Estimate  # as the judge says
    human: Estimate  # as people say, weighed by the chances
    corrected: Estimate
    method: str  # how: ppi, people, rogan-gladen, none
    weight: float = 0.0  # of the judge in `ppi`
    judge_usd_picos: int = 0  # what the judge cost


def quality_of(
    reports: Reports,
    *,
    tasks: Mapping[str, Task],
    since_us: int,
    until_us: int,
    tenant: str | None = None,
    task: str | None = None,
    errors: Mapping[str, JudgeErrors] | None = None,
    level: float = 0.95,
) -> tuple[TaskQuality, ...]:
    """One for each task that a judge or people looked at in [since_us, until_us).

    Args: errors are of judges with a card that stands, by name: what is left where there are
        fewer than 10 labels in the range.
    """
    span = {"since_us": since_us, "until_us": until_us, "tenant": tenant, "task": task}
    found = opinions_of(reports.query("opinions", span))
    if not found:
        return ()
    chances = chances_of(samplings_of(reports.query("samplings", {"task": None})))
    by_task: dict[str, list[Opined]] = {}
    for one in found.values():
        by_task.setdefault(one.task, []).append(one)
    return tuple(
        quality(name, by_task[name], chances, judge=judge_of(tasks.get(name), by_task[name]),
                errors=errors or {}, level=level)
        for name in sorted(by_task)
    )  # fmt: skip


def judge_of(task: Task | None, said: Collection[Opined]) -> str | None:
    """The judge whose word counts: the task's own, else the one that said most."""
    if task is not None and task.online is not None:
        return task.online.judge
    counts = Counter(name for one in said for name in one.judged)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


def quality(
    task: str,
    said: Sequence[Opined],
    chances: Mapping[str, float],
    *,
    judge: str | None,
    errors: Mapping[str, JudgeErrors],
    level: float = 0.95,
) -> TaskQuality:
    """The quality of one task: PPI++ weighed by the chances of the draws.

    Labels of requests that were not drawn are not a sample of anything, and are left out.
    """
    values = {
        one.trace: value
        for one in said
        if judge is not None and (value := one.judge_value(judge)) is not None
    }
    labelled = [one for one in said if one.label is not None]
    drawn = [one for one in labelled if chances.get(one.trace, 0.0) > 0.0]
    usable = [one for one in drawn if not values or one.trace in values]
    taken = {one.trace for one in usable}
    found = ppi_sampled(
        [one.label or 0.0 for one in usable],
        [values.get(one.trace, 0.0) for one in usable],
        [chances[one.trace] for one in usable],
        [value for trace, value in values.items() if trace not in taken],
        level=level,
    )
    corrected, method = found.corrected, "ppi" if found.weight > 0 else "people"
    known = errors.get(judge or "")
    if len(usable) < _FEWEST:
        method = "none"
        if known is not None and values:
            corrected = rogan_gladen(
                sum(value > 0.5 for value in values.values()), len(values), level=level,
                caught=known.caught, positives=known.positives, cleared=known.cleared,
                negatives=known.negatives,
            )  # fmt: skip
            method = "rogan-gladen" if corrected.low is not None else "none"
    raters = {rater for one in labelled for rater in one.labels}
    units = [[float(each.value == "accept") for each in one.labels.values()] for one in labelled]
    doubly = [unit for unit in units if len(unit) > 1]
    looked = [one.judged[judge] for one in said if judge in one.judged] if judge else []
    return TaskQuality(
        task=task,
        judge=judge,
        judged=len(values),
        unjudged=len(looked) - len(values),
        labels=len(usable),
        undrawn=len(labelled) - len(drawn),
        raters=len(raters),
        agreement=krippendorff_alpha(doubly, level=level) if doubly else None,
        judge_mean=mean(list(values.values()), level=level),
        human=_clipped(found.human),
        corrected=_clipped(corrected),
        method=method,
        weight=found.weight,
        judge_usd_picos=sum(each.cost_usd_picos for each in looked),
    )


def _clipped(share: Estimate) -> Estimate:
    """A share lies in [0, 1], and so does its interval."""
    low, high, value = share.low, share.high, share.value
    return msgspec.structs.replace(
        share,
        value=None if value is None else min(1.0, max(0.0, value)),
        low=None if low is None else min(1.0, max(0.0, low)),
        high=None if high is None else min(1.0, max(0.0, high)),
    )
