"""Cases that were asked several times: what repeats can tell, and what only more cases can."""

import math
from collections.abc import Hashable, Sequence

import msgspec

from pointsman.stats.estimate import Estimate
from pointsman.stats.means import mean


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """The variance of a mean over cases and repeats, in its two parts.

    `items`: variance over cases of their expected scores; `within`: mean variance of one answer
    about its case's expected score; None where no case was asked twice. `flaky`: share of cases
    whose answers did not all score the same. `epochs` is the mean number of answers of a case.
    """

    mean: Estimate
    cases: int
    epochs: float
    items: float | None
    within: float | None
    flaky: float | None

    def error(self, cases: int, epochs: int) -> float | None:
        """The standard error that so many independent cases, each asked so often, would have.

        Var = items / n + within / (n K): no number of epochs goes under the first.
        """
        if self.items is None or self.within is None:
            return None
        if cases < 1 or epochs < 1:
            raise ValueError("cases and epochs are one or more")
        return math.sqrt((self.items + self.within / epochs) / cases)

    @property
    def worthwhile(self) -> int | None:
        """Epochs after which less than a tenth of the variance is left to be gained; 10 at most."""
        if self.items is None or self.within is None or self.within == 0:
            return None if self.items is None else 1
        if self.items == 0:
            return 10
        return max(1, min(10, math.ceil(9 * self.within / self.items)))


def split_variance(
    scores: Sequence[Sequence[float]],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Repeats:
    """The parts of the variance, where scores[i] are the scores of case i, one an epoch.

    Cases may have been asked unlike often, and each counts once in the mean.
    Returns: the mean's interval is that of the cases' own means.
    Raises: ValueError for a case without a score.
    Source: one-way analysis of variance by moments (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 3); Miller (2024), arXiv 2411.00640, section 3.
    """
    if not all(scores):
        raise ValueError("a case without any score has no mean")
    means = [math.fsum(each) / len(each) for each in scores]
    n = len(scores)
    known = mean(means, clusters=clusters, level=level)
    asked = sum(map(len, scores)) / n if n else 0.0
    repeated = [(each, centre) for each, centre in zip(scores, means, strict=True) if len(each) > 1]
    if n < 2 or not repeated:
        return Repeats(mean=known, cases=n, epochs=asked, items=None, within=None, flaky=None)
    freedom = sum(len(each) - 1 for each, _ in repeated)
    within = math.fsum((x - centre) ** 2 for each, centre in repeated for x in each) / freedom
    grand = math.fsum(means) / n
    between = math.fsum((centre - grand) ** 2 for centre in means) / (n - 1)
    shrunk = math.fsum(1 / len(each) for each in scores) / n
    flaky = sum(1 for each, _ in repeated if max(each) > min(each)) / len(repeated)
    return Repeats(
        mean=known,
        cases=n,
        epochs=asked,
        items=max(0.0, between - within * shrunk),
        within=within,
        flaky=flaky,
    )


def pass_at(successes: int, epochs: int, k: int) -> float | None:
    """The chance that one of k answers is right at least, without bias; None where k > epochs.

    Source: Chen et al. (2021), arXiv 2107.03374.
    """
    _check(successes, epochs, k)
    if k > epochs:
        return None
    return 1.0 - math.comb(epochs - successes, k) / math.comb(epochs, k)


def pass_all(successes: int, epochs: int, k: int) -> float | None:
    """The chance that all of k answers are right, without bias; None where k > epochs.

    Source: Yao et al. (2024), arXiv 2406.12045, pass^k.
    """
    _check(successes, epochs, k)
    return None if k > epochs else math.comb(successes, k) / math.comb(epochs, k)


def _check(successes: int, epochs: int, k: int) -> None:
    if not 0 <= successes <= epochs or k < 1:
        raise ValueError(f"{successes} of {epochs} answers, {k} at a time, cannot be")
