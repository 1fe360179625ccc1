"""One verdict of two runs on the same cases: better, worse, the same within a margin, or how many
more cases it takes. Paired, clustered, corrected for many measures; what is missing is bounded.
"""

from collections.abc import Mapping, Sequence

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.evals.case import Case
from pointsman.evals.measured import UNDECIDED, Measured, means_of, measured
from pointsman.evals.pairing import Outcome, Overlap, Pairs, columns_of, pair
from pointsman.evals.resources import Resources, compare_resources
from pointsman.evals.sample import Run, Sample
from pointsman.stats.slices import Slice, find_slices
from pointsman.stats.testing import holm_adjusted

_MOST_FLIPS = 200  # of each kind that are listed
_FEWEST_LOST = 10  # cases, below which no slice of them can be told from chance


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A case that one run accepted, or scored, as the other did not."""

    case: str
    a: float
    b: float
    tags: dict[str, str] = {}


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Run b against run a; `primary` holds the verdict."""

    a: str  # run ids
    b: str
    subject_a: str
    subject_b: str
    suite: str
    margin: float
    level: float
    cases: int  # that both asked, word for word
    clusters: int
    epochs: tuple[int, int]
    primary: Measured
    others: tuple[Measured, ...] = ()  # each required or other scorer, corrected among themselves
    resources: Resources
    gained: tuple[Flip, ...] = ()  # largest first
    lost: tuple[Flip, ...] = ()
    slices: tuple[Slice, ...] = ()  # where what was lost gathers
    remarks: tuple[str, ...] = ()  # how the runs are not alike

    @property
    def verdict(self) -> str:
        """Of b: better, worse, same or not enough data."""
        return self.primary.verdict

    @property
    def not_worse(self) -> bool:
        """Whether the data show that b is not worse than a by the margin, the missing included."""
        bounds = self.primary.bounds or self.primary.difference
        return bounds.low is not None and bounds.low >= -self.margin


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its samples."""

    run: Run
    samples: tuple[Sample, ...]

    def outcome(self, measure: str) -> Outcome:
        """What a measure takes of one sample."""
        return lambda sample: sample.outcome(measure, self.run.required)

    def judged(self, measure: str) -> list[Sample]:
        """The samples that the measure is for, answered or not."""
        spec = next((each for each in self.run.scorers if each.name == measure), None)
        if measure == "accepted" or (spec is not None and not spec.only):
            return list(self.samples)
        if spec is not None:
            wanted = spec.only.items()
            return [each for each in self.samples if wanted <= each.tags.items()]
        return [
            each for each in self.samples
            if each.status == "missing" or any(score.name == measure for score in each.scores)
        ]  # fmt: skip


def compare_runs(
    a: Arm,
    b: Arm,
    *,
    margin: float,
    shared: Overlap,
    cases: Mapping[str, Case] | None = None,
    measure: str | None = None,
    level: float = 0.95,
    candidates: int = 1,
) -> RunComparison:
    """Run b against run a, on the cases that both asked.

    Args: margin > 0 is the difference that does not matter, in the unit of the measure; `measure`
    None takes that of the suite. `cases` tell of slices. `candidates` runs are compared with a at
    once: intervals then hold for all of them together (Bonferroni).
    Raises: UsageError where they have no case in common, or judge by different scorers.
    """
    remarks = [*_unlike(a.run, b.run, shared)]
    wanted = measure or a.run.primary
    measures = _measures(a, b)
    if wanted not in measures:
        raise UsageError(
            f"{wanted!r} was not measured in both runs",
            why=_why_not(wanted, a.run, b.run),
            next=f"compare by one of {', '.join(measures)}"
            if measures
            else "compare runs of one suite, or of suites that judge alike",
            param="--measure",
        )
    if not shared.same:
        raise UsageError(
            f"{a.run.id} and {b.run.id} have no case in common",
            why=f"suites {a.run.suite}@{a.run.suite_digest} and {b.run.suite}@{b.run.suite_digest}",
            next="compare runs of one suite",
        )
    pairs = {
        name: pair(
            a.judged(name), b.judged(name), a.outcome(name), b.outcome(name), only=shared.same
        )
        for name in measures
    }
    first = pairs[wanted]
    primary = measured(wanted, first, margin, level=1 - (1 - level) / candidates, shown=level)
    rest = [name for name in measures if name != wanted]
    others = _family(rest, pairs, margin, level)
    lost, gained = _flips(first)
    return RunComparison(
        a=a.run.id,
        b=b.run.id,
        subject_a=a.run.subject.name,
        subject_b=b.run.subject.name,
        suite=a.run.suite,
        margin=margin,
        level=level,
        cases=len(first.ids),
        clusters=len(set(first.clusters)),
        epochs=(a.run.epochs, b.run.epochs),
        primary=primary,
        others=others,
        resources=compare_resources(
            a.samples, b.samples, a.run.required, b.run.required, only=shared.same, level=level
        ),
        gained=gained[:_MOST_FLIPS],
        lost=lost[:_MOST_FLIPS],
        slices=_slices(first, cases or {}) if len(lost) >= _FEWEST_LOST else (),
        remarks=tuple(remarks),
    )


def _paired(a: Arm, b: Arm, name: str, shared: Overlap) -> Pairs:
    judged_a, judged_b = a.judged(name), b.judged(name)
    return pair(judged_a, judged_b, a.outcome(name), b.outcome(name), only=shared.same)


def _measures(a: Arm, b: Arm) -> list[str]:
    """What both were judged by, alike: scorers of one name that do the same, and `accepted`."""
    digests_a, digests_b = _digests(a), _digests(b)
    shared = [
        name for name in digests_a
        if name in digests_b and (not digests_a[name] or not digests_b[name]
                                  or digests_a[name] == digests_b[name])
    ]  # fmt: skip
    required = set(a.run.required)
    alike = required == set(b.run.required) and required <= set(shared)
    return (["accepted"] if alike and required else []) + shared


def _digests(arm: Arm) -> dict[str, str]:
    """Scorer to digest; empty where nobody knows what it did."""
    if arm.run.scorer_digests:
        return dict(arm.run.scorer_digests)
    named = {score.name for sample in arm.samples for score in sample.scores}
    return dict.fromkeys(sorted(named), "")


def _why_not(wanted: str, a: Run, b: Run) -> str:
    unlike = sorted(
        name for name in a.scorer_digests.keys() & b.scorer_digests.keys()
        if a.scorer_digests[name] != b.scorer_digests[name]
    )  # fmt: skip
    if unlike:
        return f"scorers of one name do not judge alike: {', '.join(unlike)}"
    if set(a.required) != set(b.required):
        one, other = ", ".join(a.required), ", ".join(b.required)
        return f"accepted means {one} in one and {other} in the other"
    return f"no scorer of both is called {wanted!r}"


def _unlike(a: Run, b: Run, shared: Overlap) -> list[str]:
    said = []
    if shared.changed:
        said.append(f"{len(shared.changed)} cases were changed between the runs and are left out")
    if shared.only_a or shared.only_b:
        said.append(f"{len(shared.only_a)} cases were asked in {a.id} alone, "
                    f"{len(shared.only_b)} in {b.id} alone")  # fmt: skip
    for run in (a, b):
        if run.status == "partial":
            said.append(f"{run.id} is partial: {run.samples or 0} of {run.planned} samples")
    if a.epochs != b.epochs:
        said.append(f"cases were asked {a.epochs} times in {a.id} and {b.epochs} in {b.id}")
    return said


def _family(
    names: Sequence[str], pairs: Mapping[str, Pairs], margin: float, level: float
) -> tuple[Measured, ...]:
    """The other measures: intervals that hold together, and Holm's p-values."""
    if not names:
        return ()
    joint = 1 - (1 - level) / len(names)
    made = [measured(name, pairs[name], margin, level=joint, shown=level) for name in names]
    tested = [at for at, each in enumerate(made) if each.p_value is not None]
    adjusted = holm_adjusted([made[at].p_value or 0.0 for at in tested])
    for at, p_adjusted in zip(tested, adjusted, strict=True):
        each = made[at]
        verdict, lacking = each.verdict, each.lacking
        clear = each.bounds is None and p_adjusted <= 1 - level
        if verdict == UNDECIDED and clear and each.difference.value:
            verdict, lacking = ("better" if each.difference.value > 0 else "worse"), None
        made[at] = msgspec.structs.replace(
            each, p_adjusted=p_adjusted, verdict=verdict, lacking=lacking
        )
    return tuple(made)


def _flips(pairs: Pairs) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """Cases that b scores lower, and higher, the largest differences first."""
    whole = pairs.complete
    flips = [
        Flip(case=case, a=x, b=y, tags=each.tags)
        for case, each, x, y in zip(
            whole.ids, whole.a, means_of(whole.a), means_of(whole.b), strict=True
        )
        if x != y
    ]
    flips.sort(key=lambda flip: (-abs(flip.b - flip.a), flip.case))
    lost, gained = (
        tuple(each for each in flips if (each.b > each.a) is up) for up in (False, True)
    )
    return lost, gained


def _slices(pairs: Pairs, cases: Mapping[str, Case]) -> tuple[Slice, ...]:
    """Where losses gather, false discoveries bounded: `rate` is of cases that were not lost."""
    whole = pairs.complete
    kept = [y >= x for x, y in zip(means_of(whole.a), means_of(whole.b), strict=True)]
    return tuple(find_slices(kept, columns_of(whole.ids, whole.a, cases)))
