"""The learner behind JSON lines: prompts in, calls and returns out; lines come from the caller."""

import json
from collections.abc import Iterator
from math import isnan
from random import Random
from typing import Any

from pointsman.domain.errors import UsageError
from pointsman.learning.online import UNIQUE, Done, Learner, Pending, Prior, Seen, Settings
from pointsman.learning.router import Router

Message = dict[str, Any]


def conversation(
    lines: Iterator[str],
    models: tuple[str, ...],
    *,
    router: Router | None,
    settings: Settings,
    seed: int,
) -> Iterator[Message | Done]:
    """Messages to send, and after each score what was done.

    Reads {"prompt", "task"}; sends {"call": model} and reads {"answer", "cost_usd"}, as often as
    the plan asks; sends {"return": model} and reads {"score"}.
    Raises: UsageError for a line that is not what is due.
    """
    priors = _Priors(models, router)
    learner = Learner(models, settings, reference=priors.reference)
    random = Random(seed)  # noqa: S311 - exploration, no secret
    for line in lines:
        asked = _read(line, "prompt")
        task = str(asked.get("task") or "")
        steps = learner.answer(task, priors.of(str(asked["prompt"]), task), random.random())
        call = next(steps)
        pending: Pending | None = None
        while pending is None:
            yield {"call": models[call]}
            reply = _read(next(lines, ""), "cost_usd")
            seen = Seen(_answer(reply.get("answer")), float(reply["cost_usd"]))
            try:
                call = steps.send(seen)
            except StopIteration as stop:
                back, pending = stop.value
        yield {"return": models[back]}
        yield learner.learn(pending, float(_read(next(lines, ""), "score")["score"]))


class _Priors:
    """What a router expects; without one every model has an even chance and no price."""

    def __init__(self, models: tuple[str, ...], router: Router | None) -> None:
        self._router = router
        self._even = Prior((0.5,) * len(models), (None,) * len(models))
        self.reference: int | None = None
        if router is None:
            return
        self._at = [router.models.index(m) if m in router.models else None for m in models]
        mean = router.mean_scores
        known = [j for j, at in enumerate(self._at) if at is not None]
        if known:
            self.reference = max(known, key=lambda j: float(mean[self._at[j] or 0]))

    def of(self, prompt: str, task: str) -> Prior:
        if self._router is None:
            return self._even
        found = self._router.estimate_many([prompt], [task])
        cascade = self._router.cascade
        unique = cascade.unique if cascade is not None else {}
        return Prior(
            tuple(0.5 if at is None else float(found.score[0, at]) for at in self._at),
            tuple(None if at is None else float(found.cost_usd[0, at]) for at in self._at),
            unique.get(task, unique.get("", UNIQUE)),
        )


def _read(line: str, due: str) -> Message:
    try:
        message = json.loads(line)  # the standard library's: some senders write NaN
    except ValueError as error:
        raise UsageError(f"a JSON object with '{due}' was due", why=str(error)) from error
    if not isinstance(message, dict) or due not in message:
        raise UsageError(f"a JSON object with '{due}' was due", why=f"there came {line[:80]!r}")
    return message


def _answer(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and isnan(value)):
        return None
    return str(value)
