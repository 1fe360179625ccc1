"""What is held could be in a span; odd characters and bounds change nothing that leaves."""

from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.policy import test_patterns_read, test_stream_gate
from tests.policy.gated import SECRETS, expected, through
from tests.policy.pattern_oracle import PLAIN, TEXTS

from pointsman.policy.gating import front, known, machine
from pointsman.policy.gating.front import Fronts
from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.machine import Inside, Machine
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.gating.standard import STANDARD, standard
from pointsman.policy.gating.tracker import Tracker
from pointsman.policy.patterns.automaton import OTHER, Automaton
from pointsman.policy.patterns.parsing import parse
from pointsman.policy.patterns.protecting import protect


@settings(max_examples=150, deadline=None)
@given(PLAIN, PLAIN, TEXTS)
def test_every_thread_that_holds_can_still_become_a_span(context, pattern, text):
    tree = protect(parse(f"{context}({pattern})"), 1).tree
    made = Machine(0, Automaton(tree))
    tracker = Tracker(Fronts([made]))
    for character in text:
        tracker.feed(character)
        holding = list(tracker._inside)
        for _, place, phase, distance in tracker._front.threads:
            if distance:
                holding.append(made.inside([(place, phase)], OTHER, None))
        assert all(map(_may_end, holding))


def _may_end(begun: Inside) -> bool:
    seen, waiting = {begun}, deque([begun])
    while waiting and len(seen) < 500:
        now = waiting.popleft()
        if now.end is not None:
            return True
        following = (now[character] for character in "abc1-xB \n")
        new = [one for one in following if one.end is not None or (one.alive and one not in seen)]
        seen.update(new)
        waiting += new
    return len(seen) >= 500


ANYTHING = st.one_of(
    st.characters(exclude_categories=()),
    st.sampled_from([secret for _, secret in SECRETS.values()]),
    st.sampled_from(["\ud83d", "\U000e0041", "\u0301", "…", "ß", "İ", "\0", "\r\n"]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=30), st.integers(1, 7))
def test_any_characters_at_all_leave_as_they_came(parts, size):
    """Halves of surrogate pairs among them, which RE2 cannot see."""
    text = "".join(parts)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = standard().scan(text)
    left, told, _ = through(StreamGate(standard()), pieces)
    assert left == expected(text, found)
    assert sorted(told, key=repr) == sorted(found, key=repr)


def test_forgetting_what_was_found_out_changes_nothing(monkeypatch):
    text = " ".join(text for text, _ in SECRETS.values())
    usual = standard().scan(text)
    monkeypatch.setattr(front, "MAX_FRONTS", 3)
    monkeypatch.setattr(front, "MAX_MOVES", 5)
    monkeypatch.setattr(machine, "MAX_SETS", 3)
    monkeypatch.setattr(known, "MAX_KNOWN", 2)
    rules = RuleSet(STANDARD)
    assert rules.scan(text) == usual
    assert through(StreamGate(rules), list(text))[1] == list(usual)


def test_a_set_has_a_digest_of_all_that_spans_depend_on():
    rule = SpanRule(id="r", pattern="abc")
    digests = {
        RuleSet([rule]).digest,
        RuleSet([rule], hold_limit=9).digest,
        RuleSet([SpanRule(id="r", pattern="abc", entropy=1.0)]).digest,
        RuleSet([]).digest,
    }
    assert len(digests) == 4
    assert RuleSet([rule]).digest in digests


LAWS = (
    test_stream_gate.test_every_character_of_any_way_to_match_is_found_and_held_before,
    test_stream_gate.test_what_leaves_does_not_depend_on_the_cuts,
    test_stream_gate.test_a_scan_by_re2_first_is_what_reading_every_character_finds,
    test_patterns_read.test_what_matches_is_what_re2_matches,
    test_patterns_read.test_what_re2_refuses_is_refused_and_what_is_read_re2_takes,
)


@pytest.mark.deep
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold_for_very_many(law):
    many = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
    many(given(**law.hypothesis._given_kwargs)(law.hypothesis.inner_test))()
