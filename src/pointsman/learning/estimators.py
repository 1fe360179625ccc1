"""The estimator as it decides: members already blended, and what is said far from the training.

Six members estimate, for each of m models, the outcome of a prompt: the mean of its task, two
forests over shape, markers and topics (small leaves, large leaves), two linear models of hashed
words (little smoothed, much), and the nearest training prompts. Each one's estimate is split in a
level (the mean over models) and gains (the rest), which are blended apart: routing needs the gains
alone, and they are much noisier than the level. All of that is linear in the members, so fitting
folds the weights into tables, leaves and words, and a decision only adds up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.encoding import Encoded, Encoder
from pointsman.learning.forest import Forest

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
MEMBERS = ("task", "forest", "forest_smooth", "words", "words_smooth", "neighbours")
NEIGHBOURS = 40
LEAST = 0.005  # no estimate claims to be surer than this
# Ranks among training prompts below which a prompt is strange and above which it is familiar;
# between, the estimate goes over into what length alone says. Measured on pairs of models out of
# their domain and on 94 tasks within: (.03, .12) saved 18 % within where no check saved 20 %, and
# (.01, .06) lost up to .07 of APGR against length outside. A prompt of a task that was learned of
# is familiar by that; one of a task that was not needs more to be so: then level with length.
_FAMILIAR = (0.03, 0.12)
_FAMILIAR_OF_NEW_TASK = (0.05, 0.3)
_COST_REACH = 3.0  # costs are known so much further out than outcomes
_LOG_CHARS = 0  # where the encoder's dense features hold the logarithm of the length


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything but words and trees. k outputs: m scores, then m acceptances where they differ.

    constant [k]; task [t + 1, k] and task_log_cost [t + 1, 2m] (costs, then output tokens) to be
    added, the last row for tasks never seen. prototypes [p, r] of length 1 and what each adds
    [p, k]. mean [k] and log_cost_mean [2m] over all; cost_scale [2m] makes exponentials means.
    familiar [3, q]: evenly spaced quantiles, over training prompts that the words had not seen, of
    similarity, known share and minus how far the shape lies out of `range` [2, shape], in
    widths of the range, at most one a feature.
    length [3]: mean and spread of the log length; how much of it is added everywhere.
    """

    constant: Floats
    task: Floats
    task_log_cost: Floats
    prototypes: Singles
    prototype_values: Singles
    mean: Floats
    log_cost_mean: Floats
    cost_scale: Floats
    familiar: Floats
    range: Floats
    length: Floats


class Estimator:
    """What is expected of m models for prompts; pure and thread-safe.

    The forest has two groups: of outcomes [k], of log costs and log output tokens [2m].
    """

    def __init__(
        self, models: int, tasks: Sequence[str], encoder: Encoder, forest: Forest, tables: Tables
    ) -> None:
        self.models = models
        self.tasks = tuple(tasks)
        self.encoder, self.forest, self.tables = encoder, forest, tables
        self._row = {task: i for i, task in enumerate(self.tasks)}
        self._asks_neighbours = bool(tables.prototype_values.any())

    def estimate(self, prompts: Sequence[str], tasks: Sequence[str]) -> dict[str, Floats]:
        """The fields of `Estimates`, for n prompts."""
        m, t = self.models, self.tables
        if not len(prompts):
            none = np.zeros((0, m))
            return dict.fromkeys(_FIELDS, none) | {"n_like": np.zeros(0)}
        encoded = self.encoder.encode(prompts)
        unknown = len(self.tasks)
        at = np.array([self._row.get(task, unknown) for task in tasks], dtype=np.intp)
        outcomes, costs = self.forest.predict(encoded.x)
        close = encoded.inside @ t.prototypes.T
        found = t.constant + t.task[at] + outcomes + encoded.linear
        if self._asks_neighbours:
            found = found + t.prototype_values[nearest(close)].mean(axis=1)
        log_cost = t.task_log_cost[at] + costs
        support = self._support(close, encoded, at, tasks)
        apart = longer_apart(t.mean, t.length, encoded.x[:, _LOG_CHARS], m)
        found = found + t.length[2] * apart
        if support.min() < 1.0:
            share = support[:, None]
            found = share * found + (1.0 - share) * (t.mean + apart)
            known = np.minimum(1.0, _COST_REACH * share)
            log_cost = known * log_cost + (1.0 - known) * t.log_cost_mean
        found = np.minimum(np.maximum(found, LEAST), 1.0 - LEAST)
        accepted = found[:, -m:]
        cost = np.exp(log_cost) * t.cost_scale
        like = NEIGHBOURS * support
        return {
            "accepted": accepted,
            "score": found[:, :m],
            "cost_usd": cost[:, :m],
            "output_tokens": cost[:, m:],
            "doubt": np.sqrt(accepted * (1.0 - accepted) / np.maximum(1.0, like)[:, None]),
            "n_like": np.floor(like),
        }

    def support(self, prompts: Sequence[str], tasks: Sequence[str]) -> Floats:
        """How far each prompt lies within what was learned: 0 unlike anything, 1 quite like it."""
        encoded = self.encoder.encode(prompts)
        at = np.array([self._row.get(task, len(self.tasks)) for task in tasks], dtype=np.intp)
        return self._support(encoded.inside @ self.tables.prototypes.T, encoded, at, tasks)

    def _support(
        self, close: Singles, encoded: Encoded, at: NDArray[np.intp], tasks: Sequence[str]
    ) -> Floats:
        learned = at < len(self.tasks)
        if learned.all():
            return np.ones(len(at))
        measures = unfamiliar(close, encoded, self.tables.range)
        ranks = [
            np.searchsorted(quantiles, values, side="right") / len(quantiles)
            for quantiles, values in zip(self.tables.familiar, measures, strict=True)
        ]
        least = np.minimum(np.minimum(ranks[0], ranks[1]), ranks[2])
        bounds = np.array([
            _FAMILIAR_OF_NEW_TASK if task and self.tasks else _FAMILIAR for task in tasks
        ])  # fmt: skip
        share = (least - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0])
        inside: Floats = np.where(learned, 1.0, np.minimum(np.maximum(share, 0.0), 1.0))
        return inside

    def dump(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Plain values and arrays, from which `restore` makes it again."""
        values, words = self.encoder.dump()
        arrays = {f"words.{name}": array for name, array in words.items()}
        arrays |= {f"forest.{name}": array for name, array in self.forest.dump().items()}
        arrays |= {f"tables.{f.name}": getattr(self.tables, f.name) for f in fields(Tables)}
        head = {"kind": "folded", "models": self.models, "tasks": list(self.tasks)}
        return {**head, "words": values}, arrays

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "Estimator":
        """Raises: KeyError, TypeError or ValueError if something is missing or does not fit."""
        if values["kind"] != "folded":
            raise ValueError(f"unknown estimator {values['kind']}")

        def below(start: str) -> dict[str, NDArray[Any]]:
            return {n[len(start) :]: a for n, a in arrays.items() if n.startswith(start)}

        return cls(
            models=int(values["models"]),
            tasks=tuple(values["tasks"]),
            encoder=Encoder.restore(values["words"], below("words.")),
            forest=Forest.restore(below("forest.")),
            tables=Tables(**below("tables.")),
        )


_FIELDS = ("accepted", "score", "cost_usd", "output_tokens", "doubt")


def nearest(close: Singles) -> NDArray[np.intp]:
    """[n, NEIGHBOURS] positions of the most similar of the columns."""
    count = min(NEIGHBOURS, close.shape[1])
    return np.argpartition(close, -count, axis=1)[:, -count:]


def five_nearest(close: Singles) -> Floats:
    """[n] mean of the five largest similarities."""
    count = min(5, close.shape[1])
    largest = np.partition(close, -count, axis=1)[:, -count:]
    similarity: Floats = largest.mean(axis=1, dtype=np.float64)
    return similarity


def unfamiliar(close: Singles, encoded: Encoded, bounds: Floats) -> tuple[Floats, Floats, Floats]:
    """Three measures [n] of how little a prompt is unlike the training, the more the better."""
    shape = encoded.x[:, : bounds.shape[1]]
    width = np.maximum(bounds[1] - bounds[0], 1e-6)
    out = np.maximum(bounds[0] - shape, shape - bounds[1]) / width
    return five_nearest(close), encoded.known, -np.minimum(np.maximum(out, 0.0), 1.0).sum(axis=1)


def longer_apart(mean: Floats, length: Floats, log_chars: Singles, models: int) -> Floats:
    """[n, k] to be added to the models' means: further apart for longer prompts.

    The order of prompts by what a dearer model gains is then that of their length, so that a
    router that knows nothing does not do worse than the length.
    """
    longer = (log_chars.astype(np.float64) - length[0]) / max(length[1], 1e-9)
    parts = mean.reshape(-1, models)
    gains = (parts - parts.mean(axis=1, keepdims=True)).ravel()
    apart: Floats = gains * (0.9 * np.tanh(longer / 4.0))[:, None]
    return apart
