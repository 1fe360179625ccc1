"""Regression trees as they decide, all at once: arrays of nodes, walked without scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEPTH = 8  # of every tree: what bounds the time of a decision and the size of the file


class Forest:
    """Groups of complete binary trees of one depth, walked together; sums of leaves by group.

    feature [trees, 2**depth - 1]; threshold, likewise: right where x > threshold, x in float32 as
    scikit-learn compares it, infinite where a tree is less deep; values: for each group, in the
    order of the trees, [its trees, 2**depth, its outputs].
    """

    def __init__(
        self,
        feature: NDArray[np.int16],
        threshold: NDArray[np.float32],
        values: Sequence[NDArray[np.float32]],
    ) -> None:
        """Raises: ValueError where the arrays do not fit each other."""
        trees, inner = feature.shape
        if threshold.shape != feature.shape or sum(map(len, values)) != trees:
            raise ValueError("the trees of the router do not fit each other")
        if (inner + 1) & inner or feature.min(initial=0) < 0:
            raise ValueError("the trees of the router are not whole")
        if any(value.shape[1] != inner + 1 for value in values):
            raise ValueError("the leaves of the router do not fit its trees")
        self.feature, self.threshold, self.values = feature, threshold, tuple(values)
        self.depth = inner.bit_length()
        self._feature, self._threshold = feature.ravel(), threshold.ravel()
        self._first = (np.arange(trees) * inner).astype(np.intp)
        self._groups = []
        start = 0
        for value in values:
            leaves = (np.arange(len(value)) * (inner + 1) - inner).astype(np.intp)
            self._groups.append(
                (start, start + len(value), leaves, value.reshape(-1, value.shape[2]))
            )
            start += len(value)

    def predict(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """[n, outputs] of each group for n rows of features."""
        at = self._reached(x[0])[None, :] if len(x) == 1 else self._reached_by_all(x)
        return [
            value[at[:, start:end] + leaves].sum(axis=1)
            for start, end, leaves, value in self._groups
        ]

    def _reached(self, x: NDArray[np.float32]) -> NDArray[np.intp]:
        """Places of one row's leaves: a level of all trees at a time."""
        at = np.zeros(len(self._first), dtype=np.intp)
        for _ in range(self.depth):
            node = self._first + at
            right = x[self._feature[node]] > self._threshold[node]
            at += at
            at += 1
            at += right
        return at

    def _reached_by_all(self, x: NDArray[np.float32]) -> NDArray[np.intp]:
        rows = np.arange(len(x))[:, None]
        at = np.zeros((len(x), len(self._first)), dtype=np.intp)
        for _ in range(self.depth):
            node = self._first + at
            right = x[rows, self._feature[node]] > self._threshold[node]
            at = 2 * at + 1 + right
        return at

    @classmethod
    def of(cls, trees: Sequence[Any]) -> "Forest":
        """The mean of scikit-learn's fitted trees (their public `tree_`), each `DEPTH` at most."""
        feature = np.zeros((len(trees), 2**DEPTH - 1), dtype=np.int16)
        threshold = np.full(feature.shape, np.inf, dtype=np.float32)
        value = np.zeros((len(trees), 2**DEPTH, trees[0].tree_.value.shape[1]))
        for t, fitted in enumerate(trees):
            _completed(fitted.tree_, feature[t], threshold[t], value[t])
        return cls(feature, threshold, [(value / len(trees)).astype(np.float32)])

    def times(self, matrix: NDArray[np.float64]) -> "Forest":
        """The same trees, their one group's outputs times [k, k']."""
        [value] = self.values
        return Forest(self.feature, self.threshold, [(value @ matrix).astype(np.float32)])

    def and_more(self, other: "Forest") -> "Forest":
        """The trees of both in one group, of as many outputs: the sums add up."""
        [mine], [others] = self.values, other.values
        joined = [np.concatenate([mine, others])]
        return Forest(*_both(self, other), joined)

    def beside(self, other: "Forest") -> "Forest":
        """The groups of both, walked together."""
        return Forest(*_both(self, other), [*self.values, *other.values])

    def dump(self) -> dict[str, NDArray[Any]]:
        """Arrays, from which `restore` makes it again."""
        values = {f"value{i}": value for i, value in enumerate(self.values)}
        return {"feature": self.feature, "threshold": self.threshold, **values}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> "Forest":
        """Raises: KeyError or ValueError where something is missing or does not fit."""
        values = [arrays[f"value{i}"] for i in range(len(arrays) - 2)]
        return cls(arrays["feature"], arrays["threshold"], values)


def _both(a: Forest, b: Forest) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    return np.concatenate([a.feature, b.feature]), np.concatenate([a.threshold, b.threshold])


def _single(threshold: float) -> np.float32:
    """The largest single number that is not above: x <= it where x <= threshold, for any single."""
    found = np.float32(threshold)
    return found if found <= threshold else np.nextafter(found, np.float32(-np.inf))


def _completed(
    tree: Any, feature: NDArray[Any], threshold: NDArray[Any], value: NDArray[Any]
) -> None:
    """Write one tree as a complete one: a leaf that comes early fills all leaves below it."""
    open_nodes = [(0, 0, 0)]  # node of the tree, place in the complete one, depth
    while open_nodes:
        node, place, depth = open_nodes.pop()
        left = int(tree.children_left[node])
        if left < 0:
            width = 2 ** (DEPTH - depth)
            start = (place + 1 - 2**depth) * width
            value[start : start + width] = tree.value[node, :, 0]
            continue
        feature[place], threshold[place] = tree.feature[node], _single(tree.threshold[node])
        open_nodes.append((left, 2 * place + 1, depth + 1))
        open_nodes.append((int(tree.children_right[node]), 2 * place + 2, depth + 1))
