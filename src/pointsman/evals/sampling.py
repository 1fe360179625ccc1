"""Which requests to label next: by how much a label narrows the interval, with known chances.

Every request has a number of its own, made of its name; a draw takes those whose number is small
for their weight. So a draw can be taken again, a later one adds to it, and the chance of a request
by all draws is that of the most generous one.
"""

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec

_FLOOR = 0.25  # share of a draw that goes evenly over everything: no weight explodes
_PRIOR = 5.0  # labels that a guess of a stratum's spread is worth
_LEAST_SPREAD = 0.1  # in labels of 0 and 1: what nobody looked at may surprise


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request that could be labelled."""

    trace: str
    stratum: str  # requests of one stratum are as likely as each other
    judged: float | None = None  # in [0, 1]
    label: float | None = None  # in [0, 1], where it has one
    chance: float = 0.0  # by draws before this one


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a draw, and how likely it was by all draws so far."""

    trace: str
    chance: float
    stratum: str
    again: bool = False  # drawn before; only its chance grew


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """What to label next, and what it is expected to be worth."""

    picks: tuple[Pick, ...]
    pool: int
    strata: dict[str, int]
    half_width_now: float | None  # of the 95 % interval, roughly; None: too few labels
    half_width_then: float  # expected once these are labelled


def own_number(trace: str, salt: str = "") -> float:
    """The number of a request in (0, 1), the same for ever. Source: permanent random numbers,
    Ohlsson (1995)."""
    return (int.from_bytes(sha256(f"{salt}:{trace}".encode()).digest()[:8]) + 0.5) / 2**64


def stratum_of(judged: float | None, segment: str = "") -> str:
    """By what the judge said, in five parts, and by the segment."""
    part = "unjudged" if judged is None else f"judge {min(4, int(judged * 5)) / 5:.1f}"
    return f"{segment} · {part}" if segment else part


def draw(candidates: Sequence[Candidate], n: int) -> Draw:
    """At most n requests that have no label and were not drawn before.

    A request is as likely as the spread of labels around the judge's word in its stratum (Neyman's
    allocation, spreads learned from the labels there are), with a quarter spread evenly. The
    chances are those given the threshold, which the first request that is not taken sets (Duffield
    and others 2007, priority sampling): estimates weighed by them are right on average.
    """
    spreads = _spreads(candidates)
    sizes: dict[str, int] = {}
    for each in candidates:
        sizes[each.stratum] = sizes.get(each.stratum, 0) + 1
    if not candidates:
        return Draw(picks=(), pool=0, strata={}, half_width_now=None, half_width_then=0.0)
    total = math.fsum(spreads[each.stratum] for each in candidates)
    even = 1.0 / len(candidates)
    wish = {name: (1 - _FLOOR) * spread / total + _FLOOR * even for name, spread in spreads.items()}
    fresh = sorted(
        (own_number(each.trace) / wish[each.stratum], each.trace)
        for each in candidates
        if each.chance <= 0.0
    )
    taken = fresh[:n]
    threshold = fresh[n][0] if len(fresh) > n else math.inf
    names = {trace for _, trace in taken}
    after: dict[str, float] = {}
    picks = []
    for each in candidates:
        by_this = min(1.0, threshold * wish[each.stratum]) if n > 0 else 0.0
        chance = max(each.chance, by_this)
        after[each.trace] = chance
        if each.trace in names:
            picks.append(Pick(trace=each.trace, chance=chance, stratum=each.stratum))
        elif each.chance > 0.0 and chance > each.chance:
            picks.append(Pick(trace=each.trace, chance=chance, stratum=each.stratum, again=True))
    order = {trace: place for place, (_, trace) in enumerate(taken)}
    picks.sort(key=lambda pick: order.get(pick.trace, len(order)))
    before = {each.trace: each.chance for each in candidates}
    labelled = sum(each.label is not None for each in candidates)
    return Draw(
        picks=tuple(picks),
        pool=len(candidates),
        strata=dict(sorted(sizes.items())),
        half_width_now=_half_width(candidates, spreads, before) if labelled >= 10 else None,
        half_width_then=_half_width(candidates, spreads, after),
    )


def _spreads(candidates: Sequence[Candidate]) -> dict[str, float]:
    """The standard deviation of label less judgement in each stratum, towards a guess."""
    rest: dict[str, list[float]] = {}
    guesses: dict[str, list[float]] = {}
    for each in candidates:
        guess = 0.5 if each.judged is None else each.judged
        guesses.setdefault(each.stratum, []).append(guess)
        if each.label is not None:
            rest.setdefault(each.stratum, []).append(each.label - guess)
    found = {}
    for stratum, of in guesses.items():
        share = math.fsum(of) / len(of)
        prior = max(_LEAST_SPREAD, share * (1 - share))
        seen = rest.get(stratum, [])
        centre = math.fsum(seen) / len(seen) if seen else 0.0
        squares = math.fsum((each - centre) ** 2 for each in seen)
        found[stratum] = math.sqrt((squares + _PRIOR * prior) / (len(seen) + _PRIOR))
    return found


def _half_width(
    candidates: Sequence[Candidate], spreads: Mapping[str, float], chances: Mapping[str, float]
) -> float:
    """Of the 95 % interval of the mean of all, expected of labels with these chances."""
    known = [each for each in candidates if chances[each.trace] > 0.0]
    if not known:
        return 1.0
    size = len(known)
    labels = math.fsum(spreads[c.stratum] ** 2 / chances[c.trace] for c in known) / size**2
    judged = [c.judged for c in candidates if c.judged is not None]
    centre = math.fsum(judged) / len(judged) if judged else 0.0
    of_judge = math.fsum((f - centre) ** 2 for f in judged) / len(judged) ** 2 if judged else 0.0
    return min(1.0, 1.96 * math.sqrt(labels + of_judge))
