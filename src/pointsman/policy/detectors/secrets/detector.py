"""The detector of secrets: vendors' tokens by form, the rest by the name it stands under."""

from collections.abc import Sequence
from functools import cached_property

from pointsman.policy.detectors.secrets.assignments import AFTER, BEFORE, PLACES, named
from pointsman.policy.detectors.secrets.proofs import PROOFS
from pointsman.policy.detectors.secrets.values import bits, is_placeholder
from pointsman.policy.detectors.secrets.vendors import ADDRESSES, KEYS, TOKENS, SecretRule
from pointsman.policy.detectors.view import Triage, View
from pointsman.policy.finding import Channel, Finding, Judgement
from pointsman.policy.gating.nearby import Nearby

RULES: tuple[SecretRule, ...] = (*TOKENS, *ADDRESSES, *KEYS)


_NEARBY = Nearby(
    [*(rule.pattern for rule in RULES), *PLACES],
    fold=View.folding, before=BEFORE, after=AFTER,
)  # fmt: skip


class Secrets:
    """Judges texts for secrets.

    Args: rules are read beside the package's own; threshold is the least score of a finding.
    """

    name = "secrets"
    version = "secrets-2"

    def __init__(self, *, rules: Sequence[SecretRule] = (), threshold: float = 0.5) -> None:
        self._rules = (*RULES, *rules)
        self._threshold = threshold
        # rules of the user's own may ask for words anywhere in a text
        self.nearby = None if rules else _NEARBY

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """Findings do not overlap: where two rules meet, the surer one stands."""
        view = View(text)
        findings = sorted(
            (f for f in self._found(view) if f.score >= self._threshold),
            key=lambda f: (-f.score, f.start - f.end, f.start),
        )
        taken: list[Finding] = []
        for finding in findings:
            if all(finding.end <= t.start or t.end <= finding.start for t in taken):
                taken.append(finding)
        return Judgement(
            detector=self.name,
            version=self.version,
            status="found" if taken else "clear",
            findings=tuple(sorted(taken, key=lambda f: f.start)),
            score=max((f.score for f in taken), default=0.0),
        )

    def _found(self, view: View) -> list[Finding]:
        found = [
            Finding(detector=self.name, rule=hit.rule, kind="secret", start=hit.start, end=hit.end,
                    score=hit.score)
            for hit in named(view)
        ]  # fmt: skip
        for place in self._triage.which(view.octets):
            found += self._by_rule(self._rules[place], view)
        return found

    def _by_rule(self, rule: SecretRule, view: View) -> list[Finding]:
        if rule.keywords and not any(word in view.lowered for word in rule.keywords):
            return []
        found, at = [], 0
        group = rule.group if rule.group <= rule.compiled.groups else 0
        while (match := rule.compiled.search(view.octets, at)) is not None:
            start, end = match.span(group)
            # what ends one token may begin the next
            at = max(end if start >= 0 else match.end(), at + 1)
            if start >= 0 and _holds(rule, view.folded[start:end]):
                found.append(
                    Finding(detector=self.name, rule=rule.id, kind="secret", start=start, end=end,
                            score=rule.score)
                )  # fmt: skip
        return found

    @cached_property
    def _triage(self) -> Triage:
        return Triage([rule.pattern for rule in self._rules])


def _holds(rule: SecretRule, value: str) -> bool:
    if bits(value) < rule.entropy:
        return False
    if rule.check and PROOFS[rule.check](value) is False:
        return False
    if rule.check == "private_key":
        return True
    if rule.entropy < 2.6:  # an address, or what is long and known by its form: its last part
        return not is_placeholder(value.rpartition("/")[2]) if "/" in value else True
    return not is_placeholder(value)
