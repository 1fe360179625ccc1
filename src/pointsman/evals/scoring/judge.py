"""A scorer that asks a model: by a rubric, or whether the answer is as good as the expected one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.evaluations import Answered
from pointsman.domain.judges import MOST_REPEATS, JudgeSpec
from pointsman.domain.ports import Means
from pointsman.evals.case import ScorerSpec
from pointsman.evals.judging.asking import conversation
from pointsman.evals.judging.consulting import Consulted, consult, consult_pair
from pointsman.evals.sample import Score
from pointsman.evals.scoring.scorer import (
    Options,
    Said,
    Scorer,
    Seen,
    expected_of,
    judged,
    unknown,
)

_RUBRIC = (
    "FIRST or SECOND: the better answer is the one that does better what the user of the "
    "conversation needs: right before complete, complete before short."
)


class JudgeOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A judge of the configuration by its name (`use`), or one that the suite writes out.

    With `pairwise` the answer is held against the expected one, in both orders.
    """

    use: Annotated[str, Meta(min_length=1)] | None = None
    model: Annotated[str, Meta(min_length=1)] | None = None
    rubric: Annotated[str, Meta(min_length=1)] | None = None
    pairwise: bool = False
    scale: Annotated[list[int], Meta(min_length=2, max_length=2)] | None = None
    pass_at: int | None = None
    repeats: Annotated[int, Meta(ge=1, le=MOST_REPEATS)] = 1
    tie: bool = True
    reference: bool = True
    max_chars: Annotated[int, Meta(ge=100, le=4_000_000)] = 60_000
    max_tokens: Annotated[int, Meta(ge=1, le=2**31)] = 1024
    fields: dict[str, Any] = msgspec.field(default_factory=dict)


def judge(spec: ScorerSpec, options: JudgeOptions) -> Scorer:
    """In [0, 1] what the judge says; unjudged where it does not answer in form.

    Of a rubric: 1 or 0, or the grade on its scale; a text that the case expects is shown as a
    reference. Pairwise: 1 where the answer is better than the expected one in both orders, 0.5
    where neither is or the orders disagree; from 0.5 on it passes.
    Raises: ConfigurationError for options that make no judge.
    """
    return _Judge(spec, judge_spec(spec.name, options), options.reference)


def judge_spec(name: str, options: JudgeOptions) -> JudgeSpec:
    """The judge that a suite writes out. Raises: ConfigurationError."""
    if options.use is not None:
        raise ConfigurationError(
            f"there is no judge {options.use!r} here",
            why="`use` names one of `judges:` in the configuration",
            next="name the configuration with -c, or write model and rubric into the suite",
        )
    pairwise = options.pairwise
    rubric = options.rubric or (_RUBRIC if pairwise else None)
    if options.model is None or rubric is None:
        raise ConfigurationError("a judge needs a model and a rubric, or `use`")
    scale = (options.scale[0], options.scale[1]) if options.scale is not None else None
    if scale is not None and (pairwise or not 1 <= scale[1] - scale[0] <= 100):
        raise ConfigurationError("a scale is the lowest grade, then the highest, of single answers")
    if options.pass_at is not None and (
        scale is None or not scale[0] < options.pass_at <= scale[1]
    ):
        raise ConfigurationError("pass_at is a grade of the scale, above the lowest")
    return JudgeSpec(
        name=name,
        model=options.model,
        rubric=rubric,
        kind="pairwise" if pairwise else "rubric",
        scale=scale,
        pass_at=options.pass_at,
        repeats=options.repeats,
        tie=options.tie,
        max_chars=options.max_chars,
        max_tokens=options.max_tokens,
        fields=options.fields,
    )


def written_out(options: Mapping[str, Any], judges: Mapping[str, JudgeSpec]) -> dict[str, Any]:
    """Options with the judge that `use` names written out, so that a digest knows all of it.

    What the suite says beside `use` stands. A name that is not there stays, and is refused later.
    """
    spec = judges.get(str(options.get("use")))
    if spec is None:
        return dict(options)
    own = msgspec.json.decode(msgspec.json.encode(spec))
    known = {name: own[name] for name in JudgeOptions.__struct_fields__ if name in own}
    known["pairwise"] = spec.kind == "pairwise"
    usual = msgspec.to_builtins(JudgeOptions())
    said = {
        name: value for name, value in options.items() if name != "use" and value != usual[name]
    }
    return {name: value for name, value in {**known, **said}.items() if value is not None}


def needs_expected(options: JudgeOptions) -> bool:
    """Whether every case must say what is expected."""
    return options.pairwise


@dataclass(frozen=True, slots=True)
class _Judge:
    spec: ScorerSpec
    judge: JudgeSpec
    reference: bool

    @property
    def name(self) -> str:
        return self.spec.name

    async def score(self, said: Said, means: Means) -> Score:
        answer = said.text or said.reply.refusal
        calls = [f"[calls {call.name} {call.arguments}]" for call in said.reply.tool_calls]
        answer = "\n".join([answer, *calls]) if calls else answer
        if not answer:
            return unknown(self.spec, "unjudged", "there is no text to judge")
        expected = expected_of(self.spec, said.case)
        asked = conversation([*said.case.first_messages, *said.transcript])

        async def ask(request: Mapping[str, Any]) -> Answered:
            return await means.ask(request, session=f"judge:{self.name}:{said.case.id}")

        if self.judge.kind == "pairwise":
            if not isinstance(expected, str) or not expected:
                return unknown(self.spec, "unjudged", "the case has no expected text to compare")
            found = await consult_pair(self.judge, ask, asked=asked, first=answer, second=expected)
        else:
            text = expected if isinstance(expected, str) and self.reference else None
            found = await consult(self.judge, ask, asked=asked, answer=answer, reference=text)
        return self._scored(found)

    def _scored(self, found: Consulted) -> Score:
        verdict = found.verdict
        if verdict.value is None:
            made = unknown(self.spec, "unjudged", verdict.why)
        else:
            made = judged(self.spec, Seen(verdict.value, verdict.why), full=self._full)
            if self.judge.kind == "rubric" and self.spec.threshold is None:
                made = msgspec.structs.replace(made, passed=verdict.passed)
        return msgspec.structs.replace(
            made,
            cost_usd_picos=found.cost_usd_picos,
            label=self._label(found),
            trace=found.traces[-1] if found.traces else None,
            variance=verdict.variance,
        )

    @property
    def _full(self) -> float:
        return 0.5 if self.judge.kind == "pairwise" else 1.0

    def _label(self, found: Consulted) -> str | None:
        verdict = found.verdict
        if verdict.value is None:
            return None
        if self.judge.kind == "rubric":
            return None if self.judge.scale is not None else "pass" if verdict.passed else "fail"
        if verdict.consistent is False:
            return "orders disagree"
        return {1.0: "better", 0.0: "worse"}.get(verdict.value, "tie")
