# ruff: noqa: E501 - a pattern or a row is one line
"""The heads of the classifier, what each learns from, and how their scores come to one scale."""

from dataclasses import dataclass

import numpy as np
from corpus import Example
from encoding import Encoded
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from pointsman.policy.detectors.injection import features, model

PATTERNS = sum(name.startswith(("pattern:", "concept")) for name in features.NAMES)
_NOISE = [features.NAMES.index(name) for name in features.NOISE]
_LIGHT = {"catqa_zh": 0.3, "catqa_vi": 0.3}  # two languages of one source, against few honest texts
_STRETCHES = 24_000  # of honest texts that the head of stretches learns from
_C = 12.0


@dataclass
class Set:
    """Examples with their numbers; `here` says which of them may be learned from."""

    examples: list[Example]
    numbers: Encoded

    def __post_init__(self) -> None:
        self.source = np.array([e.source for e in self.examples])
        self.kind = np.array([e.kind for e in self.examples])
        patterns = sparse.csr_matrix(self.numbers.dense[:, :PATTERNS]) * model.PATTERN_WEIGHT
        self.whole = sparse.hstack([self.numbers.whole, patterns[self.numbers.whole_owner]]).tocsr()
        self.own = self.whole[self.numbers.first]
        self.noise = self.numbers.dense[:, _NOISE]


def learns_from(head: str, source: str, kind: str) -> bool:
    """Is a text of that source what the head is to find?"""
    persona = source in ("wild", "templates", "seeds", "own_jailbreak")
    if head == "persona":
        return persona
    if head == "command":
        return source in ("own_direct", "own_extraction", "own_special", "own_languages", "own_indirect_bare",
                          "seeds_extraction")  # fmt: skip
    if head == "harm":
        return kind == "harm"
    if head == "stretch":
        return source in ("own_direct", "own_extraction", "own_special", "own_indirect_bare", "bipia_bare",
                          "seeds_extraction")  # fmt: skip
    return source == "own_suffix"


def fitted(head: str, data: Set, here: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and bias of a head, from the examples of `here`."""
    if head == "signs":
        return _rates(data, here), 0.0
    found = np.array([learns_from(head, s, k) for s, k in zip(data.source, data.kind, strict=True)])
    honest = (data.kind == "benign") & (data.source != "own_mutated_benign")
    use = here & (found | honest)
    truth = found[use].astype(int)
    source = data.source[use]
    if head == "noise":
        rows, c = data.noise[use], 1.0
    elif head == "stretch":
        rows, truth, source = _stretches(data, here & honest, use, truth, source)
        c = _C
    else:
        rows, c = data.own[use], _C
    learned = LogisticRegression(C=c, solver="liblinear", tol=1e-2, random_state=0)
    learned.fit(rows, truth, sample_weight=_weights(source, truth))
    return learned.coef_[0], float(learned.intercept_[0])


def scored(head: str, data: Set, weights: np.ndarray, bias: float) -> np.ndarray:
    """The head's score of every example: the best of its variants, or of its stretches."""
    if head == "noise":
        return data.noise @ weights + bias
    if head == "signs":
        return np.array(
            [model.signs_score(row, weights) for row in data.numbers.dense[:, : features.WEIGHED]]
        )
    out = np.full(len(data.examples), -20.0)
    numbers = data.numbers
    if head == "stretch":
        np.maximum.at(out, numbers.parts_owner, numbers.parts @ weights + bias)
        return out
    np.maximum.at(out, numbers.whole_owner, data.whole @ weights + bias)
    return out


def tail(scores: np.ndarray, source: np.ndarray) -> tuple[float, float, float]:
    """Where the honest tail begins, how it falls, and its share: P(Z > z) = share * exp(-(z - start) / fall).

    Every source weighs the same, so that no large one decides alone.
    """
    weight = np.ones(len(scores))
    for name in set(source):
        weight[source == name] = 1.0 / (source == name).sum()
    order = np.argsort(-scores)
    share = np.cumsum(weight[order]) / weight.sum()
    at = int(np.searchsorted(share, model.TAIL_SHARE))
    start = float(scores[order[at]])
    beyond = order[:at]
    fall = float(np.average(scores[beyond] - start, weights=weight[beyond]))
    return start, max(fall, 0.05), model.TAIL_SHARE


def _rates(data: Set, here: np.ndarray) -> np.ndarray:
    """Of each pattern: the logarithm of how much more often attacks have it than honest texts.

    Attacks count by source, with a prior that every pattern is a sign: it was written to be one. A
    pattern counts as often as its concept: most examples are English, most patterns are not.
    """
    attack = (
        here & (data.kind == "injection") & ~np.char.startswith(data.source.astype(str), "bipia")
    )
    honest = here & (data.kind == "benign") & ~np.char.startswith(data.source.astype(str), "own")
    present = data.numbers.dense[:, : features.PATTERNS] > 0
    sources = [attack & (data.source == name) for name in sorted(set(data.source[attack]))]
    often = np.mean([present[each].mean(0) for each in sources], axis=0)
    # what is said in one language counts as often as its meaning in all of them
    for places in features.CONCEPT_PLACES:
        meant = np.mean([present[each][:, places].any(1).mean() for each in sources])
        often[list(places)] = np.maximum(often[list(places)], meant)
    often += 0.05
    rare = (present[honest].sum(0) + 1.0) / (honest.sum() + 2.0)
    return np.maximum(np.log(often / rare), 0.0)


def _stretches(
    data: Set, honest: np.ndarray, use: np.ndarray, truth: np.ndarray, source: np.ndarray
):
    numbers = data.numbers
    own = numbers.whole[numbers.first[use]]
    chosen = np.flatnonzero(honest[numbers.parts_owner])
    chosen = np.random.RandomState(7).permutation(chosen)[:_STRETCHES]
    rows = sparse.vstack([own, numbers.parts[chosen]]).tocsr()
    names = data.source[numbers.parts_owner[chosen]].astype(object) + "/stretch"
    return (
        rows,
        np.concatenate([truth, np.zeros(len(chosen), int)]),
        np.concatenate([source.astype(object), names]),
    )


def _weights(source: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Sources by the root of their size, both sides the same in all."""
    weight = np.ones(len(source))
    for name in set(source):
        here = source == name
        weight[here] = _LIGHT.get(name, 1.0) / np.sqrt(here.sum())
    for side in (0, 1):
        weight[truth == side] /= weight[truth == side].sum()
    return weight * len(source) / 2
