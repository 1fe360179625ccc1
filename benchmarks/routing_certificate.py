"""Does a certified floor hold, and what does it cost? Many random splits of real outcomes.

    python benchmarks/routing_certificate.py [--splits 1000] [--only NAME] [--methods] [--json]

For each portfolio a router is fitted on one part of the outcomes and certified on random halves of
the other part. Two things are counted over the splits. `refuted by all`: the certified point lies
more than alpha below always-strong on everything that was not fitted on, the nearest thing to the
truth here. `seen broken`: it does so on the test half, a sample of the same size as the one that
proved it; that is the harder of the two, and what somebody who watches would call broken. Both are
to be at most delta. The cost is that of the test half, as a share of always-strong.

`--methods` compares tests of the same statement on the first splits.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from pointsman.learning.certifying import (
    Ladder,
    Test,
    cheapest,
    climb,
    exact_test,
    halves,
    ladder,
    level_needed,
    seen_on,
    unseen,
)
from pointsman.learning.choosing import Goal
from pointsman.learning.fitting import fit
from pointsman.learning.outcomes import Outcomes, read_outcomes
from pointsman.stats.betting import Evidence
from pointsman.stats.binomial import binomial_cdf
from pointsman.stats.quantiles import beta_quantile
from pointsman.stats.shortfall import Pairs
from pointsman.stats.testing import hoeffding_bentkus

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data")) / "routing"
ALPHA, DELTA = 0.02, 0.1


@dataclass(frozen=True)
class Portfolio:
    """A file, the models that are compared in it, and whether it parts fitting from testing."""

    name: str
    file: str
    models: tuple[str, ...]
    parted: bool = True  # else four tenths of the prompts are kept from the fit, by their words


MMLU = (
    "Meta-Llama-3.1-70B-Instruct", "Meta-Llama-3.1-8B-Instruct", "gemini-1.5-flash-002",
    "gemini-1.5-pro-002", "Mixtral-8x7B-Instruct-v0.1", "mathstral-7B", "jamba-1.5-large",
)  # fmt: skip
GYM = (
    "claude-3.5-sonnet", "gemma-3-27b-it", "llama-3.3-70b-instruct", "llama-4-maverick",
    "llama-4-scout", "mistral-small-3.1-24b-instruct",
)  # fmt: skip
QWEN = tuple(f"Qwen2.5-{size}-Instruct" for size in ("3B", "7B", "32B", "72B"))
CLOSED = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022")
PORTFOLIOS = (
    Portfolio("mmlu_pro", "mmlu_pro.parquet", MMLU),
    Portfolio("reasoning_gym", "reasoning_gym_easy.parquet", GYM),
    Portfolio("zeroeval qwen", "zeroeval_train.parquet", QWEN, parted=False),
    Portfolio("zeroeval + closed", "zeroeval_train.parquet", QWEN + CLOSED, parted=False),
)


def rungs_of(portfolio: Portfolio) -> Ladder:
    """What the operating points of a router did on outcomes it was not fitted on."""
    path = DATA / portfolio.file
    if portfolio.parted:
        train = read_outcomes(path, models=portfolio.models, split="train", replies=False)
        test = read_outcomes(path, models=portfolio.models, split="test", replies=False)
    else:
        whole = read_outcomes(path, models=portfolio.models, split="all", replies=False)
        kept = np.array([crc32(f"kept {p}".encode()) % 10 >= 6 for p in whole.prompts])
        train, test = whole.rows(~kept), whole.rows(kept)
    router = fit(_complete(train), Goal())
    return ladder(router, unseen(router, test), alpha=ALPHA)


def _complete(outcomes: Outcomes) -> Outcomes:
    return outcomes.rows(outcomes.complete)


def remembered(test: Test, level: float) -> Test:
    """The same verdicts from few p-values: of equally many unlike cases, more losses prove less."""
    known: dict[tuple[int, int], list[int]] = {}  # (unlike, n): most losses proven, fewest not

    def verdict(pairs: Pairs) -> float:
        unlike = pairs.lost + pairs.won
        bounds = known.setdefault((unlike, pairs.n), [-1, unlike + 1])
        if bounds[0] < pairs.lost < bounds[1]:
            proven = test(pairs) <= level
            bounds[0 if proven else 1] = pairs.lost
        return 0.0 if pairs.lost <= bounds[0] else 1.0

    return verdict


def exam(
    rungs: Ladder, splits: int, *, ahead: bool, tests: Callable[[float], Test], delta: float = DELTA
) -> dict[str, Any]:
    """Shares over the splits, and how cost and points tested are spread over them."""
    everything = np.arange(rungs.n)
    below = [rungs.pairs(rung, everything).shortfall for rung in range(len(rungs.points))]
    n, rest = rungs.n // 2, rungs.n - rungs.n // 2
    level = level_needed(delta, n=n, ahead=rest if ahead else 0)
    test = remembered(tests(level), level)
    refuted = seen_broken = none = 0
    costs = []
    for seed in range(splits):
        calibration, held_out = halves(rungs.n, seed)
        proof = climb(rungs, calibration, alpha=ALPHA, level=level, test=test)
        rung = cheapest(rungs, calibration, proof)
        seen = seen_on(rungs, rung, held_out, alpha=ALPHA, delta=delta)
        none += rung is None
        refuted += rung is not None and below[rung] > ALPHA
        seen_broken += not seen.held
        costs.append(seen.cost_share.value)
    low, median, high = np.quantile(np.array(costs, dtype=float), [0.1, 0.5, 0.9])
    return {
        "n": n, "splits": splits, "promise": "rate and seen ahead" if ahead else "rate",
        "refuted_by_all": refuted / splits, "seen_broken": seen_broken / splits,
        "cost_median": float(median), "cost_p10": float(low), "cost_p90": float(high),
        "cost_at_most_090": float(np.mean(np.array(costs) <= 0.9)), "no_certificate": none / splits,
    }  # fmt: skip


def betting(level: float) -> Test:
    """A betting p-value, order of cases at random: valid at every look, so slack at one."""
    source = np.random.default_rng(0)

    def p_value(pairs: Pairs) -> float:
        signs = np.zeros(pairs.n)
        signs[: pairs.lost] = -1.0
        signs[pairs.lost : pairs.lost + pairs.won] = 1.0
        evidence = Evidence(null=-ALPHA, low=-1.0, high=1.0)
        for sign in source.permutation(signs):
            evidence = evidence.after(float(sign))
        return min(1.0, 1.0 / evidence.peak)

    return p_value


def two_steps(level: float) -> Test:
    """A bound on the share of unlike cases, then the binomial of their losses."""
    spent = level / 5.0

    def p_value(pairs: Pairs) -> float:
        unlike = pairs.lost + pairs.won
        most = beta_quantile(1.0 - spent, unlike + 1, pairs.n - unlike) if unlike < pairs.n else 1.0
        losing = (1.0 + min(1.0, ALPHA / most)) / 2.0
        return min(1.0, binomial_cdf(pairs.lost, unlike, losing) + spent)

    return p_value


def hoeffding(level: float) -> Test:
    """Hoeffding-Bentkus on the differences, moved into [0, 1]: blind to how few cases differ."""

    def p_value(pairs: Pairs) -> float:
        moved = (1.0 + pairs.shortfall) / 2.0
        return hoeffding_bentkus(moved, pairs.n, bound=(1.0 + ALPHA) / 2.0)

    return p_value


METHODS: dict[str, Callable[[float], Test]] = {
    "exact": lambda level: exact_test(ALPHA, level), "two steps": two_steps, "betting": betting,
    "Hoeffding-Bentkus": hoeffding,
}  # fmt: skip


def main() -> None:
    """Read, fit, split, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--splits", type=int, default=1_000)
    parser.add_argument("--only")
    parser.add_argument("--methods", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    if not options.json:
        print(f"alpha {ALPHA}, delta {DELTA}")
    for portfolio in PORTFOLIOS:
        if options.only and options.only not in portfolio.name:
            continue
        started = time.monotonic()
        rungs = rungs_of(portfolio)
        runs = [("exact", True), ("exact", False)]
        if options.methods:
            runs += [(name, True) for name in METHODS if name != "exact"]
        for method, ahead in runs:
            splits = options.splits if method == "exact" else min(options.splits, 100)
            found = exam(rungs, splits, ahead=ahead, tests=METHODS[method])
            row = {"portfolio": portfolio.name, "reference": rungs.reference, "method": method,
                   **found, "seconds": round(time.monotonic() - started, 1)}  # fmt: skip
            rows.append(row)
            if not options.json:
                _show(row)
    if options.json:
        print(json.dumps(rows, indent=2))


def _show(row: dict[str, Any]) -> None:
    error = math.sqrt(max(row["seen_broken"], 1e-3) * (1 - row["seen_broken"]) / row["splits"])
    print(
        f"{row['portfolio']:18} n {row['n']:5}  {row['method']:17} {row['promise']:20}"
        f" refuted by all {row['refuted_by_all']:.3f}  seen broken {row['seen_broken']:.3f} ±"
        f" {error:.3f}  cost ×{row['cost_median']:.3f} [{row['cost_p10']:.3f},"
        f" {row['cost_p90']:.3f}]  at most .9 in {row['cost_at_most_090']:.3f}"
        f"  none {row['no_certificate']:.3f}  ({row['splits']} splits, {row['seconds']} s)",
        flush=True,
    )


if __name__ == "__main__":
    main()
