"""No segment leaves before its own verdict, in whatever order verdicts come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.gating.segments import SegmentGate

TEXT = st.text(alphabet='ab. \n!?。")', max_size=160)


def segments(text: str, size: int, *, first: int = 5, most: int = 20) -> list[tuple[int, int]]:
    gate = SegmentGate(first=first, most=most)
    made = []
    for at in range(0, len(text), size):
        made += gate.push(text[at : at + size]).awaiting
    made += gate.close().awaiting
    assert "".join(one.text for one in made) == text
    assert [one.index for one in made] == list(range(len(made)))
    return [(one.start, one.end) for one in made]


@given(TEXT, st.integers(1, 40))
def test_where_segments_end_depends_on_the_text_alone(text, size):
    assert segments(text, size) == segments(text, 1) == segments(text, len(text) + 1)


@settings(max_examples=200)
@given(TEXT, st.lists(st.integers(0, 99)), st.sampled_from(["allow", "block", "unjudged"]),
       st.integers(0, 9))  # fmt: skip
def test_nothing_leaves_before_its_verdict_and_all_that_is_allowed_does(text, order, last, which):
    gate = SegmentGate(first=5, most=20)
    ready = list(gate.push(text).awaiting)
    ready += gate.close().awaiting
    if not ready:
        return
    bad = ready[which % len(ready)] if last != "allow" else None
    left, allowed = "", set()
    for draw in [*order, *[0] * len(ready)]:
        if not ready:
            break
        one = ready.pop(draw % len(ready))
        verdict = last if one is bad else "allow"
        if verdict == "allow":
            allowed |= set(range(one.start, one.end))
        passed = gate.judged(one.index, verdict)
        left += passed.text
        assert set(range(len(left))) <= allowed
        if passed.state != "open":
            break
    assert left == (text if bad is None else text[: bad.start])
    assert passed.state == ("closed" if bad is None else "blocked")


def test_the_first_segment_is_small_and_each_next_may_be_longer():
    lengths = [end - start for start, end in segments("a" * 300, 7, first=10, most=40)]
    assert lengths == [20, 40, 80, 80, 80]


def test_the_next_is_written_while_one_is_judged():
    gate = SegmentGate(first=5)
    (first,) = gate.push("So it is. And").awaiting
    assert (first.text, gate.push(" then").held) == ("So it is. ", 18)
    passed = gate.judged(0, "allow")
    assert (passed.text, passed.held, passed.state) == ("So it is. ", 8, "open")
    (last,) = gate.close().awaiting
    assert gate.judged(last.index, "allow").text == "And then"


def test_what_is_not_judged_in_time_blocks_unless_it_may_pass():
    for allowed, state, text in (("block", "blocked", ""), ("allow", "open", "So it is. ")):
        gate = SegmentGate(first=5, max_wait_s=2.0, on_unjudged=allowed)
        gate.push("So it is. And", now=1.0)
        assert gate.tick(3.0).state == "open"
        passed = gate.tick(3.1)
        assert (passed.state, passed.text) == (state, text)


def test_more_than_may_be_held_blocks_and_a_verdict_is_taken_once():
    gate = SegmentGate(first=5, max_held=30)
    assert gate.push("x" * 30).state == "open"
    with pytest.raises(KeyError, match="does not await"):
        gate.judged(9, "allow")
    gate.judged(0, "allow")
    with pytest.raises(KeyError):
        gate.judged(0, "allow")
    assert gate.push("x" * 11).state == "blocked"
    assert gate.push("y").text == ""
    with pytest.raises(ValueError, match="first"):
        SegmentGate(first=0)
