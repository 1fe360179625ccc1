"""A certificate in use: what stands, what later outcomes do to it, and who answers without one."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proofs import ROUTER, a_certificate

from pointsman.routing.certificate import (
    Certificate,
    Revocation,
    ground,
    observe,
    withdraw,
)
from pointsman.stats.estimate import Estimate


def watched(
    made: Certificate, source: random.Random, n: int, *, rate: float, reference: float | None
) -> Certificate:
    for i in range(n):
        other = None if reference is None else source.random() < reference
        made = observe(
            made, accepted=source.random() < rate, reference_accepted=other, at_us=2_000 + i
        )
    return made


def test_outcomes_as_certified_leave_it_standing() -> None:
    source, fallen = random.Random(1), 0
    for _ in range(40):
        made = watched(a_certificate(), source, 400, rate=0.7, reference=0.71)
        fallen += made.revoked is not None
    assert fallen <= 4  # delta


def test_a_broken_floor_revokes_with_the_reason() -> None:
    made = watched(a_certificate(), random.Random(2), 3_000, rate=0.55, reference=0.75)
    assert made.revoked is not None
    assert made.revoked.kind == "floor_refuted"
    assert "below always large, at most 0.02 was stated" in made.revoked.reason
    assert made.revoked.at_us < 2_000 + 1_500


def test_a_late_fall_of_the_points_own_rate_is_drift() -> None:
    source = random.Random(3)
    made = watched(a_certificate(), source, 1_000, rate=0.72, reference=None)
    assert made.revoked is None
    made = watched(made, source, 400, rate=0.4, reference=None)
    assert made.revoked is not None
    assert made.revoked.kind == "drift"
    assert "the accepted rate fell under" in made.revoked.reason


def test_a_shortfall_that_comes_late_is_drift_too() -> None:
    source = random.Random(4)
    made = a_certificate(delta=1e-6)  # the sum over all time takes longer than what came last
    made = watched(made, source, 1_500, rate=0.9, reference=0.72)
    assert made.revoked is None
    made = watched(made, source, 1_000, rate=0.7, reference=0.95)
    assert made.revoked is not None
    assert made.revoked.kind == "drift"


def test_what_was_revoked_stays_so() -> None:
    gone = withdraw(a_certificate(), reason="the prompt was changed", at_us=7)
    assert gone.revoked == Revocation(kind="withdrawn", reason="the prompt was changed", at_us=7)
    assert observe(gone, accepted=True, reference_accepted=False, at_us=9) is gone
    assert withdraw(gone, reason="again", at_us=9) is gone


def test_it_survives_being_stored_and_keeps_its_name() -> None:
    made = watched(a_certificate(), random.Random(5), 50, rate=0.7, reference=0.7)
    again = msgspec.json.decode(msgspec.json.encode(made), type=Certificate)
    assert again == made
    assert again.id == a_certificate().id
    assert a_certificate(made_at_us=1_001).id != made.id


def test_without_a_certificate_the_strong_arm_answers() -> None:
    found = ground([], router=ROUTER, task="support", alpha=0.02)
    assert found.certificate is None
    assert found.reason == "the strong arm answers: no certificate was made"


@pytest.mark.parametrize(
    ("changes", "asked", "reason"),
    [
        ({"task": "other"}, {}, "certified is other, not this task"),
        ({"router": "f" * 64}, {}, "fitted again"),
        ({}, {"alpha": 0.01}, "certified is at most 0.02 below, 0.01 is allowed"),
        ({}, {"least": 0.75}, "certified is a rate of 0.68"),
        ({"revoked": Revocation(kind="drift", reason="it fell", at_us=1)}, {}, "it fell"),
    ],
)
def test_a_certificate_that_does_not_fit_is_passed_over_with_the_reason(
    changes: dict[str, object], asked: dict[str, float], reason: str
) -> None:
    asked = {"alpha": 0.02, **asked}
    found = ground([a_certificate(**changes)], router=ROUTER, task="support", **asked)
    assert found.certificate is None
    assert reason in found.reason


def test_the_cheapest_that_stands_is_taken() -> None:
    cheap = a_certificate(cost_share=Estimate(value=0.4, low=0.3, high=0.5, n=9))
    of_all = a_certificate(task=None, made_at_us=3_000)
    found = ground([a_certificate(), cheap, of_all], router=ROUTER[:12], task="support", alpha=0.02)
    assert found.certificate == cheap
    assert found.reason == cheap.statement
    assert ground([cheap, of_all], router=ROUTER, task="news", alpha=0.02).certificate == of_all


OUTCOMES = st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), max_size=120)


@given(OUTCOMES)
@settings(max_examples=50)
def test_the_same_outcomes_give_the_same_certificate(
    outcomes: list[tuple[bool, bool | None]],
) -> None:
    """Also when it was stored and read between any two of them."""
    one = other = a_certificate()
    for i, (accepted, reference) in enumerate(outcomes):
        one = observe(one, accepted=accepted, reference_accepted=reference, at_us=i)
        other = msgspec.json.decode(msgspec.json.encode(other), type=Certificate)
        other = observe(other, accepted=accepted, reference_accepted=reference, at_us=i)
    assert one == other
    assert ground([one], router=ROUTER, task="support").certificate == (
        None if one.revoked else one
    )
