"""What a scorer is: one answer with its case in, one score out; what it needs it asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec

from pointsman.domain.messages import Reply
from pointsman.domain.ports import Means
from pointsman.evals.case import Case, ScorerSpec
from pointsman.evals.sample import Score
from pointsman.verifiers.answer import Answer, Found, Unjudged

DETAIL_CHARS = 400


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file may say of one kind of scorer: each kind has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer as scorers see it."""

    case: Case
    reply: Reply  # the last; its tool calls are all that were made, over every turn
    transcript: tuple[dict[str, Any], ...] = ()  # messages after the case's own
    verdict: str | None = None  # what the policies of the gateway made of it

    @property
    def text(self) -> str:
        """The answer without white space around it."""
        return self.reply.content.strip()


class Scorer(Protocol):
    """One scorer, ready to look at any answer.

    `score` raises nothing for what an answer holds. A scorer that has to run code, embed or ask
    a model does so through `means` alone: it owns no clock, chance, disk or network.
    """

    @property
    def name(self) -> str: ...

    async def score(self, said: Said, means: Means) -> Score: ...


class Seen(NamedTuple):
    """What a look gave: a value in [0, 1] in most kinds, 1.0 being a full pass."""

    value: float
    detail: str = ""


# What a kind of scorer does with one answer and what is expected of it. Raises: Unjudged where it
# cannot look, Found where the answer is not what it must be (a value of 0).
Look = Callable[[Said, Any], Seen]


@dataclass(frozen=True, slots=True)
class Looking:
    """A scorer that needs nothing but the answer and what is expected of it."""

    spec: ScorerSpec
    look: Look
    full: float = 1.0  # a value from there on passes, where the file names no threshold

    @property
    def name(self) -> str:
        return self.spec.name

    async def score(self, said: Said, means: Means) -> Score:
        """At once: nothing is waited for."""
        return scored(self.spec, lambda: self.look(said, expected_of(self.spec, said.case)),
                      full=self.full)  # fmt: skip


def scored(spec: ScorerSpec, look: Callable[[], Seen], *, full: float = 1.0) -> Score:
    """The score of a look, whatever it raises; a crash names its kind and never the answer."""
    try:
        seen = look()
    except Found as found:
        seen = Seen(0.0, found.detail)
    except Unjudged as unjudged:
        return unknown(spec, "unjudged", unjudged.detail)
    except Exception as crash:
        return unknown(spec, "failed", f"the scorer broke: {type(crash).__name__}")
    return judged(spec, seen, full=full)


def judged(spec: ScorerSpec, seen: Seen, *, full: float = 1.0) -> Score:
    """A value held against the threshold of the file, or the kind's own."""
    bound = full if spec.threshold is None else spec.threshold
    return Score(
        name=spec.name,
        value=float(seen.value),
        passed=seen.value >= bound,
        detail=seen.detail[:DETAIL_CHARS],
    )


def unknown(spec: ScorerSpec, status: Any, detail: str) -> Score:
    """Neither a pass nor a fail."""
    return Score(name=spec.name, status=status, detail=detail[:DETAIL_CHARS])


def expected_of(spec: ScorerSpec, case: Case) -> Any:
    """What the case expects of this scorer: all it says, or the part that `expects` names.

    A part that a case does not have is None: of that case nothing is expected.
    """
    value = case.expected
    for step in spec.expects.split(".") if spec.expects else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value


def wanted(expected: Any) -> Any:
    """What is expected. Raises: Unjudged where the case does not say."""
    if expected is None:
        raise Unjudged("the case does not say what is expected")
    return expected


def answer_of(said: Said) -> Answer:
    """The answer as the checks of a task see it."""
    return Answer(said.reply)
