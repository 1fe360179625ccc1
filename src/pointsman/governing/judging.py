"""Every detector that a rule needs looks once at every text that it is for."""

from collections.abc import Iterable, Sequence

from pointsman.domain.verdict import Judgement, Seen, Subject
from pointsman.governing.escapes import resolved, written
from pointsman.governing.requests import Text
from pointsman.policy.compiling import Bound, Policy

_UNREADABLE = "nobody here can look into {}"


def judge(policies: Sequence[Policy], texts: Iterable[Text]) -> list[Seen]:
    """What the detectors of these policies say of the texts they are for."""
    seen = []
    for each in texts:
        bound = detectors_for(policies, each.subject)
        judgements = {one.key: look(one, each) for one in bound}
        seen.append(Seen(subject=each.subject, chars=len(each.text or ""), judgements=judgements))
    return seen


def detectors_for(policies: Sequence[Policy], subject: Subject) -> tuple[Bound, ...]:
    """The detectors of every rule that looks at such a subject, each once."""
    if len(policies) == 1:
        return policies[0].detectors(subject.stages, subject.channel)
    found = {
        bound.key: bound
        for policy in policies
        for bound in policy.detectors(subject.stages, subject.channel)
    }
    return tuple(found.values())


def look(bound: Bound, each: Text) -> Judgement:
    """One judgement. A detector that breaks could not look: it is never taken for clear."""
    if each.text is None:
        return _unjudged(bound, _UNREADABLE.format(each.what))
    channel = each.subject.channel
    try:
        if (
            channel == "tool_args"
            and "\\" in each.text
            and not hasattr(bound.detector, "span_rules")
        ):
            read = resolved(each.text)
            return written(bound.detector.judge(read.text, channel=channel), read)
        return bound.detector.judge(each.text, channel=channel)
    except Exception as error:  # whatever it is, the text was not looked at
        return _unjudged(bound, f"the detector broke: {type(error).__name__}")


def _unjudged(bound: Bound, reason: str) -> Judgement:
    detector = bound.detector
    return Judgement(
        detector=detector.name, version=detector.version, status="unjudged", reason=reason
    )
