"""A judge's card: how it does against people, with intervals; what of its cases it was seen on."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from pointsman.domain.judges import JudgeSpec
from pointsman.stats.agreement import cohen_kappa
from pointsman.stats.estimate import Estimate
from pointsman.stats.means import mean, standard_error
from pointsman.stats.proportions import wilson
from pointsman.stats.quantiles import student_t_quantile
from pointsman.stats.weighted import weighted_rate

FEWEST = 10  # cases of a slice, below which it is left out; labels, below which there is no card
MOST_SLICES = 50
_SHAPE = 2000  # lengths and values kept, to see later whether other cases are like these


class Labelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer that people and a judge looked at; or one pair, where 1 is the first answer."""

    case: str
    human: bool
    value: float | None = None  # the judge's, in [0, 1]; None: unjudged
    passed: bool | None = None  # None: unjudged, or a tie
    chars: int | None = None  # of the answer; of a pair, the first's less the second's
    orders: tuple[float | None, float | None] | None = None  # of a pair, as `Verdict`
    variance: float | None = None
    tags: dict[str, str] = {}
    chance: float = 1.0  # with which it came to be labelled
    cost_usd_picos: int = 0
    latency_ms: float | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The same for the cases of one tag."""

    tag: str
    value: str
    n: int
    agreement: Estimate
    sensitivity: Estimate
    specificity: Estimate


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the judge was calibrated on, in numbers: lengths and verdicts, and no text."""

    chars: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a judge does, against people's labels. Rates leave out what it did not judge."""

    judge: str
    digest: str  # of the judge, as it was then
    made_us: int
    n: int  # labels
    unjudged: Estimate  # share that it did not judge
    ties: int = 0
    agreement: Estimate
    sensitivity: Estimate  # of those that people accept, how many it passes
    specificity: Estimate  # of those that people reject, how many it fails
    kappa: Estimate
    brier: Estimate | None = None  # of a judge with grades: mean squared distance to the label
    consistency: Estimate | None = None  # of pairs: both orders agree
    first_preferred: Estimate | None = None  # of pairs: what is shown first is called better; 0.5
    length_bias: Estimate | None = None  # by how much more than people it likes longer answers
    repeat_variance: float | None = None  # of one question asked again, mean over cases
    cost_usd_picos: int = 0  # of one verdict, mean
    latency_ms: float | None = None  # of one verdict, median
    slices: tuple[Slice, ...] = ()
    seen: Seen = Seen()
    source: str = ""  # where the labels are from
    level: float = 0.95


def judge_card(
    spec: JudgeSpec,
    rows: Sequence[Labelled],
    *,
    made_us: int,
    source: str = "",
    level: float = 0.95,
) -> Card:
    """The card of a judge. Labels drawn with unequal chances are weighed by them.

    Kappa, and what is said of order and length, is of the labelled cases as they are.
    """
    known = [row for row in rows if row.passed is not None]
    pairs = [row for row in rows if row.orders is not None]
    latencies = sorted(row.latency_ms for row in rows if row.latency_ms is not None)
    variances = [row.variance for row in rows if row.variance is not None]
    sensitivity, specificity = _right(known, True, level), _right(known, False, level)
    return Card(
        judge=spec.name,
        digest=spec.digest,
        made_us=made_us,
        n=len(rows),
        unjudged=wilson(sum(row.value is None for row in rows), len(rows), level=level),
        ties=sum(row.value is not None and row.passed is None for row in rows),
        agreement=_agreement(known, level),
        sensitivity=sensitivity,
        specificity=specificity,
        kappa=cohen_kappa(
            [row.human for row in known], [bool(row.passed) for row in known], level=level
        ),
        brier=_brier(rows, level) if spec.scale is not None else None,
        consistency=_consistency(pairs, level),
        first_preferred=_first_preferred(pairs, level),
        length_bias=_length_bias(known, spec.kind == "pairwise", level),
        repeat_variance=math.fsum(variances) / len(variances) if variances else None,
        cost_usd_picos=sum(row.cost_usd_picos for row in rows) // max(1, len(rows)),
        latency_ms=latencies[len(latencies) // 2] if latencies else None,
        slices=_slices(known, level),
        seen=seen_of([(row.chars, row.value) for row in rows]),
        source=source,
        level=level,
    )


def seen_of(pairs: Sequence[tuple[int | None, float | None]]) -> Seen:
    """The lengths and values of these cases, every n-th where there are many."""
    step = max(1, -(-len(pairs) // _SHAPE))
    kept = pairs[::step]
    return Seen(
        chars=tuple(sorted(chars for chars, _ in kept if chars is not None)),
        values=tuple(sorted(value for _, value in kept if value is not None)),
    )


def _agreement(rows: Sequence[Labelled], level: float) -> Estimate:
    return weighted_rate(
        [row.passed == row.human for row in rows], [row.chance for row in rows], level=level
    )


def _right(rows: Sequence[Labelled], human: bool, level: float) -> Estimate:
    of = [row for row in rows if row.human == human]
    return _agreement(of, level)


def _brier(rows: Sequence[Labelled], level: float) -> Estimate:
    return mean(
        [(row.value - row.human) ** 2 for row in rows if row.value is not None], level=level
    )


def _consistency(pairs: Sequence[Labelled], level: float) -> Estimate | None:
    both = [row.orders for row in pairs if row.orders is not None and None not in row.orders]
    if not both:
        return None
    same = sum(_side(first) == _side(second) for first, second in both)
    return wilson(same, len(both), level=level)


def _first_preferred(pairs: Sequence[Labelled], level: float) -> Estimate | None:
    """Of pairs judged in both orders: how often what was shown first won, a tie being half."""
    shown = []
    for row in pairs:
        as_given, swapped = row.orders or (None, None)
        if as_given is not None and swapped is not None:  # the second order showed the other first
            shown.append((as_given + (1.0 - swapped)) / 2)
    return mean(shown, level=level) if shown else None


def _length_bias(rows: Sequence[Labelled], pairwise: bool, level: float) -> Estimate | None:
    """How much likelier than people it is to like the longer answer.

    Of pairs: the share of longer answers it prefers less people's. Of single answers: (judge less
    people) in the longer half less the same in the shorter half. 0: it likes length as people do.
    """
    sized = [row for row in rows if row.chars is not None and (row.chars or not pairwise)]
    if len(sized) < FEWEST:
        return None
    if pairwise:
        return mean(
            [
                float(bool(row.passed) == ((row.chars or 0) > 0))
                - float(row.human == ((row.chars or 0) > 0))
                for row in sized
            ],
            level=level,
        )
    middle = sorted(row.chars or 0 for row in sized)[len(sized) // 2]
    longer = [row for row in sized if (row.chars or 0) >= middle]
    shorter = [row for row in sized if (row.chars or 0) < middle]
    if len(shorter) < FEWEST // 2 or len(longer) < FEWEST // 2:
        return None
    excess = [
        [float(bool(row.passed)) - float(row.human) for row in part] for part in (longer, shorter)
    ]
    value = math.fsum(excess[0]) / len(longer) - math.fsum(excess[1]) / len(shorter)
    errors = [standard_error(part) or 0.0 for part in excess]
    freedom = min(len(longer), len(shorter)) - 1
    half = student_t_quantile(0.5 + level / 2, freedom) * math.hypot(*errors)
    return Estimate(value=value, low=value - half, high=value + half, n=len(sized), level=level)


def _slices(rows: Sequence[Labelled], level: float) -> tuple[Slice, ...]:
    groups: dict[tuple[str, str], list[Labelled]] = {}
    for row in rows:
        for tag in row.tags.items():
            groups.setdefault(tag, []).append(row)
    large = [each for each in groups.items() if FEWEST <= len(each[1]) < len(rows)]
    found = [
        Slice(
            tag=tag,
            value=value,
            n=len(of),
            agreement=_agreement(of, level),
            sensitivity=_right(of, True, level),
            specificity=_right(of, False, level),
        )
        for (tag, value), of in sorted(large, key=lambda each: (-len(each[1]), each[0]))
    ]
    return tuple(found[:MOST_SLICES])


def _side(value: float | None) -> int:
    assert value is not None, "only pairs judged in both orders have sides"
    return (value > 0.5) - (value < 0.5)


def tags_of(tags: Mapping[str, str], *, most: int = 20) -> dict[str, str]:
    """At most so many tags, short ones: what a card tells slices apart by."""
    return {k[:64]: v[:64] for k, v in sorted(tags.items())[:most]}
