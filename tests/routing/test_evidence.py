"""What outcomes teach of an arm: estimates that follow, fade, and notice a change."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.routing.evidence import (
    Cell,
    Evidence,
    after_call,
    after_gate,
    after_outcome,
    believe,
    corrected,
)


def fed(cell: Cell, outcomes, *, base: float | None = None, told=False, memory=500) -> Cell:
    for accepted in outcomes:
        expected = believe("a", cell, base=base).accepted
        cell = after_outcome(
            cell, accepted=accepted, base=0.5 if base is None else base, expected=expected,
            told=told, memory=memory,
        )  # fmt: skip
    return cell


def coin(seed: int, share: float, n: int) -> list[bool]:
    dice = random.Random(seed)
    return [dice.random() < share for _ in range(n)]


@pytest.mark.parametrize("base", [None, 0.3, 0.9])
def test_an_estimate_goes_to_what_was_accepted_wherever_it_began(base):
    belief = believe("a", fed(Cell(), coin(1, 0.7, 1000), base=base), base=base)
    assert belief.accepted == pytest.approx(0.7, abs=0.06)
    assert belief.low < belief.accepted < belief.high
    assert belief.n == pytest.approx(500, rel=0.2)  # about so many count


def test_an_estimate_of_a_router_keeps_its_order_when_it_is_moved():
    cell = fed(Cell(), coin(2, 0.5, 300), base=0.8)
    easy, hard = (believe("a", cell, base=base).accepted for base in (0.95, 0.6))
    assert hard < 0.5 < easy


def test_a_shift_is_noticed_and_the_old_outcomes_fade_at_once():
    steady = fed(Cell(), coin(3, 0.9, 400))
    assert steady.shifts == 0
    fallen = fed(steady, coin(4, 0.3, 60))
    assert fallen.shifts == 1
    assert believe("a", fallen, base=None).accepted == pytest.approx(0.3, abs=0.2)


def test_a_steady_arm_rarely_alarms():
    alarms = [fed(Cell(), coin(seed, 0.8, 1000)).shifts for seed in range(10)]
    assert sum(alarms) <= 2  # one in 2,000 outcomes is the most that is expected


def test_a_gate_is_believed_to_tell_once_outcomes_say_so():
    cell = Cell()
    assert believe("a", cell, base=None).passes_wrong == 1.0
    for number in range(300):  # two in three pass, of which nine in ten are accepted
        passed = number % 3 > 0
        cell = after_gate(cell, passed=passed, memory=500)
        cell = fed(cell, [passed and number % 20 > 1], told=passed)
    belief = believe("a", cell, base=None)
    assert belief.passes_right > 0.95
    assert belief.passes_wrong < 0.3


def test_costs_follow_the_calls_and_scale_a_routers_estimate():
    cell = Cell()
    for _ in range(50):
        cell = after_call(cell, cost=300.0, base=100.0, memory=500)
    assert believe("a", cell, base=0.5, base_cost=200).cost_usd_picos == pytest.approx(533, abs=5)
    assert believe("a", cell, base=None).cost_usd_picos == 300
    assert believe("a", Cell(), base=None, cost_else=7.0).cost_usd_picos == 7


def test_a_verdict_that_turned_round_is_counted_once():
    cell = fed(Cell(), [True, True], told=True)
    turned = corrected(cell, accepted=False, told=True)
    assert turned.n == cell.n
    assert turned.accepted == pytest.approx(cell.accepted - 1)
    assert corrected(turned, accepted=True, told=True) == cell


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=60),
       st.none() | st.floats(0, 1), st.integers(20, 200))  # fmt: skip
@settings(max_examples=100)
def test_beliefs_are_probabilities_and_sums_are_bounded(history, base, memory):
    cell = Cell()
    for accepted, passed, turned in history:
        cell = after_gate(cell, passed=passed, memory=memory)
        cell = fed(cell, [accepted], base=base, told=passed, memory=memory)
        if turned:
            cell = corrected(cell, accepted=not accepted, told=passed)
        cell = after_call(cell, cost=5.0, base=0.0, memory=memory)
    belief = believe("a", cell, base=base)
    for share in (belief.accepted, belief.passes_right, belief.passes_wrong):
        assert 0.0 <= share <= 1.0
    assert belief.low <= belief.accepted <= belief.high
    assert 0.0 <= cell.accepted <= cell.n <= memory
    assert 0.0 <= cell.passed <= cell.gated <= memory


def test_the_cells_are_bounded_and_the_longest_untouched_go():
    evidence = Evidence(most=2)
    for arm in ("a", "b", "a", "c"):
        evidence.put("t", arm, Cell(n=1.0))
    assert set(evidence.cells) == {("t", "a"), ("t", "c")}
    assert evidence.cell("t", "b") == Cell()
