"""The scores of one sample: what each scorer of the suite says of its answer."""

from collections.abc import Sequence

import msgspec

from pointsman.domain.messages import Reply
from pointsman.domain.ports import Means
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.sample import Sample, Score
from pointsman.evals.scoring.scorer import Said, Scorer, unknown


def said_of(case: Case, sample: Sample) -> Said:
    """An answer as scorers see it, fresh or read from a run."""
    return Said(
        case=case,
        reply=Reply(
            content=sample.answer,
            refusal=sample.refusal,
            tool_calls=sample.tool_calls,
            finish_reason=sample.finish_reason,
        ),
        transcript=sample.transcript,
        verdict=sample.verdict,
    )


async def with_scores(
    case: Case,
    sample: Sample,
    scorers: Sequence[tuple[ScorerSpec, Scorer]],
    means: Means,
) -> Sample:
    """The sample with the score of every scorer that is for such a case; a missing one has none."""
    if sample.status == "missing":
        return sample
    said = said_of(case, sample)
    scores: list[Score] = []
    for spec, scorer in scorers:
        if any(case.tags.get(tag) != value for tag, value in spec.only.items()):
            continue
        try:
            scores.append(await scorer.score(said, means))
        except Exception as crash:  # a scorer that breaks its promise costs a score, not the run
            scores.append(unknown(spec, "failed", f"the scorer broke: {type(crash).__name__}"))
    return msgspec.structs.replace(sample, scores=tuple(scores))
