"""Labels drawn with known chances: right on average, covered as stated, narrower with a judge."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.stats.ppi_sampled import ppi_sampled


def _traffic(chance, size, *, right=0.85, good=0.7):
    """Labels of people and a judge's word on each, right so often."""
    people = [float(chance.random() < good) for _ in range(size)]
    judge = [y if chance.random() < right else 1 - y for y in people]
    return people, judge


def _drawn(chance, people, judge, chances):
    picked = [i for i, p in enumerate(chances) if chance.random() < p]
    taken = set(picked)
    return (
        [people[i] for i in picked], [judge[i] for i in picked], [chances[i] for i in picked],
        [f for i, f in enumerate(judge) if i not in taken],
    )  # fmt: skip


@pytest.mark.parametrize("right", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("uneven", [False, True])
def test_the_truth_is_covered_whoever_the_judge_is_and_however_labels_were_drawn(right, uneven):
    chance, runs, inside, total, widths = random.Random(11), 250, 0, 0.0, [0.0, 0.0]
    for _ in range(runs):
        people, judge = _traffic(chance, 400, right=right)
        # where the judge says no, people look four times as often
        chances = [(0.6 if f == 0 else 0.15) if uneven else 0.25 for f in judge]
        found = ppi_sampled(*_drawn(chance, people, judge, chances))
        inside += found.corrected.low <= 0.7 <= found.corrected.high
        total += found.corrected.value
        widths[0] += found.corrected.high - found.corrected.low
        widths[1] += found.human.high - found.human.low
    assert 0.92 <= inside / runs <= 0.98
    assert total / runs == pytest.approx(0.7, abs=0.01)
    assert widths[0] <= 1.02 * widths[1]
    if right == 0.9:
        assert widths[0] < 0.85 * widths[1]


def test_labels_drawn_by_the_judges_word_mislead_without_their_chances_and_not_with_them():
    chance = random.Random(3)
    people, judge = _traffic(chance, 20_000, right=0.9)
    chances = [0.4 if f == 0 else 0.02 for f in judge]
    human, judged, known, others = _drawn(chance, people, judge, chances)
    assert abs(sum(human) / len(human) - 0.7) > 0.2
    found = ppi_sampled(human, judged, known, others)
    assert found.corrected.low < 0.7 < found.corrected.high
    assert found.corrected.high - found.corrected.low < 0.1


def test_labels_of_nearly_one_kind_are_bounded_without_the_judge():
    found = ppi_sampled([1.0] * 40, [1.0] * 40, [0.1] * 40, [1.0] * 300 + [0.0] * 60)
    assert found.weight == 0.0
    assert found.corrected.value == 1.0
    assert 0.88 < found.corrected.low < 0.95


def test_few_labels_bound_nothing_and_none_say_nothing():
    few = ppi_sampled([1.0] * 4, [1.0] * 4, [0.5] * 4, [1.0] * 30)
    assert few.corrected.value == 1.0
    assert few.corrected.low is None
    assert ppi_sampled([], [], [], [1.0, 0.0]).corrected.value is None


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 1)), min_size=10, max_size=40
    ),
    st.lists(st.floats(0, 1), max_size=40),
)
def test_an_interval_holds_its_value_and_the_weight_is_a_share(labels, others):
    human, judged, chances = zip(*labels, strict=True)
    found = ppi_sampled(human, judged, chances, others)
    assert found.corrected.low - 1e-9 <= found.corrected.value <= found.corrected.high + 1e-9
    assert 0.0 <= found.weight <= 1.0


@pytest.mark.parametrize("chances", [[0.0] * 3, [1.5] * 3, [0.5]])
def test_chances_that_are_none_are_refused(chances):
    with pytest.raises(ValueError, match="chance"):
        ppi_sampled([1.0] * 3, [1.0] * 3, chances, [1.0])
