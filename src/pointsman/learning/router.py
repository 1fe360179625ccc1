"""A fitted router: what each model would make of a prompt, and which one a point calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pointsman.domain.errors import UsageError
from pointsman.domain.estimates import ArmEstimate
from pointsman.domain.money import PICOS_PER_USD
from pointsman.learning import artefact
from pointsman.learning.estimators import Estimator

if TYPE_CHECKING:
    from pointsman.learning.cascading import Cascade

Floats = NDArray[np.float64]
CHOSEN = "chosen"
Of = Literal["score", "accepted"]
_CASCADE = "cascade."  # the names of a cascade's arrays begin so
_SEEN = "seen"  # the name of an array of the artefact


def unlike(accepted: Floats, strong: int) -> Floats:
    """The chance that just one of a model and the strong one is accepted, were they independent.

    Args: accepted [n, m]. Returns: [n, m], 0 for the strong model itself.
    """
    other = accepted[:, [strong]]
    found: Floats = accepted + other - 2.0 * accepted * other
    found[:, strong] = 0.0
    return found


def marks(prompts: Sequence[str]) -> NDArray[np.uint32]:
    """32 bits per prompt, of its words; they tell which prompts a router was fitted on."""
    return np.array([crc32(" ".join(p.split()).encode()) for p in prompts], dtype="<u4")


@dataclass(frozen=True, slots=True)
class Estimates:
    """Expectations for n prompts and m models, each array [n, m].

    `doubt` is the standard error of `accepted`; `n_like[n]` counts comparable outcomes.
    """

    accepted: Floats
    score: Floats
    cost_usd: Floats
    output_tokens: Floats
    doubt: Floats
    n_like: Floats


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point: what a unit of score, or an accepted output, is worth in dollars.

    A decision takes the model with the largest value_usd * estimate - cost; `of` says of what.
    `expected` holds what cross-validation on the training part found at this point: score,
    accepted, cost_usd.

    A point that was certified against a `reference` weighs the risk of leaving that model: its
    estimate is less loyalty * unlike, the chance that just one of the two is accepted.
    """

    name: str
    value_usd: float
    expected: dict[str, float] = field(default_factory=dict)
    of: Of = "score"
    loyalty: float = 0.0
    reference: str | None = None


class Router:
    """Estimates per model and operating points; pure once loaded, so one may serve threads."""

    def __init__(
        self,
        models: Sequence[str],
        estimator: Estimator,
        points: Sequence[Point],
        *,
        notes: dict[str, Any] | None = None,
        digest: str = "",
        seen: NDArray[np.uint32] | None = None,
        cascade: "Cascade | None" = None,
    ) -> None:
        self.models = tuple(models)
        self.points = tuple(points)
        self.estimator = estimator
        self.notes = notes or {}  # how it was fitted, in plain values
        self.digest = digest  # SHA-256 of the file it was loaded from, in hex
        self.cascade = cascade  # what to do after a reply; None: nothing was learned of replies
        self.seen = np.empty(0, "<u4") if seen is None else seen  # marks of what it was fitted on

    def estimate(self, prompt: str, task: str | None = None) -> tuple[ArmEstimate, ...]:
        """One estimate per model, in the order of `models`, for one prompt."""
        found = self.estimate_many([prompt], [task or ""])
        accepted, doubt = found.accepted[0].tolist(), found.doubt[0].tolist()
        cost, tokens = found.cost_usd[0].tolist(), found.output_tokens[0].tolist()
        n = int(found.n_like[0])
        return tuple(
            ArmEstimate(
                arm=model,
                accepted=accepted[j],
                cost_usd_picos=round(cost[j] * PICOS_PER_USD),
                output_tokens=tokens[j],
                low=max(0.0, accepted[j] - 1.96 * doubt[j]),
                high=min(1.0, accepted[j] + 1.96 * doubt[j]),
                n=n,
            )
            for j, model in enumerate(self.models)
        )

    def estimate_many(self, prompts: Sequence[str], tasks: Sequence[str]) -> Estimates:
        """Estimates for prompts, each with its task ("" where none is known)."""
        return Estimates(**self.estimator.estimate(prompts, tasks))

    def support(self, prompts: Sequence[str], tasks: Sequence[str]) -> Floats:
        """How far each prompt lies within what was learned: 0 unlike anything, 1 quite like it."""
        return self.estimator.support(prompts, tasks)

    def point(self, name: str = CHOSEN) -> Point:
        """The operating point of that name. Raises: UsageError."""
        for point in self.points:
            if point.name == name:
                return point
        known = ", ".join(point.name for point in self.points)
        raise UsageError(f"the router has no operating point '{name}'", why=f"it has: {known}")

    def choose(self, estimates: Estimates, point: Point) -> NDArray[np.intp]:
        """The position in `models` for each prompt; ties go to the cheaper one."""
        worth = estimates.score if point.of == "score" else estimates.accepted
        if point.reference is not None and point.loyalty:
            strong = self.models.index(point.reference)
            worth = worth - point.loyalty * unlike(estimates.accepted, strong)
        loss = estimates.cost_usd - point.value_usd * worth
        return np.lexsort((estimates.cost_usd, loss), axis=1)[:, 0]

    @property
    def mean_scores(self) -> Floats:
        """The mean score of each model in training, [m]."""
        return self.estimator.tables.mean[: len(self.models)]

    def choose_among(
        self, estimates: Estimates, point: Point, offered: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """The same among the models that are offered to each prompt, [n, m]; one is at least."""
        closed = np.where(offered, 0.0, np.inf)
        return self.choose(replace(estimates, cost_usd=estimates.cost_usd + closed), point)

    def save(self, path: Path) -> None:
        """Write the artefact (see `artefact.py`)."""
        values, arrays = self.estimator.dump()
        arrays = {**arrays, _SEEN: self.seen.astype("<u4")}
        head = {
            "models": list(self.models),
            "points": [
                {"name": p.name, "value_usd": p.value_usd, "expected": p.expected, "of": p.of}
                for p in self.points
            ],
            "notes": self.notes,
            "estimator": values,
        }
        if self.cascade is not None:
            head["cascade"], parts = self.cascade.dump()
            arrays |= {_CASCADE + name: array for name, array in parts.items()}
        data = artefact.pack(head, arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(data)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Router":
        """Read an artefact. Raises: UsageError if it is none, damaged or of another version."""
        values, arrays, digest = artefact.read(path)
        from pointsman.learning.cascading import Cascade

        seen = arrays.pop(_SEEN, None)
        parts = {n[len(_CASCADE) :]: arrays.pop(n) for n in list(arrays) if n.startswith(_CASCADE)}
        try:
            return cls(
                values["models"],
                Estimator.restore(values["estimator"], arrays),
                [Point(**p) for p in values["points"]],
                notes=values["notes"],
                digest=digest,
                seen=seen,
                cascade=Cascade.restore(values["cascade"], parts) if "cascade" in values else None,
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UsageError(
                f"{path} holds no router that is understood", why=repr(error)
            ) from error
