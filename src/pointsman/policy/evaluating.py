"""From facts and judgements to one verdict. Pure: the same of both gives the same, every time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from pointsman.domain.policies import (
    EscalateSpec,
    HoldSpec,
    Stage,
    Verdict,
)
from pointsman.domain.verdict import Finding, Fired, Judgement, Seen, Subject, Unjudged
from pointsman.expressions import EvaluationError
from pointsman.policy.compiling import Bound, Policy, Rule
from pointsman.policy.facts import Facts, enforced, in_scope
from pointsman.policy.obligations import joined, unknown
from pointsman.policy.verdicts import Span, severity, union, worst

CLEAR = Judgement(detector="", version="", status="clear")
_Env = dict[str, Any]


class Decided(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What follows for a request or an answer."""

    verdict: Verdict = "allow"
    fired: tuple[Fired, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    obligations: dict[str, tuple[str, ...]] = {}
    not_known: tuple[str, ...] = ()  # obligations that nobody can do: they block
    rewrite: str = ""
    escalate: EscalateSpec | None = None
    hold: HoldSpec = HoldSpec()  # of the rules that hold it, the strictest
    because: str = ""  # where no rule says it

    @property
    def why(self) -> str:
        """The policy and rule that decided, for people."""
        if self.because:
            return self.because
        told: list[Fired | Unjudged] = [*self.fired, *self.unjudged]
        for each in told:
            if each.how == "enforced" and each.verdict == self.verdict:
                return f"{each.policy}: {each.rule}"
        return f"obligations that are not known: {', '.join(self.not_known)}"


def decide(policies: Sequence[Policy], facts: Facts, seen: Sequence[Seen]) -> Decided:
    """The verdict over all policies in whose scope the request is: the most severe wins."""
    fired: list[Fired] = []
    unjudged: list[Unjudged] = []
    duties: list[Mapping[str, Any]] = []
    rewrite, escalate, hold = "", None, HoldSpec()
    base: _Env = {}  # what conditions read of the facts, once one has to
    for policy in policies:
        if not in_scope(policy.spec.scope, facts):
            continue
        for rule in policy.rules:
            for said in _rule(policy, rule, facts, base, seen):
                if isinstance(said, Unjudged):
                    unjudged.append(said)
                    continue
                fired.append(said)
                if said.how != "enforced":
                    continue
                duties.append(rule.spec.obligations)
                if said.verdict == "rewrite":
                    rewrite = rewrite or rule.spec.rewrite_with
                if said.verdict == "escalate":
                    escalate = _stricter(escalate, rule.spec.escalate)
                if said.verdict in ("hold", "escalate"):
                    hold = _longer(hold, rule.spec.hold)
    if not fired and not unjudged:
        return _NOTHING
    not_known = tuple(dict.fromkeys(name for each in duties for name in unknown(each)))
    told: list[Fired | Unjudged] = [*fired, *unjudged]
    verdict = worst(each.verdict for each in told if each.how == "enforced")
    return Decided(
        verdict="block" if not_known else verdict,
        fired=tuple(fired),
        unjudged=tuple(unjudged),
        obligations=joined(duties),
        not_known=not_known,
        rewrite=rewrite,
        escalate=escalate,
        hold=hold,
    )


_NOTHING = Decided()


def redactions(policies: Sequence[Policy], decided: Decided, subject: Subject) -> tuple[Span, ...]:
    """The spans of a subject that its rules redact, as a union over its original text."""
    words = {
        (policy.spec.id, rule.spec.id): rule.spec.redact_with
        for policy in policies
        for rule in policy.rules
    }
    return union(
        Span(found.start, found.end, words[each.policy, each.rule])
        for each in decided.fired
        if each.verdict == "redact" and each.how == "enforced" and each.subject == subject
        for found in each.findings
    )


def hits(bound: Bound, judgement: Judgement) -> tuple[bool, tuple[Finding, ...]]:
    """Whether a detector hits as its policy asks of it, and its findings that count."""
    spec = bound.spec
    findings = tuple(
        each
        for each in judgement.findings
        if (not spec.kinds or each.kind in spec.kinds)
        and (spec.threshold is None or each.score >= spec.threshold)
    )
    if spec.threshold is not None and not spec.kinds and not judgement.findings:
        return judgement.score >= spec.threshold, ()
    if spec.kinds or judgement.findings:
        return bool(findings), findings
    return judgement.status == "found", ()


def looked(bound: Bound, judgement: Judgement) -> dict[str, Any]:
    """What conditions read of a detector. Of one that could not look, only that it could not."""
    if judgement.status == "unjudged":
        return {"unjudged": True}
    hit, findings = hits(bound, judgement)
    return {
        "hit": hit,
        "score": float(max((each.score for each in findings), default=judgement.score)),
        "count": len(findings),
        "kinds": sorted({each.kind for each in findings}),
        "rules": sorted({each.rule for each in findings}),
        "unjudged": False,
    }


def _rule(
    policy: Policy, rule: Rule, facts: Facts, base: _Env, seen: Iterable[Seen]
) -> Iterable[Fired | Unjudged]:
    how: Literal["enforced", "shadow", "excepted"] | None = None
    for each in seen:
        stage = policy.place(rule, each.subject.stages, each.subject.channel)
        if stage is None or (rule.when is None and _silent(rule, each)):
            continue
        if how is None:
            how = how_of(policy, rule, facts)
            base.update(facts.env())
        said = {bound: each.judgements.get(bound.key, CLEAR) for bound in rule.detectors}
        env = {**base, "stage": stage, "channel": each.subject.channel,
               "text": {"chars": each.chars},
               **{bound.name: looked(bound, one) for bound, one in said.items()}}  # fmt: skip
        fires, why = fires_on(rule, env)
        if fires:
            yield Fired(
                policy=policy.spec.id,
                rule=rule.spec.id,
                verdict=rule.spec.verdict,
                stage=stage,
                subject=each.subject,
                how=how,
                findings=tuple(one for b, j in said.items() for one in hits(b, j)[1]),
            )
        elif why:
            reasons = [one.reason for one in said.values() if one.status == "unjudged"]
            yield _unjudged(policy, rule, stage, each.subject, facts, how, reasons or [why])


def _silent(rule: Rule, seen: Seen) -> bool:
    """Whether no detector of a rule without a condition says anything, as is usual."""
    for bound in rule.detectors:
        said = seen.judgements.get(bound.key, CLEAR)
        if said.status != "clear" or said.findings or bound.spec.threshold is not None:
            return False
    return True


def fires_on(rule: Rule, env: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a rule fires, and else why that could not be said; empty where it does not fire."""
    if rule.when is None:
        says = [env[bound.name] for bound in rule.detectors]
        if any(each.get("hit") for each in says):
            return True, ""
        return False, "a detector could not look" if any(e["unjudged"] for e in says) else ""
    try:
        return rule.when.test(env), ""
    except EvaluationError as error:
        return False, f"its condition has no value: {error}"


def _unjudged(
    policy: Policy, rule: Rule, stage: Stage, subject: Subject, facts: Facts,
    how: Literal["enforced", "shadow", "excepted"], reasons: Sequence[str],
) -> Unjudged:  # fmt: skip
    follows = policy.unjudged(stage)
    verdict: Verdict = "hold" if follows.action == "hold" else "block"
    passes = follows.action == "fail_open" and facts.day < (follows.expires or "")
    return Unjudged(
        policy=policy.spec.id,
        rule=rule.spec.id,
        # a rule that could at most annotate blocks nothing where it could not look
        verdict=verdict if severity(rule.spec.verdict) > severity("annotate") else "annotate",
        subject=subject,
        reason="; ".join(dict.fromkeys(reasons)),
        how="open" if passes and how == "enforced" else how,
    )


def how_of(policy: Policy, rule: Rule, facts: Facts) -> Literal["enforced", "shadow", "excepted"]:
    """Whether a rule that fires changes anything: not in shadow, nor where it is excepted."""
    if not enforced(rule.spec.mode or policy.spec.mode, facts.unit):
        return "shadow"
    if not rule.exceptions:
        return "enforced"
    env = {**facts.env(), "stage": "", "channel": "", "text": {"chars": 0}}
    for spec, when in rule.exceptions:
        try:
            if facts.day < spec.expires and when.test(env):
                return "excepted"
        except EvaluationError:  # nobody can say that it is excepted
            continue
    return "enforced"


def _longer(one: HoldSpec, other: HoldSpec) -> HoldSpec:
    """As many persons as either wants, and no more time than either gives."""
    return HoldSpec(
        persons=max(one.persons, other.persons), hours=min(one.hours, other.hours)
    )  # fmt: skip


def _stricter(one: EscalateSpec | None, other: EscalateSpec) -> EscalateSpec:
    if one is None:
        return other
    both = (one.otherwise, other.otherwise)
    return EscalateSpec(
        most=min(one.most, other.most), otherwise="block" if "block" in both else "hold"
    )
