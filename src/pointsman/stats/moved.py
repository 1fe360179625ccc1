"""Where a rate moved: slices that changed by more than the other cases did, between two times.

Each slice is a value of one column. What is tested is the change within it less the change of all
others, so that a slice which was worse before as well is none.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import msgspec

from pointsman.stats.sequences import benjamini_hochberg

_MOST_VALUES = 40  # of one column, the most frequent since


class MovedSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice, its rates before and since, and by how much more it moved than the others."""

    column: str
    value: str
    n: int  # cases since
    before: float
    after: float
    gap: float  # its change less that of the others
    p_value: float  # two-sided


def moved_slices(
    before: Sequence[bool],
    before_columns: Mapping[str, Sequence[Hashable]],
    after: Sequence[bool],
    after_columns: Mapping[str, Sequence[Hashable]],
    *,
    least: int = 8,
    rate: float = 0.05,
) -> list[MovedSlice]:
    """Slices that moved with the whole and by more than the others, the largest gap first.

    Args: columns hold a value for each case; least cases that a slice and the others have in both
    times; `rate` is the expected share of false discoveries among those named.
    Raises: ValueError for columns of another length.
    Source: a z-test of the difference of two differences of rates, each shrunk by half a success
    and half a failure (Agresti and Caffo 2000), under Benjamini and Hochberg.
    """
    for cases, columns in ((before, before_columns), (after, after_columns)):
        for name, values in columns.items():
            if len(values) != len(cases):
                raise ValueError(f"{name} has {len(values)} values for {len(cases)} cases")
    if not before or not after:
        return []
    down = sum(after) / len(after) < sum(before) / len(before)
    found = []
    for name in after_columns:
        old, new = _counts(before, before_columns[name]), _counts(after, after_columns[name])
        common = sorted(new, key=lambda value: (-new[value][0], str(value)))[:_MOST_VALUES]
        for value in common:
            made = _test(name, value, old.get(value, (0, 0)), new[value], before, after, least)
            if made is not None:
                found.append(made)
    named = benjamini_hochberg([each.p_value for each in found], rate=rate)
    told = [each for each, holds in zip(found, named, strict=True) if holds]
    return sorted(
        (each for each in told if (each.gap < 0) == down), key=lambda each: -abs(each.gap)
    )


def _counts(cases: Sequence[bool], values: Sequence[Hashable]) -> dict[Hashable, tuple[int, int]]:
    found: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0])
    for yes, value in zip(cases, values, strict=True):
        found[value][0] += 1
        found[value][1] += yes
    return {value: (n, yes) for value, (n, yes) in found.items()}


def _test(
    column: str, value: Hashable, old: tuple[int, int], new: tuple[int, int],
    before: Sequence[bool], after: Sequence[bool], least: int,
) -> MovedSlice | None:  # fmt: skip
    rest_old = (len(before) - old[0], sum(before) - old[1])
    rest_new = (len(after) - new[0], sum(after) - new[1])
    if min(old[0], new[0], rest_old[0], rest_new[0]) < least:
        return None
    rates = [(yes + 0.5) / (n + 1) for n, yes in (old, new, rest_old, rest_new)]
    sizes = [old[0], new[0], rest_old[0], rest_new[0]]
    error = math.sqrt(sum(p * (1 - p) / (n + 1) for p, n in zip(rates, sizes, strict=True)))
    gap = (rates[1] - rates[0]) - (rates[3] - rates[2])
    return MovedSlice(
        column=column,
        value=str(value),
        n=new[0],
        before=old[1] / old[0],
        after=new[1] / new[0],
        gap=gap,
        p_value=math.erfc(abs(gap) / error / math.sqrt(2)),
    )
