"""Streams under the detectors of secrets and personal data go on, and end as whole answers do."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.governing.governed import bound
from tests.governing.test_streams import FACTS, Judges, run, split, whole

from pointsman.governing.chunks import subject_of
from pointsman.governing.governor import Governor
from pointsman.governing.judging import look
from pointsman.governing.outlook import outlook
from pointsman.governing.requests import Text
from pointsman.policy.registry import Registry

POLICY = """
id: found
detectors:
  keys: {use: secrets}
  data: {use: pii, kinds: [email, credit_card, phone], threshold: 0.6}
  code: {regex: "EMP-[0-9]{4,6}"}
rules:
  - {id: data, stages: [response], verdict: redact, detectors: [data], redact: {replacement: <d>}}
  - {id: code, stages: [response], verdict: redact, detectors: [code], redact: {replacement: <c>}}
  - {id: keys, stages: [response], verdict: VERDICT, detectors: [keys]}
"""
GOVERNORS = {
    verdict: Governor(bound(POLICY.replace("VERDICT", verdict))) for verdict in ("block", "redact")
}
PIECES = st.sampled_from([
    "anna@example.org", "anna@", "EMP-12345", "EMP-", "4111 1111 1111 1111", "card ", "4111", " ",
    "call +49 30 1234567", "2001-02-03", "password: ", "hunter42!x", "AKIAQ2W3E4R5T6Y7U2I3", "\n",
    '"key": "', "9f8e7d6c5b4a39281706f5e4d3c2b1a0", '"', ", ", "ok", "\\u0061", "\\n", "\\", "é",
])  # fmt: skip
FIELDS = ("content", "reasoning_content", "tool0")


@st.composite
def answers(draw):
    field = draw(st.sampled_from(FIELDS))
    text = "".join(draw(st.lists(PIECES, max_size=12)))
    cuts = draw(st.lists(st.integers(0, 120), max_size=40))
    return {(0, field): text}, [((0, field), piece) for piece in split(text, cuts)]


def first_key(governor: Governor, field: str, text: str) -> int:
    """Where the first secret begins."""
    [policy] = governor.rules(FACTS).outbound
    [keys] = policy.rules[2].detectors
    subject = subject_of(0, "tool_args" if field == "tool0" else "content")
    return min(each.start for each in look(keys, Text(subject, (), text)).findings)


@given(answers(), st.sampled_from(["block", "redact"]))
@settings(max_examples=150, deadline=None)
def test_what_leaves_is_what_leaves_of_the_whole_answer(answer, verdict):
    texts, pieces = answer
    governor = GOVERNORS[verdict]
    (said, finish), screen = run(governor, pieces, 1)
    decided, body = whole(governor, texts, 1)
    assert not screen.whole
    assert screen.decided is not None
    assert screen.decided.verdict == decided.verdict
    [((_, field), text)] = texts.items()
    message = body["choices"][0]["message"]
    if decided.verdict == "block":
        assert set(finish.values()) == {"content_filter"}
        start = first_key(governor, field, text)
        assert said.get((0, field), "").count("AKIA") <= text[:start].count("AKIA")
    elif field == "tool0":
        calls = message.get("tool_calls", [])
        assert said.get((0, field), "") == "".join(c["function"]["arguments"] for c in calls)
    else:
        assert said.get((0, field), "") == (message.get(field) or "")


MIXED = """
id: mixed
detectors:
  bad: {use: judges}
  keys: {use: secrets}
  code: {regex: "EMP-[0-9]{4,6}"}
rules:
  - {id: all, stages: [response], verdict: block, detectors: [bad, keys, code]}
"""


@given(st.lists(st.integers(0, 400), max_size=60))
@settings(max_examples=40, deadline=None)
def test_a_rule_of_segments_lets_no_part_of_a_span_out_at_the_end_of_one(cuts):
    governor = Governor(bound(MIXED), Registry({"judges": Judges}))
    ahead = outlook(governor.rules(FACTS).outbound, FACTS)
    assert ahead.segments
    assert not ahead.whole
    text = "w " * 79 + "EMP-1" + "2345 and so on. " * 12  # a segment may end within the code
    (said, _), screen = run(governor, [((0, "content"), p) for p in split(text, cuts)], 1)
    assert screen.decided is not None
    assert screen.decided.verdict == "block"
    assert "E" not in said.get((0, "content"), "")


def test_a_stream_is_still_held_where_more_than_spans_decides():
    held = POLICY.replace("VERDICT", "block").replace("detectors: [keys]", "when: keys.count > 1")
    policies = Governor(bound(held)).rules(FACTS).outbound
    assert "more than whether" in outlook(policies, FACTS).whole
