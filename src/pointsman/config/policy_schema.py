"""The shape of a policy file: closed structs, one per mapping, before anything is resolved."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pointsman.config.schema import NAME_PATTERN, Text
from pointsman.domain.policies import Channel, Stage, SurfaceName, Verdict

# What conditions name must be a word of theirs.
Word = Annotated[
    str,
    Meta(
        pattern=r"[a-z][a-z0-9_]{0,63}",
        description="a-z, then a-z, 0-9 and underscore; at most 64",
    ),
]
Id = Annotated[str, Meta(pattern=NAME_PATTERN)]
Day = Annotated[str, Meta(min_length=10, max_length=10)]
Words = list[Text]


class _Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every mapping of the file is: its keys are its fields, and no others."""


class RawCanary(_Closed, frozen=True, kw_only=True):
    """The share of requests for which verdicts count."""

    percent: Annotated[float, Meta(ge=0, le=100)]
    seed: str = ""


class RawDetector(_Closed, frozen=True, kw_only=True):
    """One detector: of the registry by `use`, or written out as `regex` or `literal`."""

    use: str | None = None
    kinds: Words = []
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    regex: Text | None = None
    group: Annotated[int, Meta(ge=0, le=99)] = 0
    literal: Annotated[list[Text], Meta(min_length=1, max_length=10_000)] | None = None
    ignore_case: bool = False
    kind: Text | None = None


class RawFailOpen(_Closed, frozen=True, kw_only=True):
    """Why what could not be looked at passes, and until when."""

    reason: Text
    expires: Day


class RawStage(_Closed, frozen=True, kw_only=True):
    """How the policy looks at one stage."""

    channels: Annotated[list[Channel], Meta(min_length=1)] | None = None
    on_unjudged: Literal["block", "hold", "fail_open"] | None = None
    fail_open: RawFailOpen | None = None
    max_hold_chars: Annotated[int, Meta(ge=1, le=2**31)] = 65_536


class RawStages(_Closed, frozen=True, kw_only=True):
    """By stage."""

    request: RawStage | None = None
    retrieval: RawStage | None = None
    tool_call: RawStage | None = None
    tool_result: RawStage | None = None
    response: RawStage | None = None
    stream: RawStage | None = None
    cache_hit: RawStage | None = None


class RawRedact(_Closed, frozen=True, kw_only=True):
    """What stands where a span stood."""

    replacement: str = "[redacted]"


class RawRewrite(_Closed, frozen=True, kw_only=True):
    """What stands where the whole text stood."""

    text: Text


class RawEscalate(_Closed, frozen=True, kw_only=True):
    """How often the next step of the plan is asked instead."""

    most: Annotated[int, Meta(ge=1, le=15)] = 1
    otherwise: Literal["hold", "block"] = "block"


class RawHold(_Closed, frozen=True, kw_only=True):
    """Who looks at an answer before it is delivered."""

    persons: Annotated[int, Meta(ge=1, le=5)] = 1
    hours: Annotated[float, Meta(gt=0, le=720)] = 24.0


class RawPolicyRule(_Closed, frozen=True, kw_only=True):
    """One rule."""

    id: Id
    stages: Annotated[list[Stage], Meta(min_length=1)]
    verdict: Verdict
    detectors: list[str] = []
    when: Text | None = None
    channels: list[Channel] = []
    mode: Literal["shadow", "enforce", "canary"] | None = None
    canary: RawCanary | None = None
    redact: RawRedact = RawRedact()
    rewrite: RawRewrite | None = None
    escalate: RawEscalate = RawEscalate()
    hold: RawHold = RawHold()
    obligations: dict[str, Any] = {}
    rationale: str = ""
    owner: str = ""
    review_by: Day | None = None
    controls: Words = []


class RawApproval(_Closed, frozen=True, kw_only=True):
    """Who allowed an exception, and what exactly."""

    principal: Text
    digest: Annotated[
        str, Meta(pattern="^[0-9a-f]{16}$", description="16 digits, as `policy lint` prints them")
    ]


class RawException(_Closed, frozen=True, kw_only=True):
    """For whom a rule does not count."""

    rule: Text
    when: Text
    approved_by: Annotated[list[Text], Meta(min_length=1)]
    expires: Day
    reason: str = ""
    approvals: list[RawApproval] = []


class RawScope(_Closed, frozen=True, kw_only=True):
    """Whose requests the policy is for."""

    tenants: Words = []
    teams: Words = []
    tasks: Words = []
    routes: Words = []
    models: Words = []
    surfaces: list[SurfaceName] = []


class RawFacts(_Closed, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks in a test, of what, and when."""

    tenant: str | None = None
    principal: str | None = None
    team: str | None = None
    task: str | None = None
    route: str | None = None
    model: str | None = None
    surface: SurfaceName | None = None
    day: Day | None = None


class RawExpect(_Closed, frozen=True, kw_only=True):
    """What a test must come to."""

    verdict: Verdict
    rules: list[str] | None = None
    text: str | None = None


class RawPolicyTest(_Closed, frozen=True, kw_only=True):
    """One inline test."""

    name: Text
    expect: RawExpect
    input: str | None = None
    tool_result: str | None = None
    retrieval: str | None = None
    output: str | None = None
    reasoning: str | None = None
    tool_args: str | None = None
    refusal: str | None = None
    guards: dict[Text, str] = {}
    guards_input: dict[Text, str] = {}
    facts: RawFacts = RawFacts()
    stream: list[Text] = []


class RawPolicy(_Closed, frozen=True, kw_only=True):
    """A policy file."""

    id: Id
    version: Literal["pointsman/policy.v1"] = "pointsman/policy.v1"
    base: bool = False
    extends: Words = []
    mode: Literal["shadow", "enforce", "canary"] = "enforce"
    canary: RawCanary | None = None
    scope: RawScope = RawScope()
    stages: RawStages = RawStages()
    detectors: dict[Word, RawDetector] = {}
    rules: list[RawPolicyRule] = []
    exceptions: list[RawException] = []
    tests: list[RawPolicyTest] = []


RAW_POLICY_STRUCTS: tuple[type[msgspec.Struct], ...] = (
    RawPolicy, RawScope, RawStages, RawStage, RawFailOpen, RawDetector, RawPolicyRule, RawCanary,
    RawRedact, RawRewrite, RawEscalate, RawHold, RawApproval, RawException, RawPolicyTest, RawFacts,
    RawExpect,
)  # fmt: skip
