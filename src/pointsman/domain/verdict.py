"""What checks and detectors found, and what gates and policies decided from it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from pointsman.domain.policies import Channel, Stage, Verdict

CheckStatus = Literal["clear", "found", "unjudged"]  # unjudged: could not look, never "clear"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one verifier on one answer."""

    check: str
    status: CheckStatus
    detail: str = ""  # what was found or why it could not look; never text of the answer


class GateResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a gate decided after an attempt, with everything it looked at."""

    verdict: Literal["accept", "escalate"]
    reason: str
    checks: tuple[CheckResult, ...] = ()
    logprob_min: float | None = None
    logprob_mean: float | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing a detector found. Offsets count characters of the channel's text; never text."""

    detector: str
    rule: str  # the detector's own name for it: `github-pat`
    kind: str  # the class of it, as conditions ask: `secret`, `email`, `injection`
    start: int
    end: int  # one past the last character; start <= end
    score: float = 1.0  # in [0, 1]


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one detector says of one text. `unjudged`: it could not look, which is never clear."""

    detector: str
    version: str
    status: CheckStatus
    findings: tuple[Finding, ...] = ()
    score: float = 0.0  # of the text as a whole, in [0, 1]
    reason: str = ""  # why it could not look; never text


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One text that is looked at: a message of a request, a channel of a choice, a tool call."""

    stages: tuple[Stage, ...]  # that it counts as
    channel: Channel = "content"
    part: int = 0  # which message, or which choice
    index: int = 0  # which call, field or part of it


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A subject, and what each detector says of it, by `Bound.key`."""

    subject: Subject
    chars: int
    judgements: Mapping[str, Judgement]


class Fired(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that fired on a subject. Where it is not enforced it changes nothing."""

    policy: str
    rule: str
    verdict: Verdict
    stage: Stage
    subject: Subject
    how: Literal["enforced", "shadow", "excepted"] = "enforced"
    findings: tuple[Finding, ...] = ()


class Unjudged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that could not look, and what followed."""

    policy: str
    rule: str
    verdict: Verdict
    subject: Subject
    reason: str
    how: Literal["enforced", "shadow", "excepted", "open"] = "enforced"


class Screening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the policies made of a request or an answer, with everything a verdict depends on.

    Offsets, never text. `seen` leaves out judgements that are clear.
    """

    verdict: Verdict = "allow"
    why: str = ""  # policy and rule that decided
    policies: tuple[str, ...] = ()  # those that were asked, by reference
    detectors: tuple[str, ...] = ()  # `name@version`
    fired: tuple[Fired, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    obligations: dict[str, tuple[str, ...]] = {}
    seen: tuple[Seen, ...] = ()
    left_out: int = 0  # findings and subjects beyond what one record holds
    took_us: int = 0  # of looking and deciding
    held_chars: int = 0  # the most that a stream held back at once, of one channel
