"""Which rules are for a request and what they look at; a recorded verdict beside today's."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from pointsman.domain.policies import CHANNELS, Stage, Verdict
from pointsman.domain.verdict import Screening, Subject
from pointsman.governing.governor import Governor, judged
from pointsman.governing.outlook import outlook
from pointsman.governing.recording import verdict_again
from pointsman.governing.requests import Text
from pointsman.policy.compiling import INBOUND
from pointsman.policy.evaluating import how_of
from pointsman.policy.facts import Facts

_STAGES: Mapping[str, tuple[Stage, ...]] = {
    "request": ("request",),
    "tool_result": ("tool_result",),
    "response": ("response", "stream"),
    "tool_call": ("response", "stream", "tool_call"),
}


class ExplainedRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that is for the request."""

    policy: str
    rule: str
    verdict: Verdict
    how: str
    stages: tuple[str, ...]
    channels: tuple[str, ...]
    detectors: tuple[str, ...]
    when: str


class ExplainedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is for a request of these facts, and what follows for one text of it."""

    facts: Facts
    policies: tuple[str, ...]
    rules: tuple[ExplainedRule, ...]
    kept_back: str  # why all of its stream is; empty where it is not
    said: tuple[str, ...] = ()  # what detectors and rules say of the text
    verdict: Verdict | None = None


def explained(
    governor: Governor, facts: Facts, *, text: str | None = None, stage: str = "response"
) -> ExplainedRequest:
    """What is for a request. Args: stage is where the text would stand."""
    rules = governor.rules(facts)
    mine = {policy.spec.id: policy for policy in (*rules.inbound, *rules.outbound)}
    told = [
        ExplainedRule(
            policy=policy.spec.id,
            rule=rule.spec.id,
            verdict=rule.spec.verdict,
            how=how_of(policy, rule, facts),
            stages=rule.spec.stages,
            channels=tuple(
                each
                for each in CHANNELS
                if any(each in policy.channels(rule.spec, one) for one in rule.spec.stages)
            ),
            detectors=tuple(bound.name for bound in rule.detectors),
            when=rule.spec.when or "",
        )
        for policy in mine.values()
        for rule in policy.rules
    ]
    made = ExplainedRequest(
        facts=facts,
        policies=tuple(policy.spec.reference for policy in mine.values()),
        rules=tuple(told),
        kept_back=outlook(rules.outbound, facts).whole if facts.stream else "",
    )
    if text is None:
        return made
    stages = _STAGES[stage]
    policies = rules.inbound if set(stages) & INBOUND else rules.outbound
    channel: Literal["tool_args", "content"] = "tool_args" if stage == "tool_call" else "content"
    subject = Subject(stages=stages, channel=channel)
    seen, decided = judged(policies, facts, [Text(subject=subject, path=(), text=text)])
    said = [
        f"{judgement.detector}@{judgement.version}: {judgement.status}, score {judgement.score:.3g}"
        + "".join(f"; {one.kind} ({one.rule}) {one.start}-{one.end}" for one in judgement.findings)
        + (f"; {judgement.reason}" if judgement.reason else "")
        for each in seen
        for judgement in each.judgements.values()
    ]
    said += [f"{one.policy}: {one.rule} fires: {one.verdict}, {one.how}" for one in decided.fired]
    said += [f"{one.policy}: {one.rule} could not look: {one.reason}" for one in decided.unjudged]
    return msgspec.structs.replace(made, said=tuple(said), verdict=decided.verdict)


def again(
    governor: Governor, facts: Facts, recorded: Screening, *, inbound: bool
) -> Literal["same", "different", "other policies", "not whole"]:
    """Whether the recorded verdict follows again from what was recorded of it.

    `other policies`: those of today are not those of then. `not whole`: the record leaves out some
    of what was seen. A stream that a gate ended has seen no more than it let through.
    """
    rules = governor.rules(facts)
    policies = rules.inbound if inbound else rules.outbound
    if tuple(policy.spec.reference for policy in policies) != recorded.policies:
        return "other policies"
    decided = verdict_again(policies, facts, recorded)
    if decided is None:
        return "not whole"
    return "same" if decided.verdict == recorded.verdict else "different"
