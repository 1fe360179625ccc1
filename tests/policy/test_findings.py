"""Findings cross into records: they survive being written, and carry no text."""

import msgspec

from pointsman.policy.finding import Finding, Judgement


def test_a_judgement_survives_the_record():
    found = Finding(detector="secrets", rule="github-pat", kind="secret", start=3, end=43)
    said = Judgement(detector="secrets", version="1", status="found", findings=(found,), score=1.0)
    assert msgspec.json.decode(msgspec.json.encode(said), type=Judgement) == said


def test_what_could_not_look_says_why():
    said = Judgement(detector="pii", version="1", status="unjudged", reason="text too long")
    assert b"too long" in msgspec.json.encode(said)
    assert said.findings == ()
