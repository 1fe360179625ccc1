"""What came of asking: one sample for each case and epoch, its scores, and the run they make."""

from typing import Any, Literal

import msgspec

from pointsman.domain.evaluations import Subject
from pointsman.domain.messages import ToolCall
from pointsman.domain.money import Usage
from pointsman.domain.records import Failure
from pointsman.evals.case import ScorerSpec
from pointsman.evals.gate import Gate

ScoreStatus = Literal["scored", "unjudged", "failed"]


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one scorer says of one answer.

    `unjudged`: it could not look at this answer; `failed`: it broke while it looked. Both have
    neither value nor pass, and count as unknown, never as a pass or a fail.
    """

    name: str
    value: float | None = None
    passed: bool | None = None
    status: ScoreStatus = "scored"
    detail: str = ""
    cost_usd_picos: int = 0  # a judge's
    label: str | None = None  # a judge's own word: `A`, `tie`, `refused`
    trace: str | None = None  # of the judge's request
    variance: float | None = None  # of a judge that was asked several times, in [0, 1]


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case asked once. Without an answer it is `missing`: a third outcome, always kept."""

    case: str
    epoch: int = 0
    cluster: str = ""
    tags: dict[str, str] = {}
    status: Literal["answered", "missing"] = "answered"
    reason: str = ""  # why it is missing, in words
    failure: Failure | None = None
    answer: str = ""  # the text of the last reply
    tool_calls: tuple[ToolCall, ...] = ()  # all the model made, in order
    transcript: tuple[dict[str, Any], ...] = ()  # messages after the case's own, where several
    finish_reason: str | None = None
    refusal: str = ""
    verdict: str | None = None  # of policies
    traces: tuple[str, ...] = ()  # one for each request
    deployments: tuple[str, ...] = ()
    requests: int = 1
    attempts: int = 1  # of deployments, over all its requests
    retries: int = 0  # of whole requests that found us or a deployment full
    usage: Usage | None = None
    cost_usd_picos: int = 0  # of its answers; a judge's stands in its score
    latency_ms: float = 0.0
    overhead_us: int | None = None
    seed: int | None = None
    at_us: int = 0  # when it ended
    cached: bool = False  # the answer is that of an earlier run
    key: str = ""  # of its content: request, subject, configuration, epoch
    scores: tuple[Score, ...] = ()

    def accepted(self, required: tuple[str, ...]) -> bool | None:
        """Whether every required scorer passed it; None: missing, or not known of one of them."""
        if self.status == "missing":
            return None
        passed = {score.name: score.passed for score in self.scores}
        found = [passed[name] for name in required if name in passed]
        if False in found:
            return False
        return None if None in found or not found else True

    def outcome(self, measure: str, required: tuple[str, ...]) -> float | None:
        """The number a comparison takes of it: 0, 1 or a scorer's value; None: none."""
        if measure == "accepted":
            known = self.accepted(required)
            return None if known is None else float(known)
        if self.status == "missing":
            return None
        score = next((each for each in self.scores if each.name == measure), None)
        if score is None or score.status != "scored":
            return None
        if score.value is not None:
            return score.value
        return None if score.passed is None else float(score.passed)

    @property
    def total_cost_usd_picos(self) -> int:
        """Its answers and its judges."""
        return self.cost_usd_picos + sum(score.cost_usd_picos for score in self.scores)


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A suite on a subject: what is known before the first sample, and how it ended."""

    id: str  # `run_` and a ULID: ids sort by time
    suite: str
    suite_digest: str
    subject: Subject
    version: str  # of Pointsman
    scorers: tuple[ScorerSpec, ...] = ()
    scorer_digests: dict[str, str] = {}
    required: tuple[str, ...] = ()
    primary: str = "accepted"
    gate: Gate | None = None
    epochs: int = 1
    cases: int = 0
    planned: int = 0  # samples: cases times epochs
    started_us: int = 0
    fields: dict[str, Any] = {}  # of every request
    seed: int | None = None
    timeout_s: float = 120.0  # of one sample
    note: str = ""  # a person's
    origin: str | None = None  # the file it was imported from
    # Set once it is sealed:
    status: Literal["complete", "partial"] = "partial"
    ended_us: int | None = None
    samples: int | None = None
    missing: int | None = None

    @property
    def sealed(self) -> bool:
        """Whether it is as it will always be; a partial run that is not can be resumed."""
        return self.ended_us is not None
