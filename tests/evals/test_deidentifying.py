"""What tells of a person leaves a case, the same find under one word, and nothing leads back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.evals.deidentifying import Unseeable, deidentified
from pointsman.policy.detectors.table import detector
from pointsman.policy.finding import Judgement

DETECTORS = [detector("pii"), detector("secrets")]
MAIL, OTHER = "ann.smith@example.com", "ben@example.org"
KEY = "glpat-" + "pLIix6MEOLeMa61EqJom"
CARD = "4111 1111 1111 1111"


def test_the_same_find_has_the_same_word_everywhere_in_a_case():
    found = deidentified(
        [[{"role": "user", "content": f"I am {MAIL}, not {OTHER}."}], f"Dear {MAIL}"], DETECTORS
    )
    messages, expected = found.values
    assert messages == [{"role": "user", "content": "I am [email 1], not [email 2]."}]
    assert expected == "Dear [email 1]"
    assert found.taken == {"email": 2}


def test_secrets_and_numbers_go_wherever_they_stand():
    request = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": f"token {KEY}"}]},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function":
                {"name": "pay", "arguments": json.dumps({"card": CARD})}}]},
        ],
        "temperature": 0.2,
    }  # fmt: skip
    found = deidentified([request], DETECTORS)
    text = json.dumps(found.values)
    assert KEY not in text
    assert "4111" not in text
    assert found.values[0]["temperature"] == 0.2
    assert found.values[0]["messages"][0]["content"][0]["type"] == "text"


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from([MAIL, KEY, CARD]))
def test_what_was_cleaned_is_clean_and_stays_as_it_is(before, after, secret):
    try:
        found = deidentified([f"{before} {secret} {after}"], DETECTORS)
    except Unseeable:
        return  # it refuses rather than keep what it cannot take out
    for each in DETECTORS:
        assert not each.judge(found.values[0], channel="content").findings
    assert deidentified(found.values, DETECTORS).values == found.values


def test_nothing_of_what_was_taken_is_in_what_is_told():
    found = deidentified([f"{MAIL} {KEY}"], DETECTORS)
    assert MAIL.split("@")[0] not in repr(found)
    assert KEY[6:] not in repr(found)


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}],
        {"messages": [{"role": "user", "content": "x", "audio": {"data": "AAA"}}]},
    ],
)
def test_what_is_no_text_is_refused(value):
    with pytest.raises(Unseeable, match="a part of type"):
        deidentified([value], DETECTORS)


def test_a_detector_that_could_not_look_is_no_clearance():
    class Blind:
        name, version = "blind", "1"

        def judge(self, text, *, channel):
            return Judgement(detector="blind", version="1", status="unjudged", reason="too long")

    with pytest.raises(Unseeable, match="blind could not look: too long"):
        deidentified(["text"], [Blind()])


def test_a_wild_nesting_is_refused():
    value = "x"
    for _ in range(80):
        value = [value]
    with pytest.raises(Unseeable, match="deep"):
        deidentified([value], DETECTORS)
