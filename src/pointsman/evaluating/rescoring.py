"""Answers of a run, scored again by the scorers as they are now: nothing is asked a second time.

What a scorer of the same digest said stands. Those that ask a model cannot be asked from here.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import msgspec

from pointsman.domain.errors import PointsmanError, UsageError
from pointsman.domain.evaluations import Answered
from pointsman.domain.ports import CodeRun
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.sample import Sample, Score
from pointsman.evals.scoring.table import compile_scorers
from pointsman.evaluating.sandbox import sandbox
from pointsman.evaluating.scoring import with_scores
from pointsman.executor.mapping import map_unordered

_PART = 25  # samples that a worker gets at once


class Part(NamedTuple):
    """Samples with their cases, and what they are scored by."""

    cases: dict[str, Case]
    samples: tuple[Sample, ...]
    fresh: tuple[ScorerSpec, ...]  # scored anew
    names: tuple[str, ...]  # of every scorer, in order; the others' scores stand


def rescored(
    cases: Mapping[str, Case],
    samples: Iterable[Sample],
    scorers: Sequence[ScorerSpec],
    before: Mapping[str, str],
    *,
    on: str = "processes",
    workers: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Sample]:
    """The samples with their scores of now, in the order they were given.

    Args: before are the digests of the scorers that scored them, by name.
    Raises: UsageError for a new scorer that would ask a model; PointsmanError where a part of them
    could not be scored wherever it was given; as `map_unordered`.
    """
    fresh = tuple(spec for spec in scorers if before.get(spec.name) != spec.digest)
    asking = [spec.name for spec in fresh if spec.kind in NEEDS_MODELS]
    if asking:
        raise UsageError(
            f"{', '.join(asking)} would ask a model, which scoring again does not",
            next="run the suite: answers that were given come from the earlier run",
        )
    compile_scorers(fresh)  # what is wrong with them is told before anything is scored
    given = list(_parts(cases, samples, fresh, tuple(spec.name for spec in scorers)))
    made: dict[int, list[Sample]] = {}
    done = 0
    for outcome in map_unordered(score_part, given, on=on, workers=workers):
        if outcome.value is None:
            raise PointsmanError(
                f"the samples from {given[outcome.index].samples[0].case!r} on were not scored",
                why=str(outcome.error),
                next="run it again; nothing was kept",
            )
        made[outcome.index] = outcome.value
        done += len(outcome.value)
        progress(done)
    return [sample for at in range(len(given)) for sample in made[at]]


# Kinds that are given a gateway to ask; `policy` needs the policies of a configuration.
NEEDS_MODELS = frozenset({"rubric", "pairwise", "judge", "similarity", "policy"})


def _parts(
    cases: Mapping[str, Case], samples: Iterable[Sample], fresh: tuple[ScorerSpec, ...],
    names: tuple[str, ...],
) -> Iterator[Part]:  # fmt: skip
    held: list[Sample] = []
    for sample in samples:
        held.append(sample)
        if len(held) == _PART:
            yield _part(cases, held, fresh, names)
            held = []
    if held:
        yield _part(cases, held, fresh, names)


def _part(
    cases: Mapping[str, Case], samples: list[Sample], fresh: tuple[ScorerSpec, ...],
    names: tuple[str, ...],
) -> Part:  # fmt: skip
    its = {sample.case: cases[sample.case] for sample in samples}
    return Part(cases=its, samples=tuple(samples), fresh=fresh, names=names)


def score_part(part: Part) -> list[Sample]:
    """What a worker does: it depends on the part alone, so that it may be done again."""
    return asyncio.run(_scored(part))


async def _scored(part: Part) -> list[Sample]:
    ready = list(zip(part.fresh, compile_scorers(part.fresh), strict=True))
    means, anew = _SandboxAlone(), {spec.name for spec in part.fresh}
    made = []
    for sample in part.samples:
        case = part.cases[sample.case]
        now = await with_scores(case, sample, ready, means)
        stand = [score for score in sample.scores if score.name not in anew]
        by_name: dict[str, Score] = {
            score.name: score for score in (*stand, *(now.scores if ready else ()))
        }
        scores = tuple(by_name[name] for name in part.names if name in by_name)
        if sample.status == "missing":
            scores = ()
        made.append(
            msgspec.structs.replace(sample, scores=scores, tags=case.tags, cluster=case.group)
        )
    return made


class _SandboxAlone:
    """Implements the port `Means` where nobody can be asked: only programs run."""

    async def run_code(
        self, files: Mapping[str, str], command: Sequence[str], *, limits: Mapping[str, float]
    ) -> CodeRun:
        closed = await asyncio.to_thread(sandbox)
        return await closed.run(files, command, limits=limits)

    async def embed(self, texts: Sequence[str], *, model: str) -> Sequence[Sequence[float]]:
        _nobody()

    async def ask(self, request: Mapping[str, Any], *, session: str) -> Answered:
        _nobody()

    def judge_by_policy(self, texts: Sequence[str], *, policy: str) -> tuple[str, str]:
        _nobody()


def _nobody() -> NoReturn:
    raise UsageError("scoring again asks nobody", next="run the suite instead")
