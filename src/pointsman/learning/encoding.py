"""A prompt as numbers, by what was learned of the training prompts' words; NumPy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.learning.features import BUCKETS, read, shortened

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """n prompts: `x` [n, d] dense features and topics, `inside` [n, r] their place among the
    training's topics (rows of length 1), `linear` [n, k] sums of the words' weights, `known` [n]
    the share of a prompt's words, by weight, that training has seen."""

    x: Singles
    inside: Singles
    linear: Singles
    known: Floats


@dataclass(frozen=True, slots=True)
class Encoder:
    """Weights of words, their topics and whatever linear model was fitted on them.

    row: [BUCKETS] row of a bucket in the other arrays, 0 (all zero) where training had none
    idf: [v]; words: [v, r + k], topics first, then the linear model; both with row 0 first
    unknown: idf of a word that training had not
    """

    row: NDArray[np.int32]
    idf: Singles
    words: Singles
    topics: int
    unknown: float

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """Everything the estimators need of the prompts."""
        n, wide = len(prompts), self.words.shape[1]
        sums, known = np.zeros((n, wide), dtype=np.float32), np.zeros(n)
        dense = []
        for i, prompt in enumerate(prompts):
            every, flat = read(shortened(prompt))
            dense.append(flat)
            at, weight, known[i] = self.weighed(every)
            if len(at):
                sums[i] = weight @ self.words[at]
        inside = placed(sums[:, : self.topics])
        return Encoded(
            x=np.concatenate([np.array(dense), inside], axis=1),
            inside=inside,
            linear=sums[:, self.topics :],
            known=known,
        )

    def weighed(self, every: NDArray[np.uint16]) -> tuple[NDArray[np.int32], Singles, float]:
        """Rows of known words, their weights, and their share; all words together have length 1."""
        if not len(every):
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32), 0.0
        which, times = counted(every)
        at = self.row[which]
        seen = at > 0
        weight = 1.0 + _LOG[np.minimum(times, len(_LOG) - 1)]
        weight *= np.where(seen, self.idf[at], np.float32(self.unknown))
        square = weight * weight
        total = float(square.sum())
        return at[seen], weight[seen] / np.float32(total**0.5), float(square[seen].sum()) / total

    def dump(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Plain values and arrays."""
        values = {"topics": self.topics, "unknown": self.unknown}
        return values, {"row": self.row, "idf": self.idf, "words": self.words}

    @classmethod
    def restore(cls, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> "Encoder":
        """Raises: KeyError or ValueError where something is missing or does not fit."""
        row, idf, words = arrays["row"], arrays["idf"], arrays["words"]
        if row.shape != (BUCKETS,) or len(idf) != len(words) or row.min() < 0:
            raise ValueError("the words of the router do not fit each other")
        if row.max() >= len(words):
            raise ValueError("the words of the router are cut short")
        return cls(row, idf, words, int(values["topics"]), float(values["unknown"]))


def counted(every: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.intp]]:
    """Different buckets in order, and how often each stands there (sorting 16 bits is cheap)."""
    ordered = np.sort(every, kind="stable")
    edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    starts = np.concatenate([[0], edges])
    return ordered[starts], np.concatenate([edges, [len(ordered)]]) - starts


def placed(sums: Singles) -> Singles:
    """The rows at length 1; rows of zeros stay."""
    length = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
    rows: Singles = np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)
    return rows


_LOG = np.log(np.maximum(1.0, np.arange(256))).astype(np.float32)  # of how often a word stands
