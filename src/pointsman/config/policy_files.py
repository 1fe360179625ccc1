"""One policy file to a `PolicySpec`: names that exist, conditions that compile, days that are."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec

from pointsman.config.decoding import decode
from pointsman.config.nodes import ListNode, MapNode, Node, Scalar
from pointsman.config.policy_schema import (
    RawCanary,
    RawDetector,
    RawException,
    RawPolicy,
    RawPolicyRule,
    RawPolicyTest,
    RawStage,
)
from pointsman.config.problems import Problems, Source
from pointsman.config.reading import read
from pointsman.config.scope import Place, Scope
from pointsman.domain.policies import (
    CHANNELS,
    FACTS,
    LOOKED,
    STAGES,
    DetectorSpec,
    EscalateSpec,
    ExceptionSpec,
    HoldSpec,
    Mark,
    PolicyApproval,
    PolicyMode,
    PolicySpec,
    PolicyTest,
    RuleSpec,
    ScopeSpec,
    Stage,
    StageSpec,
    UnjudgedSpec,
    exception_digest,
)

INLINE = ("regex", "literal")
_SPLIT = re.compile(r"whole|every-char|random:[0-9]{1,9}")
_DEPTH = 4  # of places that are kept
Base = Callable[[str], "PolicySpec | str"]


def policy_of(text: str, source: Source, problems: Problems, *, base: Base) -> PolicySpec | None:
    """The policy of one file's text; None once a problem was kept that stopped the reading.

    Args: base gives the policy that `id@sha256:DIGEST` names, or why there is none.
    Which detectors there are, and what their patterns may be, is for `policy` to say.
    """
    root = read(text, source, {}, problems)
    if root is None:
        return None
    raw = decode(root, RawPolicy, problems)
    if raw is None:
        return None
    return _Resolver(raw, Scope(root, problems)).policy(base, source.name)


def extended(text: str, source: Source) -> tuple[str, tuple[str, ...]]:
    """The id of a file's policy and what it extends; empty where it cannot be read."""
    problems = Problems(source)
    root = read(text, source, {}, problems)
    raw = decode(root, RawPolicy, problems) if root is not None else None
    return (raw.id, tuple(raw.extends)) if raw is not None else ("", ())


def digest_of(spec: PolicySpec) -> str:
    """SHA-256 of the canonical form: JSON, keys sorted, without tests, places, file, digest."""
    said: dict[str, Any] = msgspec.to_builtins(spec)
    for name in ("digest", "tests", "marks", "file"):
        said.pop(name, None)
    return sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


class _Resolver:
    def __init__(self, raw: RawPolicy, scope: Scope) -> None:
        self.raw = raw
        self.scope = scope
        self.detectors: dict[str, DetectorSpec] = {}

    def policy(self, base: Base, file: str) -> PolicySpec:
        raw, bases = self.raw, self._bases(base)
        for each in bases:
            self.detectors |= {item.name: item for item in each.detectors}
        own = {name: self._detector(name, each) for name, each in raw.detectors.items()}
        for name, made in own.items():
            if self.detectors.setdefault(name, made) != made:
                self._problem(("detectors", name), "a detector of what is extended has this name")
        rules = self._rules([rule for each in bases for rule in each.rules])
        stages = {stage: one for each in bases for stage, one in each.stages.items()}
        for stage in STAGES:
            said: RawStage | None = getattr(raw.stages, stage)
            if said is not None:
                stages[stage] = self._stage(stage, said)
        inherited = [item for each in bases for item in each.exceptions]
        spec = PolicySpec(
            id=raw.id,
            digest="",
            base=raw.base,
            extends=tuple(f"{each.id}@sha256:{each.digest}" for each in bases),
            mode=self._mode((), raw.mode, raw.canary),
            scope=msgspec.convert(msgspec.to_builtins(raw.scope), ScopeSpec),
            stages=stages,
            detectors=tuple(self.detectors.values()),
            rules=tuple(rules),
            exceptions=(*inherited, *self._exceptions({rule.id: rule for rule in rules})),
            tests=tuple(self._tests({rule.id for rule in rules})),
            marks=dict(_marks(self.scope.root)),
            file=file,
        )
        return msgspec.structs.replace(spec, digest=digest_of(spec))

    def _problem(self, place: Place, what: str) -> None:
        self.scope.problem(place, what)

    def _bases(self, base: Base) -> list[PolicySpec]:
        found = []
        for index, reference in enumerate(self.raw.extends):
            each = base(reference)
            if isinstance(each, str):
                self._problem(("extends", index), each)
            else:
                found.append(each)
        return found

    def _detector(self, name: str, raw: RawDetector) -> DetectorSpec:
        place: Place = ("detectors", name)
        if name in FACTS:
            self._problem(place, "a condition knows something else by this name already")
        said = [use for use in ("use", *INLINE) if getattr(raw, use) is not None]
        if len(said) != 1:
            self._problem(place, "needs exactly one of use, regex and literal")
        if raw.use in INLINE:
            self._problem((*place, "use"), f"write it out: `{raw.use}: …`")
        if raw.group and raw.regex is None:
            self._problem((*place, "group"), "a group of what: only a regex has groups")
        if raw.regex is not None and raw.ignore_case:
            self._problem((*place, "ignore_case"), "write (?i) into the regex")
        return DetectorSpec(
            name=name,
            use=raw.use or (said[0] if said else ""),
            kinds=tuple(raw.kinds),
            threshold=raw.threshold,
            regex=raw.regex,
            group=raw.group,
            literals=tuple(raw.literal or ()),
            ignore_case=raw.ignore_case,
            kind=raw.kind or "",
        )

    def _rules(self, inherited: list[RuleSpec]) -> list[RuleSpec]:
        rules = {rule.id: rule for rule in inherited}
        for index, raw in enumerate(self.raw.rules):
            rule = self._rule(raw, ("rules", index))
            if rule.id in rules:
                self._problem(("rules", index, "id"), f"a second rule {rule.id!r}")
            rules[rule.id] = rule
        return list(rules.values())

    def _rule(self, raw: RawPolicyRule, place: Place) -> RuleSpec:
        known = tuple(self.detectors)
        for index, name in enumerate(raw.detectors):
            self.scope.reference((*place, "detectors", index), "detector", name, known)
        variables = {**FACTS, **dict.fromkeys(known, LOOKED)}
        names = list(dict.fromkeys(raw.detectors))
        if raw.when is not None:
            compiled = self.scope.expression((*place, "when"), raw.when, variables)
            read = sorted(compiled.references) if compiled else []
            names += [word for path in read if (word := path.split(".")[0]) in known]
        if not names and raw.when is None:
            self._problem(place, "needs detectors, or a condition: it would fire on everything")
        if raw.verdict == "redact" and not names:
            self._problem(place, "redacts nothing: it names no detector")
        if (raw.verdict == "rewrite") != (raw.rewrite is not None):
            self._problem(place, "`verdict: rewrite` and `rewrite: {text: …}` go together")
        return RuleSpec(
            id=raw.id,
            stages=tuple(dict.fromkeys(raw.stages)),
            verdict=raw.verdict,
            detectors=tuple(dict.fromkeys(names)),
            when=raw.when,
            channels=tuple(dict.fromkeys(raw.channels)),
            mode=self._mode(place, raw.mode, raw.canary) if raw.mode or raw.canary else None,
            redact_with=raw.redact.replacement,
            rewrite_with=raw.rewrite.text if raw.rewrite else "",
            escalate=EscalateSpec(most=raw.escalate.most, otherwise=raw.escalate.otherwise),
            hold=HoldSpec(persons=raw.hold.persons, hours=raw.hold.hours),
            obligations=raw.obligations,
            rationale=raw.rationale,
            owner=raw.owner,
            review_by=self._day(raw.review_by, (*place, "review_by")),
            controls=tuple(raw.controls),
        )

    def _mode(self, place: Place, kind: Any, canary: RawCanary | None) -> PolicyMode:
        if (kind == "canary") != (canary is not None):
            self._problem(
                place or ("mode",), "`mode: canary` and `canary: {percent: …}` go together"
            )
        if canary is None:
            return PolicyMode(kind=kind)
        return PolicyMode(kind="canary", percent=canary.percent, seed=canary.seed)

    def _stage(self, name: Stage, raw: RawStage) -> StageSpec:
        place: Place = ("stages", name)
        action = raw.on_unjudged or "block"
        if (action == "fail_open") != (raw.fail_open is not None):
            self._problem(place, "`on_unjudged: fail_open` needs `fail_open: {reason, expires}`")
        unjudged = UnjudgedSpec(action=action)
        if raw.fail_open is not None:
            expires = self._day(raw.fail_open.expires, (*place, "fail_open", "expires"))
            unjudged = UnjudgedSpec(action=action, reason=raw.fail_open.reason, expires=expires)
        return StageSpec(
            channels=tuple(dict.fromkeys(raw.channels)) if raw.channels else CHANNELS,
            on_unjudged=unjudged,
            max_hold_chars=raw.max_hold_chars,
        )

    def _exceptions(self, rules: Mapping[str, RuleSpec]) -> Iterator[ExceptionSpec]:
        for index, raw in enumerate(self.raw.exceptions):
            yield self._exception(raw, ("exceptions", index), rules)

    def _exception(
        self, raw: RawException, place: Place, rules: Mapping[str, RuleSpec]
    ) -> ExceptionSpec:
        self.scope.reference((*place, "rule"), "rule", raw.rule, tuple(rules))
        self.scope.expression((*place, "when"), raw.when, FACTS)
        made = ExceptionSpec(
            rule=raw.rule,
            when=raw.when,
            approved_by=tuple(raw.approved_by),
            expires=self._day(raw.expires, (*place, "expires")) or "",
            reason=raw.reason,
            approvals=tuple(
                PolicyApproval(principal=each.principal, digest=each.digest)
                for each in raw.approvals
            ),
        )
        rule = rules.get(raw.rule)
        if rule is not None:
            self._check_approvals(made, rule, place)
        return made

    def _check_approvals(self, made: ExceptionSpec, rule: RuleSpec, place: Place) -> None:
        """What was allowed is what stands here, by as many as are named; else it does not load."""
        now = exception_digest(made, rule, self.detectors)
        for index, each in enumerate(made.approvals):
            if each.digest != now:
                what = f"{each.principal} allowed something else: what stands here is {now}"
                self._problem((*place, "approvals", index, "digest"), what)
        if made.approvals and len({each.principal for each in made.approvals}) < len(
            made.approved_by
        ):
            what = f"{len(made.approved_by)} are named in approved_by, fewer have approved"
            self._problem((*place, "approvals"), what)

    def _tests(self, rules: set[str]) -> Iterator[PolicyTest]:
        names: set[str] = set()
        for index, raw in enumerate(self.raw.tests):
            if raw.name in names:
                self._problem(("tests", index, "name"), f"a second test {raw.name!r}")
            names.add(raw.name)
            yield self._test(raw, ("tests", index), rules)

    def _test(self, raw: RawPolicyTest, place: Place, rules: set[str]) -> PolicyTest:
        for index, rule in enumerate(raw.expect.rules or ()):
            where = (*place, "expect", "rules", index)
            self.scope.reference(where, "rule", rule, tuple(rules))
        for index, split in enumerate(raw.stream):
            if not _SPLIT.fullmatch(split):
                what = "wants whole, every-char or random:SEED"
                self._problem((*place, "stream", index), what)
        self._day(raw.facts.day, (*place, "facts", "day"))
        texts = {
            name: getattr(raw, name)
            for name in (
                "input", "tool_result", "retrieval", "output", "reasoning", "tool_args", "refusal",
            )
        }  # fmt: skip
        if all(text is None for text in texts.values()):
            self._problem(place, "holds no text: needs input, output or another")
        used = dict.fromkeys(
            each.use.removeprefix("guard/") for each in self.raw.detectors.values() if each.use
        )
        for field in ("guards", "guards_input"):
            for name in getattr(raw, field):
                self.scope.reference((*place, field, name), "guard", name, tuple(used))
        return PolicyTest(
            name=raw.name,
            guards=dict(raw.guards),
            guards_input=dict(raw.guards_input),
            expect=raw.expect.verdict,
            facts=msgspec.to_builtins(raw.facts),
            stream=tuple(raw.stream),
            rules=None if raw.expect.rules is None else tuple(raw.expect.rules),
            text=raw.expect.text,
            **texts,
        )

    def _day(self, said: str | None, place: Place) -> str | None:
        if said is None:
            return None
        try:
            return date.fromisoformat(said).isoformat()
        except ValueError:
            self._problem(place, "wants a day, as in 2027-06-30")
            return said


def _marks(root: MapNode) -> Iterator[tuple[str, Mark]]:
    """Where things stand, rules and tests by their names."""
    for place, node in _places(root, "", _DEPTH):
        yield place, (node.mark.line, node.mark.column)


def _places(node: Node, above: str, depth: int) -> Iterator[tuple[str, Node]]:
    if above:
        yield above, node
    if depth == 0:
        return
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from _places(entry.node, f"{above}.{key}" if above else key, depth - 1)
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            named = item.at("id") or item.at("name") if isinstance(item, MapNode) else None
            word = named.text if isinstance(named, Scalar) else str(index)
            yield from _places(item, f"{above}[{word}]", depth - 1)
