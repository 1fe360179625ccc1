"""The contract of schedules: nothing lost, nothing run twice, whatever the clock does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.domain.ports import Schedules
from pointsman.state import State, open_state

SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND


def names(state: State, now_us: int) -> list[str]:
    return [each.name for each in state.schedules.due(now_us)]


def test_it_is_the_port(state: State) -> None:
    schedules: Schedules = state.schedules
    assert schedules is state.schedules


def test_a_new_schedule_is_due_at_once_and_then_a_period_later(state: State) -> None:
    state.schedules.ensure("seal", every_s=60, now_us=0)
    assert names(state, 0) == ["seal"]
    done = state.schedules.done("seal", now_us=5 * SECOND)
    assert (done.last_us, done.next_us, done.last_error) == (5 * SECOND, 65 * SECOND, None)
    assert names(state, 65 * SECOND - 1) == []
    assert names(state, 65 * SECOND) == ["seal"]


def test_its_time_survives_a_restart(url: str) -> None:
    with open_state(url) as state:
        state.schedules.ensure("seal", every_s=60, now_us=0)
        state.schedules.done("seal", now_us=0, error="disk full")
    with open_state(url) as state:
        again = state.schedules.ensure("seal", every_s=60, now_us=30 * SECOND)
        assert (again.next_us, again.last_error) == (60 * SECOND, "disk full")


def test_missed_runs_collapse_into_one(state: State) -> None:
    state.schedules.ensure("seal", every_s=60, now_us=0)
    assert names(state, YEAR) == ["seal"]
    state.schedules.done("seal", now_us=YEAR)
    assert names(state, YEAR + 59 * SECOND) == []


def test_a_clock_that_ran_ahead_and_came_back_stops_nothing(state: State) -> None:
    state.schedules.ensure("seal", every_s=60, now_us=0)
    state.schedules.done("seal", now_us=100 * YEAR)
    assert names(state, 10 * SECOND) == ["seal"]
    state.schedules.done("seal", now_us=10 * SECOND)
    assert names(state, 11 * SECOND) == []


def test_clocks_of_two_hosts_that_differ_a_little_run_nothing_twice(state: State) -> None:
    state.schedules.ensure("seal", every_s=60, now_us=0)
    state.schedules.done("seal", now_us=100 * SECOND)
    assert names(state, 99 * SECOND) == []


def test_a_shorter_period_counts_from_now(state: State) -> None:
    state.schedules.ensure("seal", every_s=86_400, now_us=0)
    state.schedules.done("seal", now_us=0)
    shorter = state.schedules.ensure("seal", every_s=60, now_us=SECOND)
    assert (shorter.every_s, shorter.next_us) == (60, 61 * SECOND)
    longer = state.schedules.ensure("seal", every_s=86_400, now_us=2 * SECOND)
    assert (longer.every_s, longer.next_us) == (86_400, 61 * SECOND)


def test_the_longest_waiting_comes_first(state: State) -> None:
    for name, now in (("b", 3), ("a", 1), ("c", 2)):
        state.schedules.ensure(name, every_s=60, now_us=now)
    assert names(state, 10) == ["a", "c", "b"]


def test_an_error_is_kept_as_far_as_a_database_takes_it(state: State) -> None:
    state.schedules.ensure("seal", every_s=60, now_us=0)
    kept = state.schedules.done("seal", now_us=0, error="\0\ud800" + "x" * 5_000).last_error
    assert kept is not None
    assert kept.startswith("\ufffd?x")
    assert len(kept) == 2_000


def test_what_was_never_ensured_cannot_be_done(state: State) -> None:
    with pytest.raises(KeyError):
        state.schedules.done("unheard-of", now_us=0)


@pytest.mark.parametrize("every_s", [0, -1, float("inf"), float("nan")])
def test_a_period_of_no_time_is_refused(state: State, every_s: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        state.schedules.ensure("seal", every_s=every_s, now_us=0)


JUMPS = st.lists(
    st.sampled_from([0, 1, 1, 1, 30, 59, 61, 3_600, -1, -59, -61, -3_600, 10**9, -(10**9)]),
    max_size=40,
)


@pytest.fixture(scope="module")
def one_state(tmp_path_factory: pytest.TempPathFactory):
    with open_state(f"sqlite:///{tmp_path_factory.mktemp('s')}/state.sqlite") as state:
        yield state


@settings(max_examples=40)
@given(jumps=JUMPS)
def test_no_jump_of_the_clock_loses_a_job_or_runs_it_in_a_storm(one_state, jumps) -> None:
    """True time goes a second a step; the clock jumps. A job every 60 s stands still for at most
    two periods of a steady clock, and runs at most once a period and once a jump."""
    name = f"job-{hash(tuple(jumps))}"
    now = 2 * 10**15
    one_state.schedules.ensure(name, every_s=60, now_us=now)
    runs = 0
    for jump in jumps:
        now += jump * SECOND
        for _ in range(3):  # asked again and again by the same clock: it runs once
            if any(each.name == name for each in one_state.schedules.due(now)):
                one_state.schedules.done(name, now_us=now)
                runs += 1
    assert runs <= len(jumps)
    steady = now + 121 * SECOND
    assert any(each.name == name for each in one_state.schedules.due(steady))
