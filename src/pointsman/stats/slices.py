"""Where a rate falls: slices of cases that do worse than the rest, false discoveries bounded.

A slice is one or two conditions, `column = value` or `column` within a range. Candidates are
chosen on one half of the cases and tested on the other, which did not choose them; what is found
is taken out and the rest looked at again, so that one fault is told once.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import msgspec

from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import newcombe_difference
from pointsman.stats.sequences import benjamini_hochberg

_MOST_VALUES = 40  # of one column, the most frequent; more values are ranges or none
_RANGES = 6  # that numbers are cut into, by quantiles
_MOST_FOUND = 12
_CHOSEN = 3.0  # standard errors that a candidate must fall by in the half that chooses
_TESTED = 24  # candidates that go on to the other half, worst first


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that do worse, or better, than all others."""

    where: str  # the conditions, for people
    conditions: tuple[tuple[str, str], ...]
    n: int
    rate: float
    others: float
    difference: Estimate  # of rates, this slice less the others, all cases
    p_value: float  # on the half that did not choose it
    share: float  # of all cases


def find_slices(
    outcomes: Sequence[bool],
    columns: Mapping[str, Sequence[Hashable]],
    *,
    least_share: float = 0.01,
    least: int = 30,
    rate: float = 0.05,
    rises: bool = False,
) -> list[Slice]:
    """Slices whose rate of True lies below that of the other cases, the largest loss first.

    Args: columns hold a value for each case; numbers with many values are cut into ranges. A
    slice has `least` cases and that share of all at least. `rate` is the expected share of false
    discoveries among those named. rises looks for slices above the others instead.
    Raises: ValueError for columns of another length.
    Source: candidates as SliceLine (SIGMOD 2021) has them, of two conditions at most; a score
    test on held-out cases under Benjamini and Hochberg.
    """
    n = len(outcomes)
    for name, values in columns.items():
        if len(values) != n:
            raise ValueError(f"{name} has {len(values)} values for {n} cases")
    wanted = [not each for each in outcomes] if rises else list(outcomes)
    single = [part for name, values in columns.items() for part in _conditions(name, values)]
    left = set(range(n))
    found: list[Slice] = []
    while len(found) < _MOST_FOUND and len(left) >= 2 * least:
        made = _worst(wanted, single, left, max(least, math.ceil(least_share * n)), rate)
        if made is None:
            break
        conditions, members, p_value = made
        found.append(_slice(outcomes, conditions, members, p_value))
        left -= members
    return found


class _Condition(msgspec.Struct, frozen=True):
    column: str
    said: str
    members: frozenset[int]


def _conditions(name: str, values: Sequence[Hashable]) -> list[_Condition]:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > _RANGES * 2:
        return _ranges(name, [float(number) for number in numbers])
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for at, value in enumerate(values):
        members[value].append(at)
    common = sorted(members.items(), key=lambda item: (-len(item[1]), str(item[0])))
    return [
        _Condition(name, str(value), frozenset(cases)) for value, cases in common[:_MOST_VALUES]
    ]


def _ranges(name: str, values: list[float]) -> list[_Condition]:
    order = sorted(values)
    edges = sorted({order[len(order) * cut // _RANGES] for cut in range(1, _RANGES)})
    made = []
    for low, high in zip([-math.inf, *edges], [*edges, math.inf], strict=True):
        cases = frozenset(at for at, value in enumerate(values) if low <= value < high)
        said = f"< {high:g}" if low == -math.inf else f">= {low:g}"
        if math.isfinite(low) and math.isfinite(high):
            said = f"{low:g} to {high:g}"
        if cases:
            made.append(_Condition(name, said, cases))
    return made


def _worst(
    outcomes: Sequence[bool], single: list[_Condition], left: set[int], least: int, rate: float
) -> tuple[tuple[_Condition, ...], set[int], float] | None:
    """The slice that loses most among those that both halves show."""
    choosing = {at for at in left if _half(at)}
    testing = left - choosing
    candidates = _candidates(outcomes, single, left, choosing, least)
    if not candidates:
        return None
    p_values = [_p_value(outcomes, members & testing, testing) for _, members in candidates]
    shown = benjamini_hochberg(p_values, rate=rate)
    best, most = None, 0.0
    for (conditions, members), p_value, holds in zip(candidates, p_values, shown, strict=True):
        if not holds:
            continue
        score = -_score(outcomes, members, left)
        if score > most:
            best, most = (conditions, members, p_value), score
    return best


def _candidates(
    outcomes: Sequence[bool], single: list[_Condition], left: set[int], choosing: set[int],
    least: int,
) -> list[tuple[tuple[_Condition, ...], set[int]]]:  # fmt: skip
    scored: list[tuple[tuple[_Condition, ...], set[int], float]] = []
    kept: list[tuple[_Condition, set[int]]] = []
    for part in single:
        members = set(part.members & left)
        if least <= len(members) <= len(left) - least:
            kept.append((part, members))
            scored.append(((part,), members, _score(outcomes, members & choosing, choosing)))
    for (first, a), (second, b) in combinations(kept, 2):
        if first.column == second.column:
            continue
        members = a & b
        if least <= len(members) < min(len(a), len(b)):
            score = _score(outcomes, members & choosing, choosing)
            scored.append(((first, second), members, score))
    scored = [each for each in scored if each[2] <= -_CHOSEN]
    scored.sort(key=lambda each: each[2])
    return [(conditions, members) for conditions, members, _ in scored[:_TESTED]]


def _score(outcomes: Sequence[bool], members: set[int], among: set[int]) -> float:
    """Standard errors by which the slice lies above the others; 0 where nothing can be said."""
    n, rest = len(members), len(among) - len(members)
    if n == 0 or rest == 0:
        return 0.0
    yes = sum(outcomes[at] for at in members)
    others = sum(outcomes[at] for at in among) - yes
    pooled = (yes + others) / (n + rest)
    variance = pooled * (1 - pooled) * (1 / n + 1 / rest)
    return (yes / n - others / rest) / math.sqrt(variance) if variance > 0 else 0.0


def _p_value(outcomes: Sequence[bool], members: set[int], among: set[int]) -> float:
    """One-sided, that the slice does worse."""
    score = _score(outcomes, members, among)
    return 0.5 * math.erfc(-score / math.sqrt(2))


def _slice(
    outcomes: Sequence[bool], conditions: tuple[_Condition, ...], members: set[int], p_value: float
) -> Slice:
    n, total = len(members), len(outcomes)
    yes = sum(outcomes[at] for at in members)
    others = sum(outcomes) - yes
    pairs = tuple((each.column, each.said) for each in conditions)
    return Slice(
        where=" and ".join(
            f"{column} {said}" if said[:1] in "<>" else f"{column} = {said}"
            for column, said in pairs
        ),
        conditions=pairs,
        n=n,
        rate=yes / n,
        others=others / max(1, total - n),
        difference=newcombe_difference(others, total - n, yes, n),
        p_value=p_value,
        share=n / total,
    )


def _half(at: int) -> bool:
    """A fixed coin for each case, by its position: Weyl's sequence, which no order of cases has."""
    return (at * 0.6180339887498949) % 1.0 < 0.5
