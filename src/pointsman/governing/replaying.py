"""Policies over traffic that was: what they would have done, from what the journal still holds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from pointsman.domain.errors import RequestError
from pointsman.domain.policies import Verdict
from pointsman.domain.ports import Chunk
from pointsman.domain.records import Admission, BodyRef, End
from pointsman.domain.verdict import Screening
from pointsman.governing.answers import texts_of_answer
from pointsman.governing.chunks import Lines
from pointsman.governing.flows import OpenFlow
from pointsman.governing.governor import Governor, judged
from pointsman.governing.requests import Text, texts_of
from pointsman.policy.compiling import Policy
from pointsman.policy.days import day_of
from pointsman.policy.evaluating import Decided
from pointsman.policy.facts import Facts
from pointsman.policy.verdicts import severity, worst
from pointsman.surfaces.table import SURFACES

# `changed`: looked at as it was delivered, after a policy had taken something out of it or put
# something in its place.
Held = Literal["looked", "changed", "nothing", "erased", "not kept", "unreadable"]
_CHANGES: frozenset[Verdict] = frozenset({"redact", "rewrite"})


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One request: what could be looked at, and what would have followed."""

    trace: str
    request: Held
    response: Held
    verdict: Verdict = "allow"
    recorded: Verdict = "allow"  # what followed then
    rules: tuple[str, ...] = ()  # `policy: rule`
    unjudged: tuple[str, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What policies would have done with the requests that were replayed."""

    requests: int
    looked: int  # of which something could be looked at
    whole: int  # of which all could, as it was before any policy
    verdicts: Mapping[str, int]
    stricter: int  # than what followed then
    milder: int  # of those that no policy had changed: what was taken out cannot fire again
    rules: Mapping[str, int]  # requests on which each fired
    unjudged: int
    examples: Mapping[str, tuple[str, ...]]  # traces by rule


def facts_of(admission: Admission) -> Facts:
    """What conditions knew of a request, from its record."""
    return Facts(
        tenant=admission.tenant,
        principal=admission.principal,
        team=admission.team or "",
        task=admission.task or "",
        route=admission.decision.route,
        model=admission.asked,
        surface=admission.surface,
        stream=admission.stream,
        day=day_of(admission.at_us),
        unit=admission.session or admission.trace,
    )


def replay(
    governor: Governor,
    admission: Admission,
    end: End | None,
    *,
    request: bytes | None,
    response: bytes | None,
) -> Replayed:
    """What would have followed for one request. Args: the bodies as they are kept, None where not.

    An answer is looked at as it was delivered: what was taken out of it then is not there.
    """
    facts = facts_of(admission)
    rules = governor.rules(facts)
    answered = end.attempts[-1].policy if end is not None and end.attempts else None
    asked, inbound = _looked(
        rules.inbound, facts, _request_texts(admission, request), admission, admission.request,
        admission.policy,
    )  # fmt: skip
    told, outbound = _looked(
        rules.outbound, facts, _answer_texts(admission, response), admission,
        end.response if end else None, answered,
    )  # fmt: skip
    decided = [each for each in (inbound, outbound) if each is not None]
    return Replayed(
        trace=admission.trace,
        request=asked,
        response=told,
        verdict=worst(each.verdict for each in decided),
        recorded=worst(each.verdict for each in (admission.policy, answered) if each is not None),
        rules=tuple(
            dict.fromkeys(
                f"{fired.policy}: {fired.rule}"
                for each in decided
                for fired in each.fired
                if fired.how == "enforced"
            )
        ),
        unjudged=tuple(
            dict.fromkeys(
                f"{one.policy}: {one.rule}: {one.reason}"
                for each in decided
                for one in each.unjudged
            )
        ),
    )


def summed(replayed: Iterable[Replayed], *, examples: int = 3) -> Summary:
    """The requests together."""
    verdicts: dict[str, int] = {}
    rules: dict[str, int] = {}
    shown: dict[str, list[str]] = {}
    requests = looked = whole = stricter = milder = unjudged = 0
    for each in replayed:
        requests += 1
        parts = (each.request, each.response)
        changed = "changed" in parts
        looked += changed or "looked" in parts
        whole += all(part in ("looked", "nothing") for part in parts)
        verdicts[each.verdict] = verdicts.get(each.verdict, 0) + 1
        stricter += severity(each.verdict) > severity(each.recorded)
        milder += severity(each.verdict) < severity(each.recorded) and not changed
        unjudged += bool(each.unjudged)
        for rule in each.rules:
            rules[rule] = rules.get(rule, 0) + 1
            if len(shown.setdefault(rule, [])) < examples:
                shown[rule].append(each.trace)
    return Summary(
        requests=requests, looked=looked, whole=whole, verdicts=verdicts, stricter=stricter,
        milder=milder, rules=dict(sorted(rules.items(), key=lambda item: -item[1])),
        unjudged=unjudged, examples={rule: tuple(traces) for rule, traces in shown.items()},
    )  # fmt: skip


def _looked(
    policies: Sequence[Policy],
    facts: Facts,
    texts: list[Text] | None,
    admission: Admission,
    ref: BodyRef | None,
    then: Screening | None,
) -> tuple[Held, Decided | None]:
    if not policies or ref is None:
        return "nothing", None
    if texts is None:
        return ("erased" if ref.pack is not None else "not kept"), None
    if admission.capture == "redacted":  # letters and digits were masked
        return "not kept", None
    try:
        _, decided = judged(policies, facts, texts)
    except (msgspec.MsgspecError, KeyError, TypeError):
        return "unreadable", None
    return "changed" if then is not None and _changed(then) else "looked", decided


def _changed(then: Screening) -> bool:
    return any(fired.how == "enforced" and fired.verdict in _CHANGES for fired in then.fired)


def _request_texts(admission: Admission, body: bytes | None) -> list[Text] | None:
    if body is None:
        return None
    surface = next((each for each in SURFACES.values() if each.name == admission.surface), None)
    try:
        return list(texts_of(surface.parse(body))) if surface is not None else None
    except (RequestError, msgspec.MsgspecError):
        return None


def _answer_texts(admission: Admission, body: bytes | None) -> list[Text] | None:
    """The texts of an answer as it is kept: whole, or a chunk a line."""
    if body is None:
        return None
    try:
        if not admission.stream:
            return list(texts_of_answer(body))
        lines = Lines(lambda choice, key, channel: OpenFlow())
        for line in body.split(b"\n"):
            lines.push(Chunk(data=line, content=True))
        return list(lines.texts())
    except msgspec.MsgspecError:
        return None
