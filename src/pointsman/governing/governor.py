"""The policies of a configuration, asked at the stages of a request. Pure, and shared by all."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from msgspec.structs import replace

from pointsman.domain.messages import ModelRequest
from pointsman.domain.policies import PolicyBinding, PolicySpec
from pointsman.domain.verdict import Screening, Seen
from pointsman.governing.answers import (
    appended,
    rewritten,
    texts_of_answer,
    with_answer_texts,
    withheld,
)
from pointsman.governing.judging import judge
from pointsman.governing.leaves import Path
from pointsman.governing.outlook import Outlook, RuleSets, nearby_of, outlook
from pointsman.governing.recording import screening
from pointsman.governing.requests import Text, texts_of, with_texts
from pointsman.policy.compiling import INBOUND, Policy, compile_policies
from pointsman.policy.evaluating import Decided, decide, redactions
from pointsman.policy.facts import Facts, in_scope
from pointsman.policy.registry import Registry
from pointsman.policy.verdicts import redacted

_REMEMBERED = 10_000  # kinds of requests


class Rules(NamedTuple):
    """The policies for one kind of request, by where they look."""

    inbound: tuple[Policy, ...]
    outbound: tuple[Policy, ...]
    asks: bool = False  # some detector of theirs has to be asked before it can judge


class Inbound(NamedTuple):
    """What follows for a request, and the request as it goes on."""

    decided: Decided
    request: ModelRequest
    screening: Screening


class Outbound(NamedTuple):
    """What follows for a whole answer, and the answer as it is delivered."""

    decided: Decided
    body: bytes
    screening: Screening


class Governor:
    """Asks the policies. None of it is I/O; what it takes is told in the record."""

    def __init__(self, bindings: Sequence[PolicyBinding], registry: Registry | None = None) -> None:
        """Raises: ConfigurationError where a policy cannot run as it is bound."""
        specs = {spec.id: spec for binding in bindings for spec in binding.policies}
        bound = [spec for spec in specs.values() if not spec.base]
        made = compile_policies(bound, registry or Registry())
        self._policies = {policy.spec.id: policy for policy in made}
        self._bindings = tuple(bindings)
        self._known: dict[tuple[str, ...], Rules] = {}
        self._ahead: dict[Facts, Outlook] = {}
        modes = [rule.spec.mode or each.spec.mode for each in made for rule in each.rules]
        self._canaries = any(mode.kind == "canary" for mode in modes)
        self.compiled = RuleSets()

    def prepare(self) -> None:
        """Compile what streams are followed with now, and not when the first one comes."""
        for policy in self._policies.values():
            if _looks(policy, inbound=False):
                for bound in (one for rule in policy.rules for one in rule.detectors):
                    if (nearby := nearby_of(bound)) is not None:
                        _ = nearby.rules

    def rules(self, facts: Facts) -> Rules:
        """The policies for a request. The day, the unit and the principal say nothing of it."""
        kind = (facts.tenant, facts.team, facts.task, facts.route, facts.model, facts.surface)
        found = self._known.get(kind)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[kind] = self._rules(facts)
        return found

    def outlook(self, facts: Facts) -> Outlook:
        """How a stream of these facts runs; found once where no canary draws."""
        known = facts if self._canaries else replace(facts, unit="")
        found = self._ahead.get(known)
        if found is None:
            if len(self._ahead) >= _REMEMBERED:
                self._ahead.clear()
            found = self._ahead[known] = outlook(self.rules(facts).outbound, facts)
        return found

    def _rules(self, facts: Facts) -> Rules:
        ids = {
            spec.id: None
            for binding in self._bindings
            if _bound(binding, facts)
            for spec in binding.policies
            if _counts(spec, facts)
        }
        mine = [self._policies[id] for id in ids]
        return Rules(
            tuple(each for each in mine if _looks(each, inbound=True)),
            tuple(each for each in mine if _looks(each, inbound=False)),
            any(_asked(each) for each in mine),
        )

    def request(self, policies: Sequence[Policy], facts: Facts, request: ModelRequest) -> Inbound:
        """What follows for a request before anybody is asked."""
        texts = list(texts_of(request))
        seen = judge(policies, texts)
        decided = decide(policies, facts, seen)
        if decided.verdict == "redact":
            replaced = _redacted(policies, decided, texts)
            request = with_texts(request, replaced)
        return Inbound(decided, request, screening(policies, decided, seen))

    def answer(
        self, policies: Sequence[Policy], facts: Facts, body: bytes, *, stream: bool = False
    ) -> Outbound:
        """What follows for a whole answer before any of it is delivered."""
        texts = list(texts_of_answer(body, stream=stream))
        seen, decided = judged(policies, facts, texts)
        return Outbound(
            decided,
            delivered(policies, facts, decided, body, texts),
            screening(policies, decided, seen),
        )


def reviewable(policies: Sequence[Policy], facts: Facts, body: bytes) -> bytes:
    """A held answer as people may let it go: what policies redact is taken out of it."""
    texts = list(texts_of_answer(body))
    _, decided = judged(policies, facts, texts)
    replaced = _redacted(policies, decided, texts)
    return with_answer_texts(body, replaced) if replaced else body


def judged(
    policies: Sequence[Policy], facts: Facts, texts: Sequence[Text]
) -> tuple[list[Seen], Decided]:
    """What detectors say of texts, and what follows."""
    seen = judge(policies, texts)
    return seen, decide(policies, facts, seen)


def delivered(
    policies: Sequence[Policy], facts: Facts, decided: Decided, body: bytes, texts: Sequence[Text]
) -> bytes:
    """A whole answer as its verdict leaves it. A rewritten one is judged again, once: what would
    then not be allowed is withheld."""
    words = decided.obligations.get("append", ())
    match decided.verdict:
        case "allow" | "annotate":
            return appended(body, words) if words else body
        case "redact":
            body = with_answer_texts(body, _redacted(policies, decided, texts))
            return appended(body, words) if words else body
        case "rewrite":
            made = rewritten(body, decided.rewrite)
            again = judged(policies, facts, list(texts_of_answer(made)))[1]
            return made if again.verdict in ("allow", "annotate") else withheld(body)
        case _:
            return withheld(body)


def _redacted(
    policies: Sequence[Policy], decided: Decided, texts: Sequence[Text]
) -> dict[Path, str]:
    made: dict[Path, str] = {}
    for each in texts:
        spans = redactions(policies, decided, each.subject)
        if spans and each.text is not None:
            made[each.path] = redacted(each.text, spans)
    return made


def _bound(binding: PolicyBinding, facts: Facts) -> bool:
    return all(
        not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)
        for word, patterns in (
            (facts.tenant, binding.tenants),
            (facts.task, binding.tasks),
            (facts.route, binding.routes),
        )
    )


def _counts(spec: PolicySpec, facts: Facts) -> bool:
    return not spec.base and in_scope(spec.scope, facts)


def _asked(policy: Policy) -> bool:
    return any(
        getattr(bound.detector, "asked", False) for rule in policy.rules for bound in rule.detectors
    )


def _looks(policy: Policy, *, inbound: bool) -> bool:
    stages = {stage for rule in policy.rules for stage in rule.spec.stages}
    return bool(stages & INBOUND) if inbound else bool(stages - INBOUND)
