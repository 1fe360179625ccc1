"""A policy ready to judge: detectors made, conditions compiled, every place it runs at known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256

import msgspec

from pointsman.domain.errors import ConfigurationError, Problem
from pointsman.domain.policies import (
    FACTS,
    LOOKED,
    SURFACE_NAMES,
    Channel,
    DetectorSpec,
    ExceptionSpec,
    PolicySpec,
    RuleSpec,
    Stage,
    StageSpec,
    SurfaceName,
    UnjudgedSpec,
)
from pointsman.expressions import Expression, ExpressionError, compile_expression
from pointsman.policy.finding import Detector
from pointsman.policy.inline import inline
from pointsman.policy.registry import Registry

# At which stages something can be looked at, by surface. Nothing is answered from a cache so far.
RUNS: Mapping[SurfaceName, frozenset[Stage]] = {
    "chat": frozenset(
        ("request", "retrieval", "tool_call", "tool_result", "response", "stream")
    ),
    "responses": frozenset(("request", "tool_call", "tool_result", "response", "stream")),
    "messages": frozenset(("request", "tool_call", "tool_result", "response", "stream")),
    "completions": frozenset(("request", "response", "stream")),
    "embeddings": frozenset(("request",)),
    "rerank": frozenset(("request", "retrieval")),
}  # fmt: skip
INBOUND: frozenset[Stage] = frozenset(("request", "retrieval", "tool_result"))
_PLAIN = StageSpec()


@dataclass(frozen=True, slots=True)
class Bound:
    """A detector under a policy's name for it."""

    name: str
    key: str  # equal for detectors that say the same of every text: it looks once
    detector: Detector
    spec: DetectorSpec


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one policy."""

    spec: RuleSpec
    detectors: tuple[Bound, ...]
    when: Expression | None
    exceptions: tuple[tuple[ExceptionSpec, Expression], ...]
    # As what it looks at a text, by the stages that the text counts as, and its channel: found
    # once for each of the few that there are.
    places: dict[tuple[tuple[Stage, ...], Channel], Stage | None] = field(
        default_factory=dict, compare=False
    )

    @property
    def reads(self) -> frozenset[str]:
        """What its condition reads, as dotted paths."""
        return self.when.references if self.when is not None else frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy."""

    spec: PolicySpec
    rules: tuple[Rule, ...]
    # Who looks at a text, as `Rule.places`.
    looking: dict[tuple[tuple[Stage, ...], Channel], tuple[Bound, ...]] = field(
        default_factory=dict, compare=False
    )

    def stage(self, stage: Stage) -> StageSpec:
        """How it looks at a stage."""
        return self.spec.stages.get(stage, _PLAIN)

    def unjudged(self, stage: Stage) -> UnjudgedSpec:
        """What follows there where a detector could not look."""
        return self.stage(stage).on_unjudged

    def channels(self, rule: RuleSpec, stage: Stage) -> Collection[Channel]:
        """Those that a rule looks at."""
        said = self.stage(stage).channels
        return [each for each in said if each in rule.channels] if rule.channels else said

    def place(self, rule: Rule, stages: tuple[Stage, ...], channel: Channel) -> Stage | None:
        """As what one of its rules looks at a text; None: it does not."""
        key = (stages, channel)
        if key in rule.places:
            return rule.places[key]
        stage = next((one for one in rule.spec.stages if one in stages), None)
        if stage is not None and channel not in self.channels(rule.spec, stage):
            stage = None
        rule.places[key] = stage
        return stage

    def detectors(self, stages: tuple[Stage, ...], channel: Channel) -> tuple[Bound, ...]:
        """Those of every rule that looks at such a text, each once."""
        found = self.looking.get((stages, channel))
        if found is None:
            by_key = {
                bound.key: bound
                for rule in self.rules
                for stage in rule.spec.stages
                if stage in stages and channel in self.channels(rule.spec, stage)
                for bound in rule.detectors
            }
            found = self.looking[stages, channel] = tuple(by_key.values())
        return found


def compile_policies(specs: Iterable[PolicySpec], registry: Registry) -> tuple[Policy, ...]:
    """The policies, ready. Raises: ConfigurationError with every problem, each at its place."""
    problems: list[Problem] = []
    made: dict[str, tuple[Bound, DetectorSpec]] = {}
    policies = [_Compiler(spec, registry, problems, made).policy() for spec in specs]
    if problems:
        raise _refused(problems)
    return tuple(policies)


def _refused(problems: Sequence[Problem]) -> ConfigurationError:
    lines = [f"{each.file}:{each.line}:{each.column}: {each.what}" for each in problems]
    subject = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    error = ConfigurationError(
        f"the policies cannot run as they are bound: {subject}",
        why="\n        ".join(lines[:40]),
        next="correct them; nothing is served under a policy that would be passed over",
    )
    error.problems = tuple(problems)
    return error


class _Compiler:
    def __init__(
        self,
        spec: PolicySpec,
        registry: Registry,
        problems: list[Problem],
        made: dict[str, tuple[Bound, DetectorSpec]],
    ) -> None:
        self.spec = spec
        self.registry = registry
        self.problems = problems
        self.made = made

    def policy(self) -> Policy:
        bound = {each.name: self._bound(each) for each in self.spec.detectors}
        rules = [self._rule(rule, bound) for rule in self.spec.rules]
        self._check_surfaces()
        return Policy(self.spec, tuple(rules))

    def _problem(self, what: str, *places: str) -> None:
        """Keep a problem at the first of the places that the file has."""
        marks = self.spec.marks
        line, column = next((marks[each] for each in places if each in marks), (1, 1))
        self.problems.append(Problem(self.spec.file or self.spec.id, line, column, what))

    def _bound(self, spec: DetectorSpec) -> Bound | None:
        key = _key(spec)
        known = self.made.get(key)
        place = f"detectors.{spec.name}"
        if known is None:
            detector = self._detector(spec, place)
            if detector is None:
                return None
            known = self.made[key] = (Bound(spec.name, key, detector, spec), spec)
        return Bound(spec.name, key, known[0].detector, spec)

    def _detector(self, spec: DetectorSpec, place: str) -> Detector | None:
        if spec.regex is not None or spec.literals:
            try:
                return inline(spec)
            except ValueError as error:
                self._problem(f"{place}: not an RE2 pattern that is taken: {error}",
                              f"{place}.regex", f"{place}.literal", place)  # fmt: skip
                return None
        if spec.use not in self.registry:
            near = get_close_matches(spec.use, list(self.registry), n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; {', '.join(self.registry)}"
            self._problem(f"{place}: no detector {spec.use!r}{hint}", f"{place}.use", place)
            return None
        try:
            return self.registry[spec.use]()
        except (ImportError, OSError, ValueError) as error:
            self._problem(f"{place}: {spec.use} cannot be used: {error}", f"{place}.use", place)
            return None

    def _rule(self, spec: RuleSpec, bound: Mapping[str, Bound | None]) -> Rule:
        known = [each.name for each in self.spec.detectors]
        variables = {**FACTS, **dict.fromkeys(known, LOOKED)}
        place = f"rules[{spec.id}]"
        when = self._expression(spec.when, variables, f"{place}.when", place) if spec.when else None
        exceptions = []
        for each in self.spec.exceptions:
            if each.rule == spec.id:
                compiled = self._expression(each.when, FACTS, "exceptions")
                if compiled is not None:
                    exceptions.append((each, compiled))
        detectors = tuple(found for name in spec.detectors if (found := bound.get(name)))
        return Rule(spec, detectors, when, tuple(exceptions))

    def _expression(
        self, text: str, variables: Mapping[str, Collection[str]], *places: str
    ) -> Expression | None:
        try:
            return compile_expression(text, variables=variables)
        except ExpressionError as error:
            self._problem(error.message, *places)
            return None

    def _check_surfaces(self) -> None:
        """A rule bound to where it can look at nothing would be passed over in silence."""
        named = self.spec.scope.surfaces
        for rule in self.spec.rules:
            for stage in rule.stages:
                place = f"rules[{rule.id}]"
                if stage in INBOUND and rule.verdict in ("rewrite", "escalate"):
                    self._problem(f"{place}: {rule.verdict} is for answers; a {stage} can be "
                                  "annotated, redacted, held or blocked",
                                  f"{place}.verdict", place)  # fmt: skip
                able = [name for name in SURFACE_NAMES if stage in RUNS[name]]
                if not able:
                    self._problem(f"{place}: nothing here has a stage {stage!r} so far",
                                  f"{place}.stages", place)  # fmt: skip
                for surface in named:
                    if able and surface not in able:
                        what = (
                            f"{place}: {surface} has no stage {stage!r}; it runs on "
                            + ", ".join(able)
                        )
                        self._problem(what, "scope.surfaces", "scope")


def _key(spec: DetectorSpec) -> str:
    """Equal for detectors that say the same of every text; it goes into records, words do not."""
    if spec.regex is None and not spec.literals:
        return spec.use
    said = (spec.regex, spec.group, spec.literals, spec.ignore_case, spec.kind or spec.name)
    digest = sha256(msgspec.json.encode(said)).hexdigest()[:16]
    return f"{spec.use}:{digest}"
