"""Patterns are read as RE2 reads them, and what RE2 does not have is refused where it stands."""

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.policy.pattern_oracle import PATTERNS, TEXTS

from pointsman.policy.gating.front import Fronts
from pointsman.policy.gating.machine import Machine
from pointsman.policy.gating.tracker import Tracker
from pointsman.policy.patterns.automaton import Automaton
from pointsman.policy.patterns.errors import PatternError
from pointsman.policy.patterns.holding import worst_hold
from pointsman.policy.patterns.keywords import implied
from pointsman.policy.patterns.parsing import parse
from pointsman.policy.patterns.protecting import protect
from pointsman.policy.patterns.syntax import written

QUIET = re2.Options()
QUIET.log_errors = False


def whole(pattern: str, text: str) -> set[int]:
    """Characters in any match, by our automaton."""
    tracker = Tracker(Fronts([Machine(0, Automaton(protect(parse(pattern), 0).tree))]))
    tracker.feed(text)
    tracker.finish()
    return {at for run in tracker.runs.get(0, []) for at in range(run.start, run.end)}


def by_re2(pattern: str, text: str) -> set[int]:
    """Characters in any substring that RE2 says matches where it stands."""
    compiled = re2.compile(pattern, QUIET)
    return {
        at
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if compiled.fullmatch(text, start, end)
        for at in range(start, end)
    }


@settings(max_examples=250, deadline=None)
@given(PATTERNS, TEXTS)
@example("(?i)k", "K\u212a")
@example(r"(?i)[^s]", "sS\u017fx")
@example(r"(?i)\W", "k\u212a-")
@example("(?i)é", "éÉe")
@example(r"a{,2}", "a{,2}")
@example(r"[]a-]", "]-a")
@example(r"\Qa.b\E+", "a.bbb")
@example("(?U)a+b", "aab")
@example("(?i)a(?-i)b|C", "AbcABC")
@example(r"\pL+\p{Nd}\PL", "éa1-")
@example(r"[\d\-x]", "1-x")
@example("[[:^digit:]a]", "1a-")
@example(r"\x{1F600}|\141", "\U0001f600a")
def test_what_matches_is_what_re2_matches(pattern, text):
    assert whole(pattern, text) == by_re2(pattern, text)


@settings(max_examples=150, deadline=None)
@given(PATTERNS, TEXTS)
def test_a_tree_written_as_a_pattern_is_the_same_pattern(pattern, text):
    again = written(parse(pattern))
    assert by_re2(again, text) == by_re2(pattern, text)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=r"ab1-^$()[]{}|*+?\.,:i<>PdwQEzxp", max_size=9))
def test_what_re2_refuses_is_refused_and_what_is_read_re2_takes(pattern):
    try:
        re2.compile(pattern, QUIET)
        theirs = True
    except re2.error:
        theirs = False
    try:
        parse(pattern)
        ours = True
    except PatternError:
        ours = False
    if ours:
        assert theirs, "read by us, refused by RE2"
    elif theirs:
        assert r"\C" in pattern or r"\p" in pattern.lower() or "<" in pattern, "RE2 takes it"


@pytest.mark.parametrize(
    ("pattern", "position", "word"),
    [
        ("ab(c", 2, "not closed"),
        ("ab)c", 2, "closes nothing"),
        ("a**", 2, "repeat of a repeat"),
        ("+a", 0, "nothing before"),
        ("a{2,1}", 0, "most is below"),
        ("a{1001}", 0, "more than 1000"),
        (r"(a)\1", 3, "escape"),
        ("(?=a)", 0, "look-around"),
        ("a[b-a]", 2, "range"),
        (r"a\p{Greek}", 1, "category"),
        ("[[:no:]]", 1, "class"),
        ("(" * 101 + ")" * 101, 100, "groups in groups"),
    ],
)
def test_an_error_says_where_and_why(pattern, position, word):
    with pytest.raises(PatternError) as caught:
        parse(pattern)
    assert caught.value.position == position
    assert word in caught.value.message
    assert "^" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        ("abc", 3),
        (r"\d{15,16}x", 17),
        ("x{9,}", 9),  # known from the ninth on
        ("(?:ab)+", 2),
        (r"\d+-", None),
        (r"key=(\w{4})(?:;|$)", 5),
        (r"a+(b)", 1),  # context before it holds nothing
        (r"(b)\s*;", None),
        ("(a{2,5})b{0,9}", 2),
    ],
)
def test_the_longest_a_span_may_stay_undecided_is_known(pattern, most):
    assert worst_hold(Automaton(protect(parse(pattern), None).tree)) == most


@pytest.mark.parametrize(
    ("pattern", "words", "known"),
    [
        ("(?i)token=x", ["TOKEN"], True),
        ("(?:key|token)=", ["key"], False),
        ("(?:key|token)=", ["key", "token"], True),
        ("k[eE]y", ["key"], True),
        ("new[_-]?relic", ["newrelic", "new_relic", "new-relic"], True),
        ("(?:key)?x", ["key"], False),
        (r"\d{4}", ["key"], False),
        ("a.c", ["abc"], False),
    ],
)
def test_a_keyword_is_implied_only_where_every_match_has_it(pattern, words, known):
    assert implied(parse(pattern), words) is known


def test_what_is_protected_is_the_group_and_a_repeated_group_is_no_group():
    assert protect(parse("a(b)c"), None).notes == ()
    assert "repeats" in protect(parse("x(?:(b)c){3}"), None).notes[0]
    assert "left out" in protect(parse("x(b)?c"), None).notes[0]
    with pytest.raises(ValueError, match="no group 2"):
        protect(parse("a(b)c"), 2)
