"""How many run at once: more while answers come, fewer at once where something is full."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.evals.pacing import Pace


def test_it_doubles_until_something_is_full_then_adds_one_at_a_time():
    pace = Pace(ceiling=64, start=4)
    for _ in range(4):
        pace.fine()
    assert pace.limit == 8
    pace.full(at_s=10.0, took_s=1.0)
    assert pace.limit == 4
    for _ in range(5):
        pace.fine()
    assert pace.limit == 5


def test_answers_sent_before_the_last_cut_count_once():
    pace = Pace(ceiling=64, start=32)
    for at_s in (10.0, 10.1, 10.2):
        pace.full(at_s=at_s, took_s=1.0)
    assert pace.limit == 16
    pace.full(at_s=11.5, took_s=1.0)
    assert pace.limit == 8


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 50), st.integers(1, 50))
def test_it_stays_within_its_bounds_whatever_comes(answers, ceiling, start):
    pace = Pace(ceiling=ceiling, start=start)
    for at, fine in enumerate(answers):
        if fine:
            pace.fine()
        else:
            pace.full(at_s=float(at), took_s=0.5)
        assert 1 <= pace.limit <= ceiling
