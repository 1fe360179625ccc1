"""Laws of the lattice and of redaction as a union of spans."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.domain.policies import VERDICTS
from pointsman.policy.verdicts import Span, redacted, severity, union, worst

VERDICT = st.sampled_from(VERDICTS)
TEXT = st.text(alphabet="abcdé😀 ", max_size=30)


@st.composite
def cuts(draw):
    text = draw(TEXT)
    at = st.integers(0, len(text))
    spans = draw(st.lists(st.tuples(at, at).map(sorted), max_size=8))
    return text, [Span(start, end, "#") for start, end in spans]


@given(st.lists(VERDICT), st.lists(VERDICT))
def test_the_most_severe_wins_in_any_order_and_grouping(one, other):
    both = worst([*one, *other])
    assert both == worst([*other, *one]) == worst([worst(one), worst(other)])
    assert all(severity(both) >= severity(each) for each in one)


@given(cuts())
def test_nothing_of_a_span_is_left_and_everything_else_is(cut):
    text, spans = cut
    covered = {at for span in spans for at in range(span.start, span.end)}
    left = "".join(c for at, c in enumerate(text) if at not in covered)
    assert redacted(text, union(spans)).replace("#", "") == left


@given(cuts(), st.randoms())
def test_the_order_of_findings_changes_nothing(cut, random):
    _, spans = cut
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert union(spans) == union(shuffled)
    assert union(union(spans)) == union(spans)


def test_of_overlapping_spans_the_first_gives_the_word():
    assert redacted("abcdef", union([Span(2, 5, "B"), Span(0, 3, "A")])) == "Af"


def test_spans_that_touch_stay_two():
    assert redacted("abcd", union([Span(0, 2, "A"), Span(2, 4, "B")])) == "AB"
