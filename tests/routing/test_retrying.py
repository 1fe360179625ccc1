"""When a request is sent again: only what is safe, within a budget and the time there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.plan import Plan, Step
from pointsman.domain.portfolio import Deployment, RetryRules
from pointsman.domain.records import Failure
from pointsman.routing.retrying import (
    RetryBudget,
    most_tries,
    safe_to_repeat,
    wait_before_retry_s,
)

RULES = RetryRules(most=2, longest_wait_s=2)


def wait_s(failure: Failure, *, retries: int = 0, left_s: float = 60, draw: float = 0.5):
    return wait_before_retry_s(failure, RULES, retries=retries, left_s=left_s, draw=draw)


@pytest.mark.parametrize(
    ("failure", "safe"),
    [
        (Failure(kind="refused"), True),
        (Failure(kind="connect_timeout"), True),
        (Failure(kind="rate_limited", status=429), True),
        (Failure(kind="server_error", status=503), True),
        (Failure(kind="server_error", status=500), False),  # it may have generated
        (Failure(kind="server_error"), False),  # an error in a stream that had begun
        (Failure(kind="cut"), False),
        (Failure(kind="first_token_timeout"), False),
        (Failure(kind="between_tokens_timeout"), False),
        (Failure(kind="client_error", status=400), False),
        (Failure(kind="busy", retry_after_s=1), False),
        (Failure(kind="circuit_open", retry_after_s=1), False),
    ],
)
def test_only_what_cannot_have_generated_is_sent_again(failure, safe):
    assert safe_to_repeat(failure) is safe
    assert (wait_s(failure) is not None) is safe


@given(st.floats(0.01, 2), st.floats(0, 0.999))
def test_what_an_upstream_asks_for_is_waited_for(asked_s, draw):
    failure = Failure(kind="rate_limited", status=429, retry_after_s=asked_s)
    waited = wait_s(failure, draw=draw)
    assert waited is not None
    assert asked_s <= waited <= 1.1 * asked_s


def test_who_asks_for_more_than_a_retry_may_wait_gets_none():
    assert wait_s(Failure(kind="rate_limited", status=429, retry_after_s=2.1)) is None


@given(st.integers(0, 1), st.floats(0, 0.999))
def test_without_a_word_the_wait_grows_and_is_drawn(retries, draw):
    waited = wait_s(Failure(kind="refused"), retries=retries, draw=draw)
    assert waited is not None
    assert 0 <= waited <= 0.1 * 2**retries


def test_no_retry_beyond_the_time_that_is_left():
    failure = Failure(kind="rate_limited", status=429, retry_after_s=1)
    assert wait_s(failure, left_s=1) is None
    assert wait_s(failure, left_s=1.2) is not None


def test_no_more_retries_than_said():
    assert wait_s(Failure(kind="refused"), retries=2) is None


@given(st.floats(0, 1), st.integers(0, 5),
       st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=200))  # fmt: skip
def test_retries_never_pass_their_share_of_the_requests_and_the_floor(budget, floor, moves):
    rules = RetryRules(budget=budget, floor=floor)
    retries, now = RetryBudget(rules), 100.0
    tried, taken = [], []
    for pause, retry in moves:
        now += pause
        if not retry:
            retries.tried(now)
            tried.append(now)
        elif retries.take(now):
            taken.append(now)
            recent = [at for at in taken if at > now - 9]
            firsts = [at for at in tried if at > now - 10]
            assert len(recent) <= budget * len(firsts) + floor


def test_a_retry_is_allowed_again_once_the_earlier_ones_are_past():
    retries = RetryBudget(RetryRules(budget=0, floor=1))
    assert retries.take(100)
    assert not retries.take(105)
    assert retries.take(111)


def test_the_most_tries_of_a_plan_are_its_steps_and_their_retries():
    def a(name: str, most: int) -> Deployment:
        return Deployment(name=name, model="m", base_url="http://h", served_name="m",
                          retries=RetryRules(most=most))  # fmt: skip

    plan = Plan(steps=(Step(deployment="a"), Step(deployment="b", role="fallback")))
    assert most_tries(plan, {"a": a("a", 0), "b": a("b", 3)}) == 5
