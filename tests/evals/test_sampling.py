"""Draws of requests to label: exact in number, the same again, right on average, worth more."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.evals.sampling import Candidate, draw, own_number, stratum_of
from pointsman.stats.ppi_sampled import ppi_sampled


def traffic(chance, size, *, right=0.85):
    people = {f"tr_{number}-{chance.random()}": chance.random() < 0.75 for number in range(size)}
    candidates = []
    for trace, good in people.items():
        sure = chance.random() < 0.7  # what the judge is sure of it is seldom wrong about
        judged = (0.95 if good else 0.05) if sure else 0.5 + chance.uniform(-0.09, 0.09)
        if sure and chance.random() > right + 0.1:
            judged = 1 - judged
        candidates.append(Candidate(trace=trace, judged=judged, stratum=stratum_of(judged)))
    return people, candidates


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32))
def test_a_draw_has_as_many_as_asked_and_its_chances_are_chances(size, n, seed):
    _, candidates = traffic(random.Random(seed), size)
    found = draw(candidates, n)
    assert len(found.picks) == min(n, size)
    assert all(0.0 < pick.chance <= 1.0 for pick in found.picks)
    assert sum(found.strata.values()) == found.pool == size
    if n >= size:
        assert all(pick.chance == 1.0 for pick in found.picks)
    assert draw(list(reversed(candidates)), n).picks == found.picks


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_a_second_draw_goes_on_where_the_first_ended(first, second, seed):
    _, candidates = traffic(random.Random(seed), 60)
    one = draw(candidates, first)
    known = {pick.trace: pick.chance for pick in one.picks}
    after = [
        Candidate(trace=c.trace, judged=c.judged, stratum=c.stratum, chance=known.get(c.trace, 0.0))
        for c in candidates
    ]
    two = draw(after, second)
    fresh = [pick for pick in two.picks if not pick.again]
    assert not {pick.trace for pick in fresh} & set(known)
    assert len(fresh) == min(second, 60 - len(known))
    for pick in two.picks:
        assert pick.chance >= known.get(pick.trace, 0.0)


def test_what_is_likeliest_to_narrow_the_interval_is_drawn_most():
    _, candidates = traffic(random.Random(1), 3000)
    found = draw(candidates, 300)
    taken = {pick.trace for pick in found.picks}
    unsure = [c for c in candidates if 0.4 <= c.judged < 0.6]
    sure = [c for c in candidates if not 0.4 <= c.judged < 0.6]
    share = [sum(c.trace in taken for c in part) / len(part) for part in (unsure, sure)]
    assert share[0] > 1.4 * share[1] > 0


def test_labels_say_where_the_judge_is_off_and_later_draws_go_there():
    _, candidates = traffic(random.Random(2), 2000)
    low, high = stratum_of(0.05), stratum_of(0.95)
    seen = [
        Candidate(trace=f"old{number}", judged=0.95 if number % 2 else 0.05,
                  label=float(number % 4 == 1) if number % 2 else 0.0,
                  stratum=high if number % 2 else low, chance=0.5)
        for number in range(80)
    ]  # fmt: skip
    found = draw([*candidates, *seen], 400)
    sizes = {name: sum(c.stratum == name for c in candidates) for name in (low, high)}
    taken = {name: sum(p.stratum == name and not p.again for p in found.picks) for name in sizes}
    assert taken[high] / sizes[high] > 1.5 * taken[low] / sizes[low]


def test_estimates_from_draws_are_right_on_average_and_covered():
    chance, inside, total, runs = random.Random(7), 0, 0.0, 150
    widths = [0.0, 0.0]
    for _ in range(runs):
        people, candidates = traffic(chance, 600)
        known: dict[str, float] = {}
        for n in (40, 40):  # labelled in two rounds
            found = draw(
                [
                    Candidate(trace=c.trace, judged=c.judged, stratum=c.stratum,
                              chance=known.get(c.trace, 0.0),
                              label=float(people[c.trace]) if c.trace in known else None)
                    for c in candidates
                ],
                n,
            )  # fmt: skip
            known.update({pick.trace: pick.chance for pick in found.picks})
        labelled = [c for c in candidates if c.trace in known]
        others = [c.judged for c in candidates if c.trace not in known]
        said = ppi_sampled(
            [float(people[c.trace]) for c in labelled], [c.judged for c in labelled],
            [known[c.trace] for c in labelled], others,
        )  # fmt: skip
        inside += said.corrected.low <= 0.75 <= said.corrected.high
        total += said.corrected.value
        widths[0] += (said.corrected.high - said.corrected.low) / 2
        widths[1] += found.half_width_then
        assert len(known) == 80
    assert total / runs == pytest.approx(0.75, abs=0.015)
    assert inside / runs >= 0.91
    assert widths[1] / runs == pytest.approx(widths[0] / runs, rel=0.35)  # a promise kept roughly


def test_a_number_is_of_the_name_alone_and_even():
    numbers = [own_number(f"tr_{i}") for i in range(4000)]
    assert own_number("tr_1") == numbers[1]
    assert sum(numbers) / 4000 == pytest.approx(0.5, abs=0.02)
    assert all(0 < number < 1 for number in numbers)


def test_nothing_to_draw_from_is_an_empty_draw():
    found = draw([], 40)
    assert found.picks == ()
    assert not math.isnan(found.half_width_then)
