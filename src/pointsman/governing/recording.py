"""A decision as the record keeps it: offsets, never text; bounded, and honest about what is not."""

from collections.abc import Sequence

from msgspec.structs import replace

from pointsman.domain.records import Admission, End
from pointsman.domain.verdict import Fired, Judgement, Screening, Seen
from pointsman.policy.compiling import Policy
from pointsman.policy.evaluating import Decided, decide
from pointsman.policy.facts import Facts

MOST_SUBJECTS = 64
MOST_FINDINGS = 64  # of one judgement, and of one rule that fired


def screening(
    policies: Sequence[Policy],
    decided: Decided,
    seen: Sequence[Seen],
    *,
    took_us: int = 0,
    held_chars: int = 0,
) -> Screening:
    """What is written down of one decision."""
    kept = [_told(each) for each in seen[:MOST_SUBJECTS]]
    fired = [_bounded(each) for each in decided.fired[:MOST_SUBJECTS]]
    findings = sum(len(one.findings) for each in seen for one in each.judgements.values())
    recorded = sum(len(one.findings) for each in kept for one in each.judgements.values())
    versions = {
        f"{bound.detector.name}@{bound.detector.version}": None
        for policy in policies
        for rule in policy.rules
        for bound in rule.detectors
    }
    return Screening(
        verdict=decided.verdict,
        why=decided.why if decided.verdict != "allow" else "",
        policies=tuple(policy.spec.reference for policy in policies),
        detectors=tuple(versions),
        fired=tuple(fired),
        unjudged=decided.unjudged[:MOST_SUBJECTS],
        obligations=decided.obligations,
        seen=tuple(kept),
        left_out=max(0, len(seen) - MOST_SUBJECTS) + findings - recorded,
        took_us=took_us,
        held_chars=held_chars,
    )


def obliged(admission: Admission, end: End) -> tuple[str, ...]:
    """Who must be told of a request, by the rules that fired."""
    said = [admission.policy, *(attempt.policy for attempt in end.attempts)]
    words = [word for each in said if each for word in each.obligations.get("notify", ())]
    return tuple(dict.fromkeys(words))


def verdict_again(policies: Sequence[Policy], facts: Facts, recorded: Screening) -> Decided | None:
    """The decision taken again from its record; None where the record does not hold all of it."""
    if recorded.left_out:
        return None
    return decide(policies, facts, recorded.seen)


def _told(seen: Seen) -> Seen:
    judgements = {
        key: _shortened(said) for key, said in seen.judgements.items() if said.status != "clear"
    }
    return Seen(subject=seen.subject, chars=seen.chars, judgements=judgements)


def _shortened(said: Judgement) -> Judgement:
    if len(said.findings) <= MOST_FINDINGS:
        return said
    return replace(said, findings=said.findings[:MOST_FINDINGS])


def _bounded(fired: Fired) -> Fired:
    if len(fired.findings) <= MOST_FINDINGS:
        return fired
    return replace(fired, findings=fired.findings[:MOST_FINDINGS])
