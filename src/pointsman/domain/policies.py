"""Policies as their files say them, resolved: rules, detectors, stages, exceptions, tests.

What they mean is decided in `policy`; here are the words only. Every list keeps the file's order.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal, get_args

import msgspec

Verdict = Literal["allow", "annotate", "redact", "rewrite", "escalate", "hold", "block"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)  # the mildest first
Stage = Literal[
    "request", "retrieval", "tool_call", "tool_result", "response", "stream", "cache_hit"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
# What a model writes that a client can read, and what a client sends; each is judged apart.
Channel = Literal["content", "reasoning", "tool_args", "refusal"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
SurfaceName = Literal["chat", "completions", "embeddings", "rerank", "responses", "messages"]
SURFACE_NAMES: tuple[SurfaceName, ...] = get_args(SurfaceName)
Mark = tuple[int, int]  # line and column, from 1


class PolicyMode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a verdict changes what happens. A canary does for a share of requests."""

    kind: Literal["shadow", "enforce", "canary"] = "enforce"
    percent: float = 100.0
    seed: str = ""


class DetectorSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One detector under the name that conditions know it by."""

    name: str
    use: str  # of the registry; `regex` and `literal` are written out below
    kinds: tuple[str, ...] = ()  # only findings of these; none: all
    threshold: float | None = None  # a score from here on is a hit; None: the detector's own
    regex: str | None = None
    group: int = 0  # of the regex: what is protected
    literals: tuple[str, ...] = ()
    ignore_case: bool = False
    kind: str = ""  # what inline findings are called; else the detector's name


class UnjudgedSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What follows where a detector could not look. To let it pass needs a reason and an end."""

    action: Literal["block", "hold", "fail_open"] = "block"
    reason: str = ""
    expires: str | None = None  # YYYY-MM-DD, the first day on which it holds no more


class StageSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a policy looks at one stage."""

    channels: tuple[Channel, ...] = CHANNELS
    on_unjudged: UnjudgedSpec = UnjudgedSpec()
    max_hold_chars: int = 65_536  # of one channel; more waits for nobody: it is blocked


class EscalateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The next step of the plan answers instead, and is judged again."""

    most: int = 1
    otherwise: Literal["hold", "block"] = "block"  # where no step is left


class HoldSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """People look at an answer before it is delivered."""

    persons: int = 1  # different ones
    hours: float = 24.0  # until it is blocked, where nobody decided


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule: where it looks, when it fires, what follows."""

    id: str
    stages: tuple[Stage, ...]
    verdict: Verdict
    detectors: tuple[str, ...] = ()  # names; those a condition reads are added
    when: str | None = None  # None: any of the detectors hits
    channels: tuple[Channel, ...] = ()  # none: those of the stage
    mode: PolicyMode | None = None  # None: the policy's
    redact_with: str = "[redacted]"
    rewrite_with: str = ""
    escalate: EscalateSpec = EscalateSpec()
    hold: HoldSpec = HoldSpec()
    obligations: dict[str, Any] = {}
    rationale: str = ""
    owner: str = ""
    review_by: str | None = None
    controls: tuple[str, ...] = ()


class PolicyApproval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody allowed exactly this: the rule as it is, for whom, and until when."""

    principal: str  # issuer and subject of their identity provider, or the name of a key
    digest: str  # of what they allowed, 16 digits


class ExceptionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For whom a rule does not count, who allowed that, and until when."""

    rule: str
    when: str
    approved_by: tuple[str, ...]
    expires: str  # YYYY-MM-DD, the first day on which it holds no more
    reason: str = ""
    approvals: tuple[PolicyApproval, ...] = ()  # none: only names, which bind nothing


def exception_digest(
    made: ExceptionSpec, rule: RuleSpec, detectors: Mapping[str, DetectorSpec]
) -> str:
    """16 digits of what an exception allows: what the rule does, for whom, until when.

    Words about a rule (its rationale, owner, review and controls) are no part of it.
    """
    does = msgspec.structs.replace(rule, rationale="", owner="", review_by=None, controls=())
    used = {name: detectors[name] for name in sorted(rule.detectors) if name in detectors}
    said = msgspec.to_builtins([does, used, made.when, made.expires])
    return sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]


def exception_digests(spec: "PolicySpec") -> tuple[str, ...]:
    """What the exceptions of a policy allow, each by its digest."""
    rules = {rule.id: rule for rule in spec.rules}
    detectors = {each.name: each for each in spec.detectors}
    return tuple(exception_digest(each, rules[each.rule], detectors) for each in spec.exceptions)


class ScopeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose requests a policy is for: globs, each list empty for all."""

    tenants: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()  # as the client names them
    surfaces: tuple[SurfaceName, ...] = ()


class PolicyTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One inline test: what comes, who asks, and what must follow."""

    name: str
    expect: Verdict
    input: str | None = None  # of the user
    tool_result: str | None = None
    retrieval: str | None = None
    output: str | None = None
    reasoning: str | None = None
    tool_args: str | None = None
    refusal: str | None = None
    guards: dict[str, str] = {}  # what each guard answers, letter by letter
    guards_input: dict[str, str] = {}  # the same of what is asked, where it is another
    facts: dict[str, str] = {}  # tenant, principal, team, task, route, model, surface, day
    stream: tuple[str, ...] = ()  # `every-char`, `whole`, `random:SEED`
    rules: tuple[str, ...] | None = None  # that must have fired, exactly
    text: str | None = None  # what the client reads on the content channel


class PolicySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One policy file, resolved: what it extends is part of it."""

    id: str
    digest: str  # SHA-256, hex, of its canonical form: tests, places and file left out
    base: bool = False  # only there to be extended
    extends: tuple[str, ...] = ()  # `id@sha256:DIGEST`
    mode: PolicyMode = PolicyMode()
    scope: ScopeSpec = ScopeSpec()
    stages: dict[Stage, StageSpec] = {}
    detectors: tuple[DetectorSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    exceptions: tuple[ExceptionSpec, ...] = ()
    tests: tuple[PolicyTest, ...] = ()
    marks: dict[str, Mark] = {}  # where things stand in the file, by place: `rules[0].when`
    file: str = ""

    @property
    def reference(self) -> str:
        """`id@sha256:DIGEST`, shortened, as records carry it."""
        return f"{self.id}@sha256:{self.digest[:16]}"


class PolicyBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which policies count for whom, as the configuration says."""

    name: str
    files: tuple[str, ...]  # globs
    tenants: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    policies: tuple[PolicySpec, ...] = ()


# What conditions may read beside the detectors that their policy names.
FACTS: dict[str, tuple[str, ...]] = {
    "tenant": (),
    "principal": ("name", "team"),
    "task": (),
    "route": (),
    "model": (),  # as the client named it
    "surface": (),
    "stage": (),
    "channel": (),
    "stream": (),
    "day": (),  # YYYY-MM-DD, UTC: dates compare as text
    "text": ("chars",),
}
# What a condition may read of a detector.
LOOKED: tuple[str, ...] = ("hit", "score", "count", "kinds", "rules", "unjudged")
