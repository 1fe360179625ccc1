"""One suite file to a `Suite`: what it says, and the cases of the files it names."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pointsman.config.decoding import decode
from pointsman.config.json_schema import schema_of
from pointsman.config.problems import Problems, Source
from pointsman.config.reading import decode as decode_bytes
from pointsman.config.reading import read, read_bounded
from pointsman.config.scope import Place, Scope
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.judges import JudgeSpec
from pointsman.evals.case import Case, ScorerSpec, SimulatedTool, Suite, ToolResult
from pointsman.evals.gate import Gate
from pointsman.evals.scoring.judge import written_out
from pointsman.evals.scoring.scorer import expected_of
from pointsman.evals.scoring.table import KINDS, compile_scorer
from pointsman.evaluating.sources import CaseSource, JournalCases, cases_of
from pointsman.evaluating.suite_descriptions import SUITE_DESCRIPTIONS
from pointsman.evaluating.suite_schema import MAX_CASES, RawCase, RawSuite

_OF_FILES = ("file", "journal")
_OF_ONE = ("input", "messages", "request")


def load_suite(
    path: Path,
    *,
    journal: JournalCases | None = None,
    judges: Mapping[str, JudgeSpec] | None = None,
) -> Suite:
    """The suite of a file, its sources read.

    Args: journal gives cases of requests that were answered; None: there is none to ask. judges
        are those of a configuration, which scorers may use by their names.
    Raises: ConfigurationError with every problem, each as `file:line:column: what`.
    """
    try:
        data = read_bounded(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read {path}",
            why=getattr(error, "strerror", None) or str(error),
            next="name a suite file; `pointsman eval schema` prints its form",
        ) from None
    source = Source(str(path), path.parent)
    problems = Problems(source)
    text = decode_bytes(data, source, problems)
    problems.raise_if_any()
    return parse_suite(text or "", source=source, journal=journal, judges=judges)


def parse_suite(
    text: str,
    *,
    source: Source | None = None,
    journal: JournalCases | None = None,
    judges: Mapping[str, JudgeSpec] | None = None,
) -> Suite:
    """The suite of a text; its folder is where files it names start. Raises: as `load_suite`."""
    source = source or Source("suite.yaml", None)
    problems = Problems(source)
    root = read(text, source, None, problems)
    raw = decode(root, RawSuite, problems) if root is not None else None
    problems.raise_if_any()
    assert raw is not None, "what is no suite leaves a problem"
    assert root is not None, "what is no suite leaves a problem"
    suite = _Resolver(raw, Scope(root, problems), journal, judges or {}).suite()
    problems.raise_if_any()
    return suite


def suite_json_schema() -> dict[str, Any]:
    """The form of a suite file as JSON Schema, for editors."""
    made = schema_of(RawSuite, SUITE_DESCRIPTIONS, title="a suite of Pointsman")
    made["$defs"]["scorer"]["oneOf"] = [{"required": [name]} for name in KINDS]
    made["$defs"]["case"]["oneOf"] = [{"required": [name]} for name in (*_OF_ONE, *_OF_FILES)]
    return made


class _Resolver:
    def __init__(
        self,
        raw: RawSuite,
        scope: Scope,
        journal: JournalCases | None,
        judges: Mapping[str, JudgeSpec],
    ) -> None:
        self.raw = raw
        self.judges = judges
        self.scope = scope
        self.journal = journal

    def suite(self) -> Suite:
        raw = self.raw
        scorers = tuple(self._scorers())
        cases = tuple(self._cases())
        self._check_expected(cases, scorers)
        measures = ("accepted", *(scorer.name for scorer in scorers))
        self.scope.reference(("primary",), "measure", raw.primary, measures)
        if raw.primary == "accepted" and not any(scorer.required for scorer in scorers):
            self._problem(("scorers",), "no scorer is required: nothing says what is accepted")
        for name in ("model", "messages", "stream", "n", "seed", "tools"):
            if name in raw.fields:
                self._problem(("fields", name), "set by the run itself, or by a case")
        return Suite(
            name=raw.name,
            description=raw.description,
            cases=cases,
            scorers=scorers,
            subject=raw.subject or "",
            epochs=raw.epochs,
            fields=raw.fields,
            seed=raw.seed,
            timeout_s=raw.timeout_s,
            primary=raw.primary,
            gate=msgspec.convert(msgspec.to_builtins(raw.gate), Gate) if raw.gate else None,
        )

    def _problem(self, place: Place, what: str) -> None:
        self.scope.problem(place, what)

    def _scorers(self) -> Iterator[ScorerSpec]:
        names: set[str] = set()
        for index, raw in enumerate(self.raw.scorers):
            place: Place = ("scorers", index)
            said = [kind for kind in KINDS if getattr(raw, kind) is not None]
            if len(said) != 1:
                self._problem(place, f"needs exactly one kind: {', '.join(KINDS)}")
                continue
            options = msgspec.to_builtins(getattr(raw, said[0]))
            if said[0] == "judge":
                options = written_out(options, self.judges)
            spec = ScorerSpec(
                kind=said[0],
                name=raw.name or said[0],
                spec={key: value for key, value in options.items() if value is not None},
                required=raw.required,
                threshold=raw.threshold,
                expects=raw.expects,
                only=raw.only,
            )
            if spec.name in names or spec.name == "accepted":
                self._problem(place, f"a second measure {spec.name!r}: give it a `name`")
            names.add(spec.name)
            try:
                compile_scorer(spec)
            except ConfigurationError as error:
                why = f": {error.why}" if error.why else ""
                self._problem((*place, said[0]), f"{error.what}{why}")
            yield spec

    def _cases(self) -> Iterator[Case]:
        seen: set[str] = set()
        for index, raw in enumerate(self.raw.cases):
            place: Place = ("cases", index)
            said = [name for name in (*_OF_ONE, *_OF_FILES) if getattr(raw, name) is not None]
            from_file = [name for name in said if name in _OF_FILES]
            if len(from_file) > 1 or (not from_file and len(said) != 1):
                self._problem(place, f"needs exactly one of {', '.join((*_OF_ONE, *_OF_FILES))}")
                continue
            for case in self._from(raw, place) if from_file else [self._one(raw, place, index)]:
                if case.id in seen:
                    self._problem(place, f"a second case {case.id[:64]!r}")
                    break
                if len(seen) >= MAX_CASES:
                    return self._problem(place, f"more than {MAX_CASES} cases")
                seen.add(case.id)
                yield case

    def _one(self, raw: RawCase, place: Place, index: int) -> Case:
        for name in ("template", "limit", "sample_seed"):
            if getattr(raw, name) is not None:
                self._problem((*place, name), "only for cases from a file or the journal")
        messages: list[dict[str, Any]] = list(raw.messages or ())
        if raw.input is not None:
            messages = [{"role": "user", "content": raw.input}]
        if raw.system is not None:
            messages.insert(0, {"role": "system", "content": raw.system})
        if raw.messages is not None and not raw.messages:
            self._problem((*place, "messages"), "needs at least one message")
        if raw.request is not None and not raw.request.get("messages"):
            self._problem((*place, "request"), "needs `messages`")
        tags = raw.tags if isinstance(raw.tags, dict) else {}
        if raw.tags is not None and not isinstance(raw.tags, dict):
            self._problem((*place, "tags"), "wants a mapping of names to values")
        return Case(
            id=raw.id or f"case-{index + 1}",
            messages=tuple(messages) if raw.request is None else (),
            request=raw.request,
            expected=raw.expected,
            tags={str(key): _word(value) for key, value in tags.items()},
            cluster=raw.cluster,
            tools=_tools(raw),
            turns=tuple(raw.turns),
            max_turns=raw.max_turns,
        )

    def _from(self, raw: RawCase, place: Place) -> list[Case]:
        if raw.file is not None and self.scope.folder is None:
            self._problem(place, "this text has no folder to look in")
            return []
        tags = raw.tags if isinstance(raw.tags, list) else []
        if raw.tags is not None and not all(isinstance(each, str) for each in tags or [None]):
            self._problem((*place, "tags"), "wants a list of columns")
            return []
        source = CaseSource(
            path=self.scope.folder / raw.file if raw.file and self.scope.folder else None,
            query=raw.journal,
            id=raw.id,
            input=raw.input,
            expected=raw.expected if isinstance(raw.expected, str) else None,
            cluster=raw.cluster,
            tags=tuple(tags),
            system=raw.system,
            template=raw.template,
            limit=raw.limit,
            seed=raw.sample_seed,
            tools=_tools(raw),
            turns=tuple(raw.turns),
            max_turns=raw.max_turns,
        )
        try:
            return cases_of(source, journal=self.journal)
        except ConfigurationError as error:
            self._problem(place, error.sentence)
            return []

    def _check_expected(self, cases: tuple[Case, ...], scorers: tuple[ScorerSpec, ...]) -> None:
        """A case that says nothing of what a required scorer needs could never be accepted."""
        for index, spec in enumerate(scorers):
            kind = KINDS.get(spec.kind)
            if kind is None or not spec.required:
                continue
            if not kind.expects(msgspec.convert(spec.spec, kind.options)):
                continue
            silent = [
                case.id
                for case in cases
                if all(case.tags.get(tag) == value for tag, value in spec.only.items())
                and expected_of(spec, case) is None
            ]
            if silent:
                shown = ", ".join(each[:40] for each in silent[:3])
                more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
                part = f" at {spec.expects!r}" if spec.expects else ""
                self._problem(
                    ("scorers", index, spec.kind),
                    f"nothing is expected{part} of {shown}{more}: it could never be accepted",
                )


def _tools(raw: RawCase) -> tuple[SimulatedTool, ...]:
    return tuple(
        SimulatedTool(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            results=tuple(
                ToolResult(gives=each.gives, when=each.when, error=each.error)
                for each in tool.results
            ),
        )
        for tool in raw.tools
    )


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
