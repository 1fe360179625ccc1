"""What is unsound or will surprise in a policy that runs: dead rules, ends that have come, gaps."""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from pointsman.domain.policies import CHANNELS, PolicyMode, PolicySpec, RuleSpec
from pointsman.expressions import EvaluationError
from pointsman.governing.outlook import STREAMED, outlook
from pointsman.governing.testing import Tested, run_tests
from pointsman.policy.compiling import Policy, Rule, compile_policies
from pointsman.policy.days import number_of
from pointsman.policy.facts import Facts
from pointsman.policy.obligations import KNOWN, unknown
from pointsman.policy.registry import Registry
from pointsman.policy.verdicts import severity

_SOON_DAYS = 14
Level = Literal["error", "warning", "remark"]


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to put right, or to know."""

    policy: str
    file: str
    line: int
    column: int
    level: Level
    code: str
    what: str


def lint(spec: PolicySpec, *, day: str, registry: Registry | None = None) -> list[Remark]:
    """Remarks in the order of the lines. Args: day is today, YYYY-MM-DD.

    Raises: ConfigurationError where the policy cannot run at all.
    """
    registry = registry or Registry()
    [policy] = compile_policies([spec], registry)
    tested = run_tests(spec, day=day, registry=registry)
    linter = _Linter(policy, day)
    found = [*linter.rules(), *linter.stages(), *linter.ends(), *linter.tests(tested)]
    return sorted(found, key=lambda each: (each.line, each.column, each.code))


class _Linter:
    def __init__(self, policy: Policy, day: str) -> None:
        self.policy = policy
        self.spec = policy.spec
        self.day = day

    def _remark(self, level: Level, code: str, what: str, *places: str) -> Remark:
        marks = self.spec.marks
        line, column = next((marks[each] for each in places if each in marks), (1, 1))
        return Remark(policy=self.spec.id, file=self.spec.file, line=line, column=column,
                      level=level, code=code, what=what)  # fmt: skip

    def rules(self) -> Iterator[Remark]:
        used = {name for rule in self.spec.rules for name in rule.detectors}
        for detector in self.spec.detectors:
            if detector.name not in used:
                what = f"no rule asks the detector {detector.name}"
                yield self._remark("warning", "unused-detector", what, f"detectors.{detector.name}")
        for at, rule in enumerate(self.policy.rules):
            place = f"rules[{rule.spec.id}]"
            always = _always(rule)
            if always is False:
                what = f"{rule.spec.id} never fires: its condition is false whatever comes"
                yield self._remark("error", "dead-rule", what, f"{place}.when", place)
            if always is True:
                what = f"{rule.spec.id} fires on everything: its condition is true whatever comes"
                yield self._remark("warning", "always-fires", what, f"{place}.when", place)
            for earlier in self.policy.rules[:at]:
                if _covers(earlier.spec, rule.spec):
                    what = f"{rule.spec.id} changes nothing: {earlier.spec.id} covers all of it"
                    yield self._remark("error", "dead-rule", what, place)
            if rule.spec.verdict == "allow" and not rule.spec.obligations:
                what = f"{rule.spec.id} changes nothing: it allows what is allowed"
                yield self._remark("warning", "dead-rule", what, f"{place}.verdict", place)
            for name in unknown(rule.spec.obligations):
                what = (
                    f"{rule.spec.id} obliges to {name!r}, which nobody here can do: it blocks; "
                    f"known: {', '.join(KNOWN)}"
                )
                yield self._remark("error", "unknown-obligation", what, f"{place}.obligations")
            missing = [each for each in ("rationale", "owner") if not getattr(rule.spec, each)]
            if missing:
                what = f"{rule.spec.id} has no {' and no '.join(missing)}"
                yield self._remark("remark", "unowned", what, place)
            yield from self._holds(rule, place)

    def _holds(self, rule: Rule, place: str) -> Iterator[Remark]:
        """A rule for which all of a stream waits."""
        meant = replace(
            self.spec, mode=PolicyMode(), rules=(replace(rule.spec, mode=None),), exceptions=()
        )
        alone = Policy(meant, (Rule(meant.rules[0], rule.detectors, rule.when, ()),))
        why = outlook([alone], Facts(stream=True)).whole
        if why:
            said = why.removeprefix(f"{self.spec.id}: {rule.spec.id}: ")
            what = f"{rule.spec.id} keeps whole streams back until their end: {said}"
            yield self._remark("remark", "holds-streams", what, f"{place}.when", place)

    def stages(self) -> Iterator[Remark]:
        for stage in STREAMED:
            for rule in self.spec.rules:
                if stage not in rule.stages or stage == "tool_call":
                    continue
                looked = self.policy.channels(rule, stage)
                left = [each for each in CHANNELS if each not in looked]
                if left and severity(rule.verdict) > severity("annotate"):
                    what = f"{rule.id} leaves out {', '.join(left)} at the {stage}"
                    yield self._remark("warning", "omitted-channel", what,
                                       f"rules[{rule.id}].channels", f"stages.{stage}.channels",
                                       f"rules[{rule.id}]")  # fmt: skip

    def ends(self) -> Iterator[Remark]:
        for at, one in enumerate(self.spec.exceptions):
            what = f"the exception from {one.rule}"
            yield from self._end(one.expires, what, "expired-exception", f"exceptions[{at}]")
        for stage, said in self.spec.stages.items():
            expires = said.on_unjudged.expires
            if expires is not None:
                what = f"what lets the unjudged pass at the {stage}"
                place = f"stages.{stage}"
                yield from self._end(expires, what, "expired-fail-open", place)
        for rule in self.spec.rules:
            if rule.review_by is not None:
                place = f"rules[{rule.id}]"
                yield from self._end(rule.review_by, f"the review of {rule.id}", "review-due",
                                     f"{place}.review_by", place)  # fmt: skip

    def _end(self, said: str, what: str, code: str, *places: str) -> Iterator[Remark]:
        left = number_of(said) - number_of(self.day)
        if left <= 0:
            yield self._remark("error", code, f"{what} ended on {said}", *places)
        elif left <= _SOON_DAYS:
            yield self._remark("remark", code, f"{what} ends on {said}", *places)

    def tests(self, tested: list[Tested]) -> Iterator[Remark]:
        for each in tested:
            if not each.passed:
                what = f"the test {each.test!r} fails ({each.way}): {each.why}"
                yield self._remark("error", "failing-test", what, f"tests[{each.test}]", "tests")
        fired = {rule for each in tested for rule in each.rules}
        quiet = any(not each.rules for each in tested)
        for rule in self.spec.rules:
            if rule.id not in fired:
                what = f"no test makes {rule.id} fire"
                yield self._remark("warning", "untested", what, f"rules[{rule.id}]", "rules")
        if self.spec.rules and not quiet:
            what = "no test shows a text on which nothing fires"
            yield self._remark("warning", "no-benign-test", what, "tests", "rules")
        streams = any(stage in STREAMED for rule in self.spec.rules for stage in rule.stages)
        if streams and not any(test.stream for test in self.spec.tests):
            what = 'no test streams: write `stream: [every-char, "random:1"]` into one'
            yield self._remark("remark", "no-stream-test", what, "tests", "rules")


def _always(rule: Rule) -> bool | None:
    """What a condition is whatever it reads; None where that depends."""
    if rule.when is None:
        return None
    try:
        return rule.when.test({})
    except EvaluationError:
        return None


def _covers(earlier: RuleSpec, later: RuleSpec) -> bool:
    """Whether whatever the later rule does, the earlier has done at least."""
    return (
        earlier.when is None
        and earlier.mode is None
        and not later.obligations
        and set(later.detectors) <= set(earlier.detectors)
        and later.when is None
        and set(later.stages) <= set(earlier.stages)
        and (not earlier.channels or set(later.channels or CHANNELS) <= set(earlier.channels))
        and severity(later.verdict) <= severity(earlier.verdict)
        and (later.verdict == earlier.verdict or earlier.verdict in ("block", "hold"))
    )
