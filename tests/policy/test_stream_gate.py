"""No character of a protected span leaves, however the text is cut; everything else does."""

import random
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.policy.gated import KEY, SECRETS, cut, expected, through
from tests.policy.pattern_oracle import GROUPED, TEXTS, protected

from pointsman.policy.gating import front, normalising, triage
from pointsman.policy.gating.front import Fronts
from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.machine import Machine
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.gating.standard import STANDARD, standard
from pointsman.policy.gating.tracker import Tracker
from pointsman.policy.patterns import heads
from pointsman.policy.patterns.automaton import Automaton
from pointsman.policy.patterns.parsing import parse
from pointsman.policy.patterns.protecting import protect


@settings(max_examples=300, deadline=None)
@given(
    st.lists(GROUPED, min_size=1, max_size=3), TEXTS,
    st.sampled_from([0.0, 6.0, 17.0, 100.0]), st.sampled_from([1, 3, 16]),
)  # fmt: skip
def test_every_character_of_any_way_to_match_is_found_and_held_before(
    patterns, text, bits, distance
):
    """Against all substrings, one way after the other; wherever threads are handed over."""
    trees = [protect(parse(pattern), None).tree for pattern in patterns]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(front, "ENOUGH_BITS", bits)
        patched.setattr(front, "MAX_DISTANCE", distance)
        machines = [Machine(rule, Automaton(tree)) for rule, tree in enumerate(trees)]
        tracker = Tracker(Fronts(machines))
        moments = []
        for character in text:
            tracker.feed(character)
            moments.append((tracker.hold, _covered(tracker)))
        tracker.finish()
    found = _covered(tracker)
    assert found == {(rule, at) for rule, tree in enumerate(trees) for at in protected(tree, text)}
    for hold, known in moments:
        assert not {(rule, at) for rule, at in found - known if at < hold}


def _covered(tracker: Tracker) -> set[tuple[int, int]]:
    return {
        (rule, at)
        for rule, runs in tracker.runs.items()
        for run in runs
        for at in range(run.start, run.end)
    }


RULES = st.lists(
    st.builds(
        lambda pattern, entropy, keywords: (pattern, entropy, keywords),
        GROUPED, st.sampled_from([None, None, 0.9, 1.5]),
        st.sampled_from([(), (), ("a1",), ("b", "x")]),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
ODD = st.text(alphabet="aabbc1-\nxBA \u200bа…１²", max_size=14)

ESCAPED = st.lists(st.sampled_from(
    ["a", "b", "1", "-", "B", "x", "\\", "\\u0061", "\\u00", "\\u0031", "\\n", "\\\\", "u", "é",
     "１", "\\uff11", "\u200b"]
), max_size=10).map("".join)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    RULES, st.one_of(ODD, ESCAPED), st.lists(st.integers(0, 40), max_size=6), st.booleans(),
    st.booleans(), st.integers(4, 40),
)  # fmt: skip
@example(
    [("(?:(.)|(.*))", None, ()), ("(?:(.)|(.*\\b))", None, ())], "1²", [], True, False, 4
)  # two readings, each with an end of its own
def test_what_leaves_does_not_depend_on_the_cuts(rules, text, places, normalise, escapes, limit):
    """And is the text without what a scan of the whole of it finds, in both ways of acting."""
    made = [
        SpanRule(id=str(at), pattern=pattern, kind=f"k{at}", entropy=entropy, keywords=keywords)
        for at, (pattern, entropy, keywords) in enumerate(rules)
    ]
    compiled = RuleSet(made, hold_limit=limit)
    found = compiled.scan(text, normalise=normalise, escapes=escapes)
    pieces = cut(text, [place for place in places if place <= len(text)])
    left, told, state = through(StreamGate(compiled, normalise=normalise, escapes=escapes), pieces)
    assert left == expected(text, found)
    assert sorted(told, key=repr) == sorted(found, key=repr)
    assert state == "closed"
    blocking = StreamGate(compiled, action="block", normalise=normalise, escapes=escapes)
    left, told, state = through(blocking, pieces)
    first = min((finding.start for finding in found), default=len(text))
    assert left == text[:first]
    assert state == ("blocked" if found else "closed")
    assert {finding.start for finding in told} == ({first} if found else set())


@pytest.mark.parametrize("rule", [rule.id for rule in STANDARD])
@pytest.mark.parametrize("action", ["redact", "block"])
def test_every_standard_rule_finds_its_kind_at_every_split_in_three(rule, action):
    text, secret = SECRETS[rule]
    start = text.index(secret)
    for places in combinations(range(len(text) + 1), 2):
        gate = StreamGate(standard(), action=action)
        left, found, _ = through(gate, cut(text, list(places)))
        assert (rule, start, start + len(secret)) in [
            (one.rule, one.start, one.end) for one in found
        ] or action == "block"
        assert found[0].rule == rule
        assert left.startswith(text[:start])
        if action == "block":
            assert left == text[:start]
        else:
            assert left == f"{text[:start]}[redacted {found[0].kind}]{text[start + len(secret) :]}"


def test_every_standard_rule_is_exact():
    assert {report.mode for report in standard().reports} == {"exact"}


def test_benign_text_passes_byte_for_byte_with_little_held():
    text = (
        "Sk-eptical readers of version 1.2.3 paid $4,111.50 on 12-03-2024; 3 + 4 = 7, a@b, "
        "AKIA is a prefix, eyJ too, and 2001:db8 is none.\n-----BEGIN: nothing-----\n" * 3
    )
    gate = StreamGate(standard())
    draw = random.Random(7)
    left, held, at = "", [], 0
    while at < len(text):
        size = draw.randint(1, 6)
        release = gate.push(text[at : at + size])
        assert not release.findings
        left, at = left + release.text, at + size
        held.append(release.held)
    assert left + gate.close().text == text
    assert sum(held) / len(held) < 6


def test_context_before_a_secret_is_never_held():
    rules = RuleSet(
        [SpanRule(id="r", pattern=r"[\w.-]{0,50}?password[ ]{0,5}[:=][ ]{0,5}(\w{8,})")]
    )
    gate = StreamGate(rules)
    assert gate.push("my.password : ").text == "my.password : "
    assert gate.push("hunter2").held == 7
    assert gate.push("! ok").text == "hunter2! ok"
    assert gate.push(" password=hunter2222").text == " password="


def test_a_span_that_may_never_end_is_taken_for_one_past_the_limit_and_says_so():
    rules = RuleSet([SpanRule(id="r", pattern=r"(A\w+);")], hold_limit=10)
    report = rules.reports[0]
    assert (report.mode, report.hold) == ("endless", 10)
    assert "without bound" in report.why
    for size in (1, 3, 100):
        text = "x Abc. A" + "b" * 30 + " y"
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert through(StreamGate(rules), pieces)[0] == "x Abc. [redacted secret] y"


def test_a_lazy_end_is_the_first_end_for_every_start():
    rules = RuleSet([SpanRule(id="r", pattern=r"<[\s\S]{2,}?>")])
    for text, left in (
        ("a <bc> d> e", "a [redacted secret] d> e"),
        ("a <b <cdef> g> h", "a [redacted secret] g> h"),
    ):
        assert through(StreamGate(rules), list(text))[0] == left
        assert through(StreamGate(rules), [text])[0] == left


def test_a_keyword_that_a_match_does_not_imply_must_have_come_before_its_end():
    rules = RuleSet([SpanRule(id="r", pattern=r"\b([a-f0-9]{8})\b", keywords=("Forge",))])
    assert not rules.scan("commit deadbeef, then forge")
    (found,) = rules.scan("cafecafe FORGE deadbeef.")
    assert (found.start, found.end) == (15, 23)


def test_entropy_is_of_overlapping_spans_together():
    rules = RuleSet([SpanRule(id="r", pattern=r"k=(\w{6,12})", entropy=2.0)])
    assert not rules.scan("k=aaaaaaaa")
    assert rules.scan("k=a1b2c3d4")


def test_hidden_characters_and_look_alikes_do_not_hide_a_secret():
    for spelled in (
        "\u200b".join(KEY),
        KEY.replace("A", "А"),  # Cyrillic
        "".join(chr(ord(letter) + 0xFEE0) for letter in KEY),  # full width
        "".join(chr(ord(letter) + 0xE0000) for letter in KEY),  # tags
    ):
        text = f"the key is {spelled} ok"
        for pieces in (list(text), [text]):
            left, found, _ = through(StreamGate(standard()), pieces)
            assert left == "the key is [redacted secret] ok"
            assert [(one.start, one.end) for one in found] == [(11, 11 + len(spelled))]


def test_what_must_be_held_for_too_much_or_too_long_blocks():
    rules = RuleSet([SpanRule(id="r", pattern=r"(A\w{900});")])
    gate = StreamGate(rules, max_held=50)
    assert gate.push("ok A" + "b" * 40).state == "open"
    release = gate.push("b" * 10)
    assert (release.state, release.text) == ("blocked", "")
    assert "50 characters" in release.why
    gate = StreamGate(rules, max_held_s=2.0)
    assert gate.push("ok A", now=10.0).text == "ok "
    assert gate.tick(11.9).state == "open"
    assert gate.tick(12.1).state == "blocked"
    assert gate.push("anything").text == ""


def test_a_rule_that_cannot_be_kept_is_refused_and_says_why():
    rules = RuleSet(
        [
            SpanRule(id="good", pattern="abc"),
            SpanRule(id="good", pattern="abd"),
            SpanRule(id="back", pattern=r"(a)\1"),
            SpanRule(id="group", pattern="a(b)", group=2),
            SpanRule(id="large", pattern="(?:a{1000}){1000}"),
            SpanRule(id="empty", pattern="(?:)"),
        ]
    )
    assert [report.mode for report in rules.reports] == ["exact"] + ["refused"] * 5
    assert all(report.why for report in rules.refused)
    assert len(rules.scan("abc abd")) == 1


def test_a_flood_of_matches_costs_what_it_is_long():
    """Every set is one of a bounded number, so that work for a character is bounded, too."""
    rules = RuleSet([SpanRule(id="r", pattern=r"key[\w-]{0,20}=([\w-]{10,150})(?:;|$)")])
    tracker = rules._tracker()
    most = 0
    for piece in ("key=key=key-key", "keykey=", "k=e=y=key") * 40:
        tracker.feed(piece)
        most = max(most, tracker.live)
    assert most <= 200


@settings(max_examples=120, deadline=None)
@given(
    RULES, st.lists(ODD, max_size=6).map("".join),
    st.booleans(), st.sampled_from([6, 12, 40, 4_096]), st.sampled_from([2, 5, 64]),
)  # fmt: skip
def test_a_scan_by_re2_first_is_what_reading_every_character_finds(
    rules, text, normalise, limit, turns
):
    made = [
        SpanRule(id=str(at), pattern=pattern, entropy=entropy, keywords=keywords)
        for at, (pattern, entropy, keywords) in enumerate(rules)
    ]
    made.append(SpanRule(id="lazy", pattern="a([^c]{2,}?)b"))
    compiled = RuleSet(made, hold_limit=limit)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(triage, "SHORT", 0)
        patched.setattr(heads, "TURNS", turns)
        found = compiled.scan(text, normalise=normalise)
    every = through(StreamGate(compiled, normalise=normalise), [text])[1]
    assert sorted(found, key=repr) == sorted(every, key=repr)


def test_what_is_passed_over_is_compared_as_itself():
    passed = [chr(code) for code in range(0x110000) if not normalising._OTHERS.match(chr(code))]
    assert [one for one in passed if normalising.compared(one) != one] == []
    assert len(passed) > 30_000


def test_escapes_of_json_do_not_hide_a_secret_where_they_are_resolved():
    spelled = KEY.replace("A", "\\u0041", 1).replace("K", "\\u212a")
    text = f'{{"text": "so:\\n{spelled}\\n", "path": "C:\\\\new"}}'
    for pieces in (list(text), [text]):
        gate = StreamGate(standard(), escapes=True)
        assert through(gate, pieces)[0] == text.replace(spelled, "[redacted secret]")
    assert [one.rule for one in standard().scan(text, escapes=True)] == ["aws-access-key"]
    assert standard().scan(text) == ()
