"""Examples as numbers, through the package's own reading of a text: the same code judges later."""

from dataclasses import dataclass

import numpy as np
from corpus import Example
from scipy import sparse

from pointsman.policy.detectors.injection import features, tokens

LONGEST = 3000  # words of an example that are learned from
COLUMNS = (1 << tokens.WORD_BITS) + (1 << tokens.SIGN_BITS)


@dataclass
class Encoded:
    """A row a text or stretch of one: `whole` are texts and what was undone in them."""

    whole: sparse.csr_matrix
    whole_owner: np.ndarray
    parts: sparse.csr_matrix
    parts_owner: np.ndarray
    dense: np.ndarray  # of each example: everything that is no slot
    first: np.ndarray  # the row of `whole` that is the example itself


def encoded(examples: list[Example], surprise: bytes) -> Encoded:
    whole, parts = _Rows(), _Rows()
    dense, first = [], []
    for place, example in enumerate(examples):
        reading = features.read(example.text)
        dense.append(features.dense(reading, surprise))
        first.append(len(whole.owner))
        for variant in reading.variants:
            spread = tokens.Spread(tokens.words(variant)[:LONGEST] or ["0"])
            whole.add(spread.whole(), place)
            for start, end in spread.stretches():
                parts.add(spread.gathered(start, end), place)
    return Encoded(
        whole.matrix(), np.array(whole.owner), parts.matrix(), np.array(parts.owner),
        np.array(dense, dtype=np.float32), np.array(first),
    )  # fmt: skip


class _Rows:
    def __init__(self) -> None:
        self.owner: list[int] = []
        self._columns: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        self._ends = [0]

    def add(self, slots: tuple[set[int], set[int]], owner: int) -> None:
        by_word, by_sign = slots
        scale = 1.0 / np.sqrt(len(by_sign) + tokens.PRIOR)
        columns = np.fromiter(by_word, np.int32, len(by_word))
        signs = np.fromiter(by_sign, np.int32, len(by_sign)) + (1 << tokens.WORD_BITS)
        self._columns.append(np.concatenate([columns, signs]))
        self._values.append(np.concatenate([
            np.full(len(by_word), tokens.WORD_WEIGHT * scale, np.float32),
            np.full(len(by_sign), scale, np.float32),
        ]))  # fmt: skip
        self._ends.append(self._ends[-1] + len(by_word) + len(by_sign))
        self.owner.append(owner)

    def matrix(self) -> sparse.csr_matrix:
        return sparse.csr_matrix(
            (np.concatenate(self._values), np.concatenate(self._columns), np.array(self._ends)),
            shape=(len(self.owner), COLUMNS),
        )
