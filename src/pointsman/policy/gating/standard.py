"""The rules a gate has where nothing else is said: personal identifiers and common secrets.

Each is written so that it is known early and holds little: what has an end of its own choosing
(`x{20,}`) is known from its least on. Checksums and context are for detectors, not for these.
"""

from functools import cache

from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet

_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_GROUP = "[0-9A-Fa-f]{1,4}"

STANDARD = (
    SpanRule(
        id="email", kind="email",
        pattern=r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
    ),
    SpanRule(
        id="payment-card", kind="payment_card",
        pattern=r"\b(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6(?:011|5\d{2}))(?:[ -]?\d{4}){3}\b"
        r"|\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b",
    ),
    SpanRule(
        id="iban", kind="iban",
        pattern=r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    ),
    SpanRule(id="us-ssn", kind="national_id", pattern=r"\b[0-8]\d{2}-\d{2}-\d{4}\b"),
    SpanRule(
        id="phone", kind="phone",
        pattern=r"(?:\+|\b00)[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}"
        r"(?:[ .-]?\d{2,4}){2,4}\b"
        r"|\(\d{3}\) ?\d{3}-\d{4}\b|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b",
    ),
    SpanRule(
        id="ip-address", kind="ip_address",
        pattern=rf"\b(?:{_BYTE}\.){{3}}{_BYTE}\b"
        rf"|\b(?:{_GROUP}:){{7}}{_GROUP}\b|\b(?:{_GROUP}:){{1,6}}(?::{_GROUP}){{1,6}}\b",
    ),
    SpanRule(id="aws-access-key", pattern=r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    SpanRule(
        id="github-token",
        pattern=r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})",
    ),
    SpanRule(id="sk-key", pattern=r"\bsk-[A-Za-z0-9_-]{20,}"),
    SpanRule(
        id="json-web-token",
        pattern=r"\beyJ[A-Za-z0-9_-]{12,512}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    ),
    SpanRule(
        # From its head on: a body without dashes in twos, and the foot where there is one.
        id="private-key",
        pattern=r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]|-[^-])*(?:-----END [A-Z0-9 ]{1,80}-----)?",
    ),
)  # fmt: skip


@cache
def standard() -> RuleSet:
    """The standard rules, compiled once in a process."""
    return RuleSet(STANDARD)
