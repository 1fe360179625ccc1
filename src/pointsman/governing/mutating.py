"""Whether a policy's tests would notice: each rule changed in turn, and some test must fail."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.policies import PolicySpec, RuleSpec
from pointsman.governing.testing import run_tests
from pointsman.policy.registry import Registry

_NEVER = r"\x{10FFFF}\x{10FFFF}"  # a noncharacter, twice: found in no text


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a policy, and the first test that noticed; None: it survived."""

    policy: str
    rule: str
    change: str
    noticed: str | None


def mutants(spec: PolicySpec, *, day: str, registry: Registry | None = None) -> Iterator[Mutant]:
    """Every change, with the test that fails by it. Only tests that pass unchanged count."""
    sound = {
        (each.test, each.way) for each in run_tests(spec, day=day, registry=registry) if each.passed
    }
    for rule, change, changed in _changed(spec):
        try:
            told = run_tests(changed, day=day, registry=registry)
        except ConfigurationError:  # a change that cannot run changes nothing that runs
            continue
        failed = (each for each in told if not each.passed and (each.test, each.way) in sound)
        first = next(failed, None)
        noticed = None if first is None else f"{first.test} ({first.way})"
        yield Mutant(policy=spec.id, rule=rule, change=change, noticed=noticed)


def _changed(spec: PolicySpec) -> Iterator[tuple[str, str, PolicySpec]]:
    for at, rule in enumerate(spec.rules):
        for change, changed in _of_rule(rule):
            rules = (*spec.rules[:at], *changed, *spec.rules[at + 1 :])
            yield rule.id, change, replace(spec, rules=rules)
        for name in rule.detectors:
            detectors = tuple(
                replace(each, regex=_NEVER, literals=(), group=0) if each.name == name else each
                for each in spec.detectors
            )
            yield rule.id, f"{name} finds nothing", replace(spec, detectors=detectors)
    for at, one in enumerate(spec.exceptions):
        left = (*spec.exceptions[:at], *spec.exceptions[at + 1 :])
        yield one.rule, "its exception taken out", replace(spec, exceptions=left)


def _of_rule(rule: RuleSpec) -> Iterator[tuple[str, tuple[RuleSpec, ...]]]:
    yield "taken out", ()
    if rule.when is not None:
        yield "its condition turned round", (replace(rule, when=f"!({rule.when})"),)
    if rule.verdict == "block":
        yield "annotate for block", (replace(rule, verdict="annotate"),)
    elif rule.verdict != "allow":
        yield f"block for {rule.verdict}", (replace(rule, verdict="block"),)
