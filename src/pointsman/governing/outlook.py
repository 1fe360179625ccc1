"""What a stream must be kept back for, told from its policies and facts before it begins."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from pointsman.domain.policies import CHANNELS, Channel, Stage
from pointsman.expressions import EvaluationError
from pointsman.policy.compiling import INBOUND, Bound, Policy, Rule
from pointsman.policy.evaluating import hits as counted
from pointsman.policy.evaluating import how_of
from pointsman.policy.facts import Facts
from pointsman.policy.gating.mixture import Asked, Mixture
from pointsman.policy.gating.nearby import Nearby
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import RuleSet

STREAMED: tuple[Stage, ...] = ("response", "stream", "tool_call")
_MOST_DETECTORS = 6  # of one rule, whose every combination is looked at
_HIT: Mapping[str, Any] = {"hit": True, "unjudged": False}
_CLEAR: Mapping[str, Any] = {"hit": False, "unjudged": False}


class Guard(NamedTuple):
    """A detector whose every span a rule takes out of a channel, or ends the answer at."""

    bound: Bound
    action: Literal["redact", "block"]
    replacement: str


class Outlook(NamedTuple):
    """How a stream runs: `whole` is why all of it waits for its end; empty where it need not."""

    whole: str
    guards: Mapping[Channel, tuple[Guard, ...]]
    most_held: int  # characters of one text
    segments: frozenset[Channel] = frozenset()  # whose text goes on by segments, each judged first
    judges: tuple[Policy, ...] = ()  # of segments: the rules, with the detectors, that judge them

    @property
    def free(self) -> bool:
        """Whether every character may go on as it comes."""
        return not self.whole and not self.segments and not any(self.guards.values())


def outlook(policies: Sequence[Policy], facts: Facts) -> Outlook:
    """How a stream of these facts runs.

    A rule lets text go on while it comes where each span that one of its detectors finds decides
    by itself what happens to it, and the detector's spans are regular, or it looks no further than
    nearby. A rule that blocks by what detectors say of texts as a whole lets segments go on, each
    after its own verdict. Any other rule that could change the answer keeps all of it back.
    """
    segments: set[Channel] = set()
    guards: dict[Channel, list[Guard]] = {channel: [] for channel in CHANNELS}
    judges: list[Policy] = []
    for policy in policies:
        judging: list[Rule] = []
        for rule in policy.rules:
            if how_of(policy, rule, facts) != "enforced":
                continue
            if rule.spec.verdict in ("allow", "annotate") and not rule.spec.obligations:
                continue
            whole = by_segment(rule)
            for channel in CHANNELS:
                for stage in _stages(policy, rule, channel):
                    env = {**facts.env(), "stage": stage, "channel": channel}
                    made = _guards(rule, env)
                    if isinstance(made, str) and whole is not None:
                        segments.add(channel)
                        judging += [whole] if whole not in judging else []
                        left = _without(rule, whole)
                        made = _guards(left, env) if left.detectors else []
                    if isinstance(made, str):
                        return Outlook(f"{policy.spec.id}: {rule.spec.id}: {made}", {}, 0)
                    guards[channel] += [one for one in made if one not in guards[channel]]
        if judging:
            judges.append(Policy(policy.spec, tuple(judging)))
    most = [policy.stage(stage).max_hold_chars for policy in policies for stage in STREAMED]
    found = {channel: tuple(each) for channel, each in guards.items()}
    return Outlook(
        "", found, min(most, default=65_536), frozenset(segments), tuple(judges)
    )  # fmt: skip


def _stages(policy: Policy, rule: Rule, channel: Channel) -> Iterator[Stage]:
    """The stages at which the rule looks at this channel of a stream."""
    for stage in rule.spec.stages:
        if stage in INBOUND or channel not in policy.channels(rule.spec, stage):
            continue
        if stage != "tool_call" or channel == "tool_args":
            yield stage


def _without(rule: Rule, other: Rule) -> Rule:
    """What is left of a rule besides the detectors of the other."""
    left = tuple(bound for bound in rule.detectors if bound not in other.detectors)
    return Rule(rule.spec, left, rule.when, rule.exceptions)


def _guards(rule: Rule, env: Mapping[str, Any]) -> list[Guard] | str:
    """What the rule guards against at one stage and channel; or why it must see all of it."""
    fires = _fires(rule, env)
    if fires is None:
        return "its condition reads more than whether a detector hits"
    if not any(fires.values()):
        return []
    names = [bound.name for bound in rule.detectors]
    if fires[(False,) * len(names)]:
        return "it fires whatever is found"
    if rule.spec.verdict not in ("redact", "block"):
        return f"`{rule.spec.verdict}` leaves nothing of the answer as it is"
    if rule.spec.obligations:
        return "its obligations are known at the end"
    made: list[Guard] = []
    for at, bound in enumerate(rule.detectors):
        decided = {fired for hits, fired in fires.items() if hits[at]}
        if len(decided) > 1:
            return f"whether {bound.name} counts depends on another detector"
        if decided == {True}:
            if not spans_of(bound) and nearby_of(bound) is None:
                return f"{bound.name} has to see all of a text"
            action: Literal["redact", "block"] = (
                "redact" if rule.spec.verdict == "redact" else "block"
            )
            made.append(Guard(bound, action, rule.spec.redact_with))
    return made


def _fires(rule: Rule, env: Mapping[str, Any]) -> dict[tuple[bool, ...], bool] | None:
    """For each combination of hits, whether the rule fires; None where more than hits decide."""
    names = [bound.name for bound in rule.detectors]
    if rule.when is None:
        return {hits: any(hits) for hits in product((False, True), repeat=len(names))}
    if len(names) > _MOST_DETECTORS:
        return None
    found = {}
    for hits in product((False, True), repeat=len(names)):
        said = {name: _HIT if hit else _CLEAR for name, hit in zip(names, hits, strict=True)}
        try:
            found[hits] = rule.when.test({**env, **said})
        except EvaluationError:
            return None
    return found


class RuleSets:
    """What guards let through, compiled once for each set of them."""

    def __init__(self) -> None:
        self._made: dict[tuple[tuple[object, ...], ...], RuleSet | Mixture] = {}

    def of(
        self, guards: Sequence[Guard], action: Literal["redact", "block"], channel: Channel
    ) -> RuleSet | Mixture | None:
        """The rules that redact, or that block; None where no guard does."""
        mine = [each for each in guards if each.action == action]
        if not mine:
            return None
        asked = [nearby_of(each.bound) for each in mine]
        near = (channel if any(asked) else "",)  # they are told which they look at
        key = (near, *((each.bound.key, each.bound.spec, each.replacement) for each in mine))
        found = self._made.get(key)
        if found is None:
            members: list[SpanRule | Asked] = []
            for at, (each, nearby) in enumerate(zip(mine, asked, strict=True)):
                if nearby is not None:
                    spans = _Spans(each.bound, channel)
                    members.append(Asked(nearby, spans, f"{at}", each.replacement))
                members += [
                    replace(rule, id=f"{at}:{rule.id}", kind=each.replacement)
                    for rule in spans_of(each.bound)
                ]
            rules = [each for each in members if isinstance(each, SpanRule)]
            made = RuleSet(rules) if len(rules) == len(members) else Mixture(members)
            found = self._made[key] = made
        return found


class _Spans:
    """What counts of what a detector finds, as its policy asks of it."""

    def __init__(self, bound: Bound, channel: Channel) -> None:
        self._bound = bound
        self._channel = channel

    def __call__(self, text: str) -> list[tuple[int, int]]:
        said = self._bound.detector.judge(text, channel=self._channel)
        if said.status == "unjudged":
            raise ValueError(said.reason)
        return [(each.start, each.end) for each in counted(self._bound, said)[1]]


def by_segment(rule: Rule) -> Rule | None:
    """The part of a rule that can be judged on a text so far: it blocks, and what it asks finds
    no spans that a segment could end within. What finds spans beside it is not in that part."""
    if rule.spec.verdict != "block" or rule.spec.obligations:
        return None
    whole = tuple(bound for bound in rule.detectors if getattr(bound.detector, "by_segment", False))
    if not whole or (rule.when is not None and len(whole) < len(rule.detectors)):
        return None
    return Rule(rule.spec, whole, rule.when, rule.exceptions)


def spans_of(bound: Bound) -> tuple[SpanRule, ...]:
    """The regular rules whose spans are all that counts of a detector; none where more does."""
    rules: tuple[SpanRule, ...] = getattr(bound.detector, "span_rules", ())
    kinds = bound.spec.kinds
    return tuple(rule for rule in rules if not kinds or rule.kind in kinds)


def nearby_of(bound: Bound) -> Nearby | None:
    """How far a detector looks whose findings are all that counts of it; None where more does."""
    least = bound.spec.threshold
    if least is not None and least <= 0.0:
        return None  # it hits where it finds nothing
    found: Nearby | None = getattr(bound.detector, "nearby", None)
    return found
