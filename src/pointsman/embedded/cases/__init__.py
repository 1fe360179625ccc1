"""Seeded, fresh, checkable cases for the embedded models: five narrow tasks, each easy and hard.

Every text belongs to one side for good: `cases` draws evaluation texts only, `training_drafts`
the others, and `held_out` is the law that tells them apart. No model, no clock, no disk here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pointsman.embedded.cases import evidence, logline, normalise, sums, ticket
from pointsman.embedded.cases.draft import Draft, courteous, held_out, plain_body
from pointsman.embedded.cases.prompts import FORMATS, INSTRUCTIONS, PROMPTS

__all__ = [
    "ANSWER_PATTERNS",
    "FORMATS",
    "INSTRUCTIONS",
    "PROMPTS",
    "SCHEMAS",
    "TASKS",
    "Case",
    "Draft",
    "accepted",
    "cases",
    "courteous",
    "held_out",
    "plain_body",
    "training_drafts",
]

TASKS: tuple[str, ...] = ("ticket", "normalise", "logline", "evidence", "sums")

SCHEMAS: Mapping[str, dict[str, object]] = {
    "ticket": ticket.SCHEMA,
    "evidence": evidence.SCHEMA,
}

ANSWER_PATTERNS: Mapping[str, str] = {
    "normalise": normalise.PATTERN,
    "logline": logline.PATTERN,
    "sums": sums.PATTERN,
}

_DRAFTERS: Mapping[str, Callable[[random.Random, bool], Draft]] = {
    "ticket": ticket.draft,
    "normalise": normalise.draft,
    "logline": logline.draft,
    "evidence": evidence.draft,
    "sums": sums.draft,
}

# Half of all texts carry a courtesy; without a format line the models mirror that tone.
COURTESY_SHARE = 0.5


@dataclass(frozen=True)
class Case:
    """One input with its reference; the reference is for scorers and is never shown to a gate."""

    id: str
    task: str
    user: str
    reference: str
    hard: bool


def cases(
    seed: int, n: int, *, tasks: Sequence[str] = TASKS, hard_share: float = 0.5
) -> list[Case]:
    """Evaluation cases in mixed order, distinct, the same for the same arguments.

    Args: n is shared evenly over tasks (earlier tasks take the remainder); hard_share in [0, 1]
        is met exactly per task, up to rounding at random.
    Raises: ValueError for an unknown task or a share outside [0, 1].
    """
    unknown = [task for task in tasks if task not in _DRAFTERS]
    if unknown or not tasks or not 0 <= hard_share <= 1 or n < 0:
        raise ValueError(f"tasks must come from {TASKS}, hard_share from [0, 1], n from 0 up")
    rng = random.Random(f"pointsman-cases-{seed}")  # noqa: S311 - a seeded stream, no secret
    wanted: list[tuple[str, bool]] = []
    for index, task in enumerate(tasks):
        count = n // len(tasks) + (index < n % len(tasks))
        hard = int(count * hard_share + rng.random())
        wanted += [(task, place < hard) for place in range(count)]
    rng.shuffle(wanted)
    seen: set[str] = set()
    made: list[Case] = []
    for place, (task, hard) in enumerate(wanted):
        draft = next(d for d in _drafts(rng, task, hard, side="evaluation") if d.body not in seen)
        seen.add(draft.body)
        user = courteous(rng, draft.body) if rng.random() < COURTESY_SHARE else draft.body
        made.append(Case(f"{task}-{seed}-{place:04d}", task, user, draft.reference, hard))
    return made


def accepted(case: Case, answer: str) -> bool:
    """Whether the answer equals the reference, as JSON where the task answers JSON."""
    if case.task not in SCHEMAS:
        return answer.strip() == case.reference
    try:
        given = json.loads(answer, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        return False
    return bool(given == json.loads(case.reference))


def training_drafts(rng: random.Random, task: str, *, hard: bool) -> Iterator[Draft]:
    """Endless drafts of the training side: none of their bodies can appear in `cases`."""
    return _drafts(rng, task, hard, side="training")


def _drafts(rng: random.Random, task: str, hard: bool, *, side: str) -> Iterator[Draft]:
    drafter = _DRAFTERS[task]
    while True:
        draft = drafter(rng, hard)
        if held_out(draft.body) == (side == "evaluation"):
            yield draft


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
