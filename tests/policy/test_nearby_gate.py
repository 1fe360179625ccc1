"""Streams under detectors that look nearby: what leaves is what the whole text would leave."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.detectors.pii.detector import PersonalData
from pointsman.policy.detectors.secrets.detector import Secrets
from pointsman.policy.detectors.view import View
from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.mixture import Asked, Mixture
from pointsman.policy.gating.nearby import Nearby
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.verdicts import Span, redacted, union

DETECTORS = (Secrets(), PersonalData())
CODE = SpanRule(id="code", pattern=r"EMP-[0-9]{4,6}", kind="code")


def asked(detector, channel="content") -> Asked:
    return Asked(
        detector.nearby,
        lambda text: [(f.start, f.end) for f in detector.judge(text, channel=channel).findings],
        detector.name,
        detector.name,
    )


MIXED = Mixture([asked(DETECTORS[0]), CODE, asked(DETECTORS[1])])
_HEX = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
PIECES = st.sampled_from([
    # secrets, whole, begun, touching, and what decides whether they are some
    "AKIA" + "Q2W3E4R5T6Y7U2I3", "AKIAQ2W3", "ghp_", _HEX, _HEX[:17], "password", " = ", ": ", '"',
    "hunter42!x", "api_key", "Authorization: Bearer ", "heroku ", "slack", "postgres://app:",
    "s3cr3t!x9@db/x", "curl -u ", "me:pa55w0rd ", "login x password ",
    "-----BEGIN PRIVATE KEY-----",
    "\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "example", "sha256", "-p",
    "eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", ".dBjftJeZ4CVPmB92K27uhbUJU1p1r_w",
    # personal data
    "4111 1111 1111 1111", "4111", " 1111", "card ", "visa", "123-45-6789", "ssn ", "123", "-",
    "anna@example", ".org", "+49 30 ", "1234567", "call ", "account number is ", "12345678",
    "DE89 3704 0044 0532 0130 00", "2001-02-03", "born ", "192.168.", "0.17", "https://a.b/c?d",
    "EMP-", "12345", "passport no. ", "C01X00T47", "(", ")", "/",
    # between
    " ", "  ", "\n", ". ", ", ", "the ", "é", "号", "４", "\u200b", "token", "key ", "x" * 20, "A1",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 260), max_size=40)


def cut(text: str, cuts: list[int]) -> list[str]:
    at = sorted({min(each, len(text)) for each in cuts} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(at)]


def through(gate: StreamGate, pieces: list[str]) -> str:
    said = "".join(gate.push(piece).text for piece in pieces)
    return said + gate.close().text


def whole(text: str) -> list[Span]:
    secrets, personal = (each.judge(text, channel="content").findings for each in DETECTORS)
    codes = RuleSet([CODE]).scan(text)
    return [
        *(Span(f.start, f.end, "[secrets]") for f in secrets),
        *(Span(f.start, f.end, "[code]") for f in codes),
        *(Span(f.start, f.end, "[pii]") for f in personal),
    ]


@given(TEXTS, CUTS)
@settings(max_examples=200, deadline=None)
def test_what_is_redacted_in_a_stream_is_what_is_redacted_in_the_whole_text(text, cuts):
    gate = StreamGate(MIXED, placeholder="[{kind}]")
    assert through(gate, cut(text, cuts)) == redacted(text, union(whole(text)))
    assert gate.released + gate.redacted == len(text)


@given(TEXTS, CUTS)
@settings(max_examples=100, deadline=None)
def test_a_stream_that_is_blocked_ends_before_the_first_span(text, cuts):
    gate = StreamGate(MIXED, action="block")
    said = through(gate, cut(text, cuts))
    spans = union(whole(text))
    if spans:
        assert said == text[: spans[0].start]
    else:
        assert said == text


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_all_that_is_found_lies_where_something_could_be(text):
    for detector in DETECTORS:
        places = detector.nearby.rules.scan(View.folding(text), normalise=False)
        covered = union(Span(each.start, each.end) for each in places)
        for found in detector.judge(text, channel="content").findings:
            assert any(c.start <= found.start and found.end <= c.end for c in covered)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda each: each.name)
def test_plain_prose_is_held_for_some_characters_only(detector):
    text = "The keys to a good answer are few: say what is so, and why. Then stop, at last. " * 20
    gate = StreamGate(Mixture([asked(detector)]))
    held = [gate.push(character).held for character in text]
    assert max(held) <= 64
    assert sum(held) / len(held) <= 12


def test_escapes_are_resolved_before_a_place_is_looked_for():
    gate = StreamGate(
        Mixture([asked(DETECTORS[1], "tool_args")]), escapes=True, placeholder="[{kind}]"
    )
    text = r'{"to": "\u0061nna@example.org", "n": "\ud83d\ude00 4111 1111 1111 1111\n"}'
    assert through(gate, list(text)) == r'{"to": "[pii]", "n": "\ud83d\ude00 [pii]\n"}'


def test_a_detector_that_breaks_lets_nothing_of_a_place_out():
    def breaks(text):
        raise RuntimeError

    gate = StreamGate(Mixture([Asked(DETECTORS[1].nearby, breaks, "pii", "pii")]))
    assert "4111" not in through(gate, list("my card is 4111 1111 1111 1111, you know"))


def test_a_place_that_cannot_be_followed_is_refused():
    with pytest.raises(ValueError, match="RE2"):
        _ = Nearby(["(?=a)"], fold=str, before=1, after=1).rules
