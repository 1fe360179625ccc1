"""Power is what simulation says it is; repeats are told from cases."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.epochs import pass_all, pass_at, split_variance
from pointsman.stats.means import compare, mean, paired_mean
from pointsman.stats.power import cases_needed, cases_to_show_same, power_of, smallest_shift


@pytest.mark.parametrize("epochs", [1, 4])
def test_power_is_that_of_simulation(epochs):
    """Within two points, and what simulation itself leaves open."""
    dice, shown, runs, n, shift = random.Random(1), 0, 600, 60, 0.3
    spread, within = 0.5, 0.8
    for _ in range(runs):
        gaps = []
        for _ in range(n):
            own = dice.gauss(shift, spread)
            a = [dice.gauss(0, within) for _ in range(epochs)]
            b = [dice.gauss(own, within) for _ in range(epochs)]
            gaps.append(sum(b) / epochs - sum(a) / epochs)
        said = mean(gaps)
        shown += said.low > 0
    promised = power_of(
        n, shift=shift, spread=spread, within_a=within, within_b=within, epochs=epochs
    )
    assert shown / runs == pytest.approx(promised, abs=0.02 + 2 * math.sqrt(0.25 / runs))


@given(st.floats(0.01, 1), st.floats(0.05, 2), st.floats(0, 1), st.integers(1, 8))
def test_cases_and_shifts_are_inverse(shift, spread, within, epochs):
    kept = {"spread": spread, "within_a": within, "within_b": within, "epochs": epochs}
    n = cases_needed(shift=shift, **kept)
    assert smallest_shift(n, **kept) <= shift * (1 + 1e-9)
    if n > 2:
        assert smallest_shift(n - 1, **kept) > shift * (1 - 1e-9)
        assert power_of(n, shift=shift, **kept) >= 0.8 - 1e-9


def test_as_many_cases_as_promised_show_sameness():
    n = cases_to_show_same(margin=0.1, spread=0.5)
    dice, same = random.Random(3), 0
    for _ in range(300):
        a = [dice.gauss(0, 0.5) for _ in range(n)]
        b = [one + dice.gauss(0, 0.5) for one in a]
        same += compare(a, b, margin=0.1).verdict == "same"
    assert same / 300 == pytest.approx(0.8, abs=0.08)


def test_too_little_has_no_power():
    assert power_of(1, shift=1, spread=1) == 0.0
    assert smallest_shift(1, spread=1) is None
    assert power_of(10, shift=0.1, spread=0) == 1.0
    with pytest.raises(ValueError, match="power"):
        cases_needed(shift=1, spread=1, power=1.5)
    with pytest.raises(ValueError, match="margin"):
        cases_to_show_same(margin=0, spread=1)


def test_repeats_are_told_from_cases():
    dice, items, within, known = random.Random(2), [], [], []
    for _ in range(200):
        scores = []
        for _ in range(80):
            centre = dice.gauss(0, 0.5)
            scores.append([dice.gauss(centre, 0.9) for _ in range(dice.choice([2, 3, 5]))])
        said = split_variance(scores)
        items.append(said.items)
        within.append(said.within)
        known.append(said.mean.low <= 0 <= said.mean.high)
    assert sum(items) / 200 == pytest.approx(0.25, rel=0.08)
    assert sum(within) / 200 == pytest.approx(0.81, rel=0.04)
    assert sum(known) / 200 == pytest.approx(0.95, abs=0.04)
    assert said.error(100, 4) == pytest.approx(math.sqrt((said.items + said.within / 4) / 100))
    assert said.flaky == 1.0


def test_without_repeats_nothing_is_said_of_them():
    said = split_variance([[1.0], [0.0], [1.0]])
    assert (said.items, said.within, said.flaky, said.worthwhile) == (None,) * 4
    assert said.mean == mean([1.0, 0.0, 1.0])
    assert said.error(10, 2) is None
    with pytest.raises(ValueError, match="without any score"):
        split_variance([[1.0], []])
    assert split_variance([[1.0, 1.0], [0.0, 0.0]]).worthwhile == 1


def test_epochs_beyond_what_they_tell_are_not_worthwhile():
    dice = random.Random(9)
    noisy = [[float(dice.random() < 0.5) for _ in range(4)] for _ in range(100)]
    assert split_variance(noisy).worthwhile == 10


def test_chances_of_some_and_of_all():
    assert pass_at(1, 4, 2) == pytest.approx(0.5)
    assert pass_all(3, 4, 2) == pytest.approx(0.5)
    assert pass_at(2, 2, 3) is pass_all(2, 2, 3) is None
    assert (pass_at(0, 5, 3), pass_all(5, 5, 3)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="cannot be"):
        pass_at(3, 2, 1)


def test_pairs_of_unlike_number_are_refused():
    with pytest.raises(ValueError, match="differ"):
        paired_mean([1.0], [])
