"""The breaker of a deployment: when it opens, how it comes back, and what it never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.domain.portfolio import BreakerRules, Deployment
from pointsman.domain.records import Failure
from pointsman.routing.breaker import Breaker
from pointsman.routing.health import LONGEST_REST_S, Health, result_of
from pointsman.routing.windows import Window

RULES = BreakerRules(failures=3, failure_rate=0.5, window_s=10, least=10, open_s=4, probes=2)


def call(breaker: Breaker, result: str, now: float) -> None:
    ticket = breaker.begin(now)
    assert ticket is not None
    breaker.end(ticket, result, now)  # type: ignore[arg-type]


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(RULES)
    for _ in range(RULES.failures):
        call(breaker, "bad", now)
    assert breaker.phase == "open"
    return breaker


def test_failures_one_after_another_open_it_and_a_success_between_does_not():
    breaker = Breaker(RULES)
    for result in ("bad", "bad", "good", "bad", "bad"):
        call(breaker, result, 100)
    assert breaker.phase == "closed"
    call(breaker, "bad", 100)
    assert breaker.phase == "open"
    assert breaker.begin(100.1) is None


def test_a_rate_of_failures_opens_it_once_there_were_enough_attempts():
    breaker = Breaker(RULES)
    for at in range(RULES.least - 1):
        call(breaker, "good" if at % 2 else "bad", 100)
    assert breaker.phase == "closed"
    call(breaker, "bad", 100)
    assert breaker.phase == "open"


def test_failures_that_are_past_the_window_do_not_count():
    breaker = Breaker(RULES)
    for at in range(RULES.least - 1):
        call(breaker, "good" if at % 2 else "bad", 100)
    call(breaker, "bad", 100 + RULES.window_s + 1)
    assert breaker.phase == "closed"


def test_what_tells_nothing_of_the_deployment_neither_opens_nor_closes_it():
    breaker = Breaker(RULES)
    for _ in range(50):
        call(breaker, "neutral", 100)
    assert breaker.phase == "closed"
    breaker = opened(100)
    call(breaker, "neutral", 105)
    assert breaker.phase == "half_open"
    assert breaker.probing == 0


def test_half_open_lets_so_many_through_and_closes_once_they_were_answered():
    breaker = opened(100)
    tickets = [breaker.begin(104.1) for _ in range(4)]
    assert [ticket is not None for ticket in tickets] == [True, True, False, False]
    for ticket in tickets[:2]:
        assert breaker.phase == "half_open"
        breaker.end(ticket, "good", 104.2)
    assert breaker.phase == "closed"


def test_each_failed_trial_doubles_the_time_up_to_eightfold():
    breaker, now, times = opened(100), 100.0, []
    for _ in range(6):
        times.append(breaker.back_in_s(now))
        now = breaker.reopens_at
        call(breaker, "bad", now)
    assert times == [4, 8, 16, 32, 32, 32]


def test_once_it_closed_the_time_is_short_again():
    breaker = opened(100)
    call(breaker, "bad", 104)
    now = breaker.reopens_at
    call(breaker, "good", now)
    call(breaker, "good", now)
    assert breaker.phase == "closed"
    for _ in range(3):
        call(breaker, "bad", now + 1)
    assert breaker.back_in_s(now + 1) == 4


def test_what_was_sent_before_it_opened_neither_closes_nor_opens_it_anew():
    breaker = Breaker(RULES)
    early = [breaker.begin(100) for _ in range(2)]
    for _ in range(3):
        call(breaker, "bad", 100)
    breaker.end(early[0], "good", 101)
    assert breaker.phase == "open"
    assert breaker.look(104) == "half_open"
    breaker.end(early[1], "bad", 104)
    assert breaker.phase == "half_open"


def test_a_call_that_was_forced_through_brings_it_back_before_its_time():
    breaker = opened(100)
    ticket = breaker.begin(101, force=True)
    breaker.end(ticket, "good", 101)
    assert breaker.phase == "half_open"
    ticket = breaker.begin(101)
    breaker.end(ticket, "good", 101)
    assert breaker.phase == "closed"


def test_a_breaker_that_is_switched_off_never_opens():
    breaker = Breaker(BreakerRules(enabled=False, failures=1))
    for _ in range(100):
        call(breaker, "bad", 100)
    breaker.trip(100)
    assert breaker.phase == "closed"


def test_switching_it_off_closes_it():
    breaker = opened(100)
    breaker.change(BreakerRules(enabled=False), 101)
    assert breaker.begin(101) is not None


class Breakers(RuleBasedStateMachine):
    """Any order of calls and results, over any time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULES)
        self.now = 100.0
        self.running: list[tuple[int, str]] = []
        self.forced = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 40.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        admits = self.breaker.admits(self.now)
        ticket = self.breaker.begin(self.now)
        assert (ticket is not None) == admits
        if ticket is not None:
            self.running.append((ticket, self.breaker.phase))

    @precondition(lambda self: self.running)
    @rule(result=st.sampled_from(["good", "bad", "neutral"]), data=st.data())
    def end(self, result: str, data: st.DataObject) -> None:
        ticket, _ = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.breaker.phase
        self.breaker.end(ticket, result, self.now)  # type: ignore[arg-type]
        after = self.breaker.phase
        assert result != "neutral" or after == before
        assert (before, after) not in {("closed", "half_open"), ("open", "closed")}

    @invariant()
    def no_more_probes_than_said(self) -> None:
        assert 0 <= self.breaker.probing <= RULES.probes

    @invariant()
    def open_admits_nobody(self) -> None:
        if self.breaker.phase == "open" and self.now < self.breaker.reopens_at:
            assert not self.breaker.admits(self.now)

    @invariant()
    def open_ends(self) -> None:
        assert self.breaker.back_in_s(self.now) <= 8 * RULES.open_s


TestBreakers = Breakers.TestCase


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_a_window_counts_what_is_in_it_and_never_what_is_past_it(moves):
    window, now, seen = Window(10), 50.0, []
    for pause, some in moves:
        now += pause
        window.add(now, all=1, some=int(some))
        seen.append((now, some))
        inside = [some for at, some in seen if at > now - 9]
        within = [some for at, some in seen if at > now - 10]
        assert len(inside) <= window.all <= len(within)
        assert sum(inside) <= window.some <= sum(within)


def a_health() -> Health:
    return Health(Deployment(name="d", model="m", base_url="http://h/v1", served_name="m",
                             breaker=RULES))  # fmt: skip


def ended(health: Health, failure: Failure | None, now: float) -> None:
    ticket = health.breaker.begin(now, force=True)
    assert ticket is not None
    health.ended(ticket, failure, now, had_its_time=False)


def test_who_asks_to_be_left_alone_rests_for_so_long_and_is_no_failure():
    health = a_health()
    for _ in range(20):
        ended(health, Failure(kind="rate_limited", status=429, retry_after_s=3), 100)
    assert health.breaker.phase == "closed"
    told = health.unwell(101)
    assert told is not None
    assert (told.state, told.back_in_ms, told.admits) == ("resting", 2000, False)
    assert health.unwell(103.1) is None


def test_a_rest_is_bounded_whatever_is_asked_for():
    health = a_health()
    ended(health, Failure(kind="server_error", status=503, retry_after_s=86_400), 100)
    assert health.unwell(100 + LONGEST_REST_S + 0.1) is None


def test_one_that_is_never_left_alone_never_rests():
    deployment = Deployment(name="d", model="m", base_url="http://h/v1", served_name="m",
                            breaker=BreakerRules(enabled=False))  # fmt: skip
    health = Health(deployment)
    ended(health, Failure(kind="rate_limited", status=429, retry_after_s=30), 100)
    assert health.well(100)
    health = a_health()
    ended(health, Failure(kind="rate_limited", status=429, retry_after_s=30), 100)
    health.change(deployment, 101)
    assert health.well(101)


def test_an_answer_ends_a_rest():
    health = a_health()
    ended(health, Failure(kind="rate_limited", status=429, retry_after_s=30), 100)
    ended(health, None, 101)
    assert health.well(101)


@pytest.mark.parametrize(
    ("kind", "had_its_time", "result"),
    [
        ("refused", False, "bad"),
        ("first_token_timeout", False, "bad"),
        ("server_error", False, "bad"),
        ("client_error", False, "good"),  # the request was at fault; the engine answered
        ("rate_limited", False, "neutral"),
        ("cancelled", False, "neutral"),
        ("empty", False, "neutral"),
        ("total_timeout", False, "neutral"),  # the request had little time left
        ("total_timeout", True, "bad"),
    ],
)
def test_what_the_end_of_an_attempt_says_of_its_deployment(kind, had_its_time, result):
    assert result_of(Failure(kind=kind), had_its_time=had_its_time) == result
