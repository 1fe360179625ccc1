"""Escapes in arguments hide nothing from any detector, and offsets are those of what is written."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.policy.policies import Finds, a_policy

from pointsman.domain.verdict import Subject
from pointsman.governing.escapes import resolved
from pointsman.governing.judging import judge
from pointsman.governing.requests import Text

WRITTEN = st.lists(
    st.sampled_from([
        "a", "é", "😀", r"\u0062", r"\u00e9", r"\ud83d\ude00", r"\/", r"\n", r"\"", r"\\",
        r"\\u0041", r"\u0022", r"\u005c", r"\u000a", "bad", r"b\u0061d", r"\u0062ad",
    ]),
    max_size=8,
).map("".join)  # fmt: skip


@given(WRITTEN)
def test_it_is_what_a_reader_of_json_has(text):
    read = resolved(text)
    assert read.text == json.loads(f'"{text}"')
    pieces = [text[read.start(at) : read.end(at)] for at in range(len(read.text))]
    assert "".join(pieces) == text
    assert [json.loads(f'"{piece}"') for piece in pieces] == list(read.text)


def test_half_a_pair_is_no_character():
    assert resolved(r"a\ud83d!").text == "a\ufffd!"


POLICY = """
id: p
detectors:
  word: {use: finds}
rules:
  - {id: a, stages: [tool_call], verdict: redact, detectors: [word]}
"""


@given(WRITTEN)
def test_every_detector_sees_through_escapes(text):
    detector = Finds()
    policy = a_policy(POLICY, detector)
    subject = Subject(stages=("tool_call",), channel="tool_args")
    [seen] = judge([policy], [Text(subject=subject, path=(), text=text)])
    [said] = seen.judgements.values()
    there = "bad" in json.loads(f'"{text}"')
    assert (said.status == "found") == there
    for found in said.findings:
        assert json.loads(f'"{text[found.start : found.end]}"') == "bad"
