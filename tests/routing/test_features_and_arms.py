"""Features of requests, and running means of arms."""

import msgspec
import pytest

from pointsman.domain.plan import ArmState
from pointsman.domain.records import Attempt, Failure
from pointsman.domain.verdict import GateResult
from pointsman.routing.arms import Arms, observe
from pointsman.routing.features import features_of
from pointsman.surfaces.chat import parse_chat


def features(**fields):
    body = {"model": "m", "messages": [{"role": "user", "content": "héllo"}], **fields}
    return features_of(parse_chat(msgspec.json.encode(body)), task="t", tenant="acme")


def test_text_images_and_tools_are_seen():
    parts = [{"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {"url": "x"}}]
    seen = features(messages=[{"role": "user", "content": parts}], tools=[], max_tokens=5)
    assert (seen.text_chars, seen.has_image, seen.has_tools, seen.max_tokens) == (3, True, True, 5)
    plain = features()
    assert (plain.text_chars, plain.has_image, plain.has_tools) == (5, False, False)
    assert plain.prompt_tokens_estimate >= 1


def an_attempt(**changes):
    return Attempt(
        step=0, deployment="a", first_token_ms=10, total_ms=100, cost_usd_picos=50, **changes
    )


def test_means_follow_what_happened_and_failures_count_only_as_attempts():
    arms = Arms()
    for verdict in ("accept", "escalate", "accept", "accept"):
        arms.observe(an_attempt(gate=GateResult(verdict=verdict, reason="")))
    arms.observe(an_attempt(failure=Failure(kind="cut")))
    state = arms.states["a"]
    assert state.attempts == 5
    assert state.passed == pytest.approx(0.75)
    assert state.total_ms == 100


def test_an_old_mean_is_forgotten_when_the_load_changes():
    state = ArmState(deployment="a", attempts=10_000, total_ms=100.0)
    for _ in range(500):
        state = observe(state, Attempt(step=0, deployment="a", total_ms=300))
    assert state.total_ms == pytest.approx(300, rel=0.02)
