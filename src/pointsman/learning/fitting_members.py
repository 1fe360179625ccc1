"""Fit the members of an estimator on some rows; scikit-learn and SciPy are needed here only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.encoding import Encoder, counted, placed
from pointsman.learning.estimators import unfamiliar
from pointsman.learning.features import BUCKETS, read, shortened
from pointsman.learning.forest import DEPTH, Forest

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

TOPICS = 48
PROTOTYPES = 1200
FEW_PROTOTYPES = 400  # where they only tell how well a prompt is known
TREES = 60  # of each of the two forests of outcomes
COST_TREES = 30
TOPIC_ROWS = 8000  # prompts that topics are found in, at most
FAMILIARITY_ROWS = 3000  # prompts that familiarity is measured with, at most
TREE_ROWS = 4000  # rows a tree grows on, at most: what bounds the time of a large file
SMOOTHING = (5.0, 30.0)  # ridge of the two linear models; rows have length 1
TASK_PRIOR = 8.0  # prompts' worth of the mean over all that a task's mean is shrunk by


@dataclass(frozen=True, slots=True)
class Design:
    """The training prompts as numbers; nothing of their outcomes is in it."""

    encoder: Encoder  # topics only, no linear models yet
    words: Any  # [n, v] sparse, rows of length 1 at most
    x: NDArray[np.float32]  # [n, d]
    inside: NDArray[np.float32]  # [n, r]


def design(prompts: Sequence[str]) -> Design:
    """Read the words of all prompts; words that one prompt alone has are left out."""
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    found = [read(shortened(prompt)) for prompt in prompts]
    counts = [counted(every) if len(every) else (every, every) for every, _ in found]
    df = np.bincount(np.concatenate([c[0] for c in counts]), minlength=BUCKETS)
    n = len(found)
    kept = np.flatnonzero(df >= 2)
    row = np.zeros(BUCKETS, dtype=np.int32)
    row[kept] = np.arange(1, len(kept) + 1)
    idf = np.concatenate([[0.0], np.log((1 + n) / (1 + df[kept])) + 1]).astype(np.float32)
    unknown = float(np.log(1 + n) + 1)
    bare = Encoder(row, idf, np.zeros((len(idf), 0), dtype=np.float32), 0, unknown)
    weighed = [bare.weighed(every) for every, _ in found]
    starts = np.concatenate([[0], np.cumsum([len(w[0]) for w in weighed])])
    values = np.concatenate([w[1] for w in weighed]).astype(np.float64)
    words = csr_matrix(
        (values, np.concatenate([w[0] for w in weighed]), starts), shape=(n, len(idf))
    )
    topics = min(TOPICS, n - 1, words.shape[1] - 1)
    weights = np.zeros((len(idf), max(1, topics)), dtype=np.float32)
    if topics > 1:
        few = words[np.linspace(0, n - 1, min(n, TOPIC_ROWS)).astype(np.intp)]
        weights = TruncatedSVD(topics, n_iter=3, random_state=0).fit(few).components_.T
        weights = weights.astype(np.float32)
        weights[0] = 0.0
    inside = placed(np.asarray(words @ weights, dtype=np.float32))
    return Design(
        encoder=Encoder(row, idf, weights, weights.shape[1], unknown),
        words=words,
        x=np.hstack([np.array([flat for _, flat in found]), inside]),
        inside=inside,
    )


def familiarity(prompts: Sequence[str], bounds: Floats) -> Floats:
    """Quantiles [3, 41] of how familiar prompts are to words and topics that had not seen them.

    Four fifths of the prompts, an even choice, make the words and topics; the others are measured.
    """
    at = prototypes(len(prompts), FAMILIARITY_ROWS)
    apart = at[::5]
    others = np.setdiff1d(at, apart)
    made = design([prompts[i] for i in others])
    encoded = made.encoder.encode([prompts[i] for i in apart])
    chosen = prototypes(len(others), FEW_PROTOTYPES)
    measures = unfamiliar(encoded.inside @ made.inside[chosen].T, encoded, bounds)
    return np.quantile(np.stack(measures), np.linspace(0.0, 1.0, 41), axis=1).T


def grown(x: NDArray[np.float32], y: Floats, *, trees: int, leaf: int) -> Forest:
    """Extremely randomised trees for all outputs together (Geurts, Ernst, Wehenkel, 2006)."""
    from sklearn.ensemble import ExtraTreesRegressor

    rows = min(len(x), TREE_ROWS)
    few = rows < len(x)
    model = ExtraTreesRegressor(
        trees, min_samples_leaf=leaf, max_depth=DEPTH, max_features=0.3, random_state=0,
        bootstrap=few, max_samples=rows if few else None,
    )  # fmt: skip
    model.fit(x, y if y.shape[1] > 1 else y[:, 0])
    return Forest.of(model.estimators_)


def linear(words: Any, y: Floats, ridge: float) -> Floats:
    """Weights [v, k] of ridge regression without intercept, by conjugate gradients in the dual.

    Solves (X X' + ridge) a = y for all outputs at once; 40 steps or a residual of 1e-3.
    """
    a = np.zeros_like(y)
    residual = y.copy()
    step = residual.copy()
    square = (residual * residual).sum(axis=0)
    goal = np.maximum(square * 1e-6, 1e-30)
    for _ in range(40):
        if (square <= goal).all():
            break
        moved = words @ (words.T @ step) + ridge * step
        size = square / np.maximum((step * moved).sum(axis=0), 1e-30)
        a += size * step
        residual -= size * moved
        fresh = (residual * residual).sum(axis=0)
        step = residual + fresh / np.maximum(square, 1e-30) * step
        square = fresh
    weights: Floats = words.T @ a
    return weights


def prototypes(n: int, most: int = PROTOTYPES) -> Rows:
    """Which of n rows stand for all: every one, or an even choice of them."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).astype(np.intp))


def means_by_task(values: Floats, tasks: Sequence[str], names: Sequence[str]) -> Floats:
    """[t + 1, k]: shrunk means of the named tasks, and the mean over all in the last row."""
    overall = values.mean(axis=0)
    row = {name: i for i, name in enumerate(names)}
    found = np.tile(TASK_PRIOR * overall, (len(names) + 1, 1))
    counts = np.full(len(names) + 1, TASK_PRIOR)
    for i, task in enumerate(tasks):
        if task in row:
            found[row[task]] += values[i]
            counts[row[task]] += 1
    shrunk: Floats = found / counts[:, None]
    return shrunk
