"""What was read of another harness's file, and how it becomes a run that is kept."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pointsman import __version__
from pointsman.domain.errors import UsageError
from pointsman.domain.evaluations import Subject
from pointsman.evals.case import Case, ScorerSpec, Suite, doubled
from pointsman.evals.sample import Run, Sample, Score
from pointsman.evaluating.store import RunStore


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A file of another harness in our words."""

    suite: str
    subject: str
    cases: tuple[Case, ...]
    samples: tuple[Sample, ...]
    epochs: int = 1
    planned: int = 0  # samples; 0: as many as there are
    started_us: int = 0
    ended_us: int | None = None
    whole: bool = True


def keep(store: RunStore, found: Imported, run_id: str, *, origin: str, now_us: int) -> Run:
    """Writes it as a sealed run. A scorer whose every number is 0 or 1 passes or fails; those are
    what `accepted` means there, or, where there is none, the first scorer is the measure.

    Raises: UsageError where there is no sample, or a case comes twice.
    """
    if not found.samples:
        raise UsageError(f"{origin} holds no sample", next="a log that was written with samples")
    twice = doubled(found.cases)
    if twice is not None:
        raise UsageError(f"{origin} has the case {twice[:80]!r} twice, with different content")
    names = tuple(dict.fromkeys(score.name for each in found.samples for score in each.scores))
    required = tuple(name for name in names if _yes_no(found.samples, name))
    samples = [_judged(sample, required) for sample in found.samples]
    specs = tuple(
        ScorerSpec(kind="imported", name=name, required=name in required) for name in names
    )
    suite = Suite(name=found.suite, cases=found.cases, scorers=specs, epochs=found.epochs)
    run = Run(
        id=run_id,
        suite=found.suite,
        suite_digest=suite.digest,
        subject=Subject(kind="imported", name=found.subject),
        version=__version__,
        scorers=specs,
        required=required,
        primary="accepted" if required else names[0] if names else "accepted",
        epochs=found.epochs,
        cases=len(found.cases),
        planned=found.planned or len(samples),
        started_us=found.started_us or now_us,
        origin=origin,
    )
    with_cases = store.begin(run, found.cases)
    try:
        with_cases.append(samples)
        with_cases.seal(
            status="complete" if found.whole else "partial", ended_us=found.ended_us or now_us
        )
    finally:
        with_cases.close()
    return store.read(run_id)


def number(value: Any) -> float | None:
    """A finite number, or a yes or no, of a file; None for anything else."""
    if isinstance(value, bool | int | float) and abs(value) < float("inf"):
        return float(value)
    return None


def _yes_no(samples: Sequence[Sample], name: str) -> bool:
    values = {
        score.value for sample in samples for score in sample.scores
        if score.name == name and score.value is not None
    }  # fmt: skip
    return bool(values) and values <= {0.0, 1.0}


def _judged(sample: Sample, required: tuple[str, ...]) -> Sample:
    scores = tuple(
        msgspec.structs.replace(score, passed=score.value == 1.0)
        if score.name in required and score.value is not None
        else score
        for score in sample.scores
    )
    return msgspec.structs.replace(sample, scores=scores)


def score_of(name: str, value: float | None, detail: str = "") -> Score:
    """A number of another harness's scorer; without one nobody could judge."""
    if value is None:
        return Score(name=name, status="unjudged", detail=detail)
    return Score(name=name, value=value, detail=detail)
