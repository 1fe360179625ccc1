"""Literals in the gate: found whole, held no longer than they may begin."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.gated import KEY, through

from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.rules import SpanLiteral
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.gating.standard import STANDARD

WORDS = st.lists(st.text(alphabet="aAbK-é１", min_size=1, max_size=5), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(WORDS, st.text(alphabet="aAbkK-é１\u212a", max_size=24), st.booleans(), st.integers(1, 5))
def test_literals_are_found_whole_and_held_no_longer_than_they_may_begin(words, text, fold, size):
    made = [
        SpanLiteral(id=str(at), text=word, ignore_case=fold)
        for at, word in enumerate(dict.fromkeys(words))
    ]
    compiled = RuleSet([], literals=made)

    def same(one: str) -> str:
        return one.casefold() if fold else one

    texts = [same(one.text) for one in made]
    covered = {
        at
        for start in range(len(text))
        for word in texts
        if same(text[start : start + len(word)]) == word
        for at in range(start, start + len(word))
    }
    found = compiled.scan(text, normalise=False)
    assert covered == {at for one in found for at in range(one.start, one.end)}
    gate = StreamGate(compiled, normalise=False, placeholder="")
    left = ""
    for at in range(0, len(text), size):
        release = gate.push(text[at : at + size])
        left += release.text
        seen = text[: at + size]
        begun = [
            length
            for length in range(1, len(seen) + 1)
            for word in texts
            if length < len(word) and word.startswith(same(seen[-length:]))
        ]
        # what may begin a word, and before it what overlaps with that
        assert release.held >= max(begun, default=0)
        assert release.held == 0 or begun
    assert left + gate.close().text == "".join(
        one for at, one in enumerate(text) if at not in covered
    )


def test_a_canary_is_found_among_rules_and_under_disguise():
    canary = SpanLiteral(id="canary-1", text="zK9-canary-Q7", ignore_case=True)
    rules = RuleSet(STANDARD, literals=[canary, SpanLiteral(id="email", text="x")])
    assert [report.id for report in rules.refused] == ["email"]
    text = f"say ｚk9-\u200bCANARY-q7 to {KEY}."
    for action, left in (
        ("redact", "say [redacted canary] to [redacted secret]."),
        ("block", "say "),
    ):
        assert through(StreamGate(rules, action=action), list(text))[0] == left
    assert [one.rule for one in rules.scan(text)] == ["canary-1", "aws-access-key"]


def test_thousands_of_literals_cost_no_more_for_a_character():
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdefgh", k=24)) for _ in range(3_000)]
    rules = RuleSet([], literals=[SpanLiteral(id=word, text=word) for word in words])
    text = "abc" + words[17] + words[4][:20] + words[5]
    assert [one.rule for one in rules.scan(text)] == [words[17], words[5]]
    assert through(StreamGate(rules), list(text))[0] == (
        f"abc[redacted canary]{words[4][:20]}[redacted canary]"
    )
