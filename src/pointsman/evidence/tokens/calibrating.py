"""A model's tokens learned from its usage: weights of `features`, drawn to a prior by little data.

Source of the method: ridge regression towards a prior on relative errors, weights not negative,
by coordinate descent.
"""

from collections.abc import Iterable, Sequence
from math import sqrt

import msgspec

from pointsman.evidence.tokens.features import NAMES, Features, features
from pointsman.evidence.tokens.prior import PRIOR

_STRENGTH = 0.02  # of the prior, in squared relative errors per relative change of a weight
_ROUNDS = 400
_MOST = 5000  # observations that are kept


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A text and how many tokens an engine counted; `messages` where a template was added."""

    counts: Features
    tokens: int
    messages: int = 0


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned of a model's tokens."""

    model: str = ""
    weights: Features = PRIOR
    per_message: float = 5.0  # of the template
    observations: int = 0
    error: float | None = None  # root mean square of relative errors on what it was learned from

    def tokens(self, text: str) -> int:
        """Tokens of a text, without any template."""
        return round(sum(w * c for w, c in zip(self.weights, features(text), strict=True)))


def observation(text: str, tokens: int, *, messages: int = 0) -> Observation:
    """A text that an engine has counted."""
    return Observation(counts=features(text), tokens=tokens, messages=messages)


def calibrate(
    seen: Iterable[Observation], *, model: str = "", prior: Features = PRIOR
) -> Calibration:
    """Weights that fit what was seen; those of which little was seen stay near the prior."""
    kept = [one for one in seen if one.tokens > 0][-_MOST:]
    if not kept:
        return Calibration(model=model, weights=prior)
    rows = [_row(one) for one in kept]
    start = [*prior, 5.0]
    scale = _scale(rows, start)
    weights = _descend(rows, start, scale)
    errors = [_dot(row, weights) - 1 for row in rows]
    return Calibration(
        model=model, weights=tuple(weights[:-1]), per_message=weights[-1], observations=len(kept),
        error=sqrt(sum(e * e for e in errors) / len(errors)),
    )  # fmt: skip


def _row(one: Observation) -> list[float]:
    """Counts per token, so that a perfect model gives one."""
    return [count / one.tokens for count in (*one.counts, float(one.messages))]


def _dot(row: Sequence[float], weights: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(row, weights, strict=True))


def _scale(rows: Sequence[Sequence[float]], start: Sequence[float]) -> list[float]:
    """How strongly each weight is held: by its own size, and never not at all."""
    return [_STRENGTH / max(weight, 0.05) ** 2 for weight in start]


def _descend(
    rows: Sequence[Sequence[float]], start: Sequence[float], held: Sequence[float]
) -> list[float]:
    weights = list(start)
    size = len(weights)
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(size)] for i in range(size)]
    target = [sum(row[i] for row in rows) for i in range(size)]
    for _ in range(_ROUNDS):
        moved = 0.0
        for i in range(size):
            rest = sum(gram[i][j] * weights[j] for j in range(size)) - gram[i][i] * weights[i]
            best = max(0.0, (target[i] - rest + held[i] * start[i]) / (gram[i][i] + held[i]))
            moved = max(moved, abs(best - weights[i]))
            weights[i] = best
        if moved < 1e-7:
            break
    return weights


def explained(calibration: Calibration) -> dict[str, float]:
    """The weights by name."""
    return dict(zip(NAMES, calibration.weights, strict=True))
