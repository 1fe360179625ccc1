"""Does 95 % cover 95 %? Cost per accepted output by simulation, fixed seed, log-normal cost."""

import math
import random

import pytest

from pointsman.stats.ratios import cost_per_accepted

RUNS = 800
# 3.1 standard errors of a share of RUNS around the promised 93.5 to 96.5 %
LEAST, MOST = 0.935 - 3.1 * math.sqrt(0.935 * 0.065 / RUNS), 1.0


def coverage(*, n: int, rate: float, sigma: float, dear_when_rejected: float, seed: int) -> float:
    source = random.Random(seed)
    gauss, draw = source.gauss, source.random
    mean = math.exp(sigma**2 / 2) * (rate + dear_when_rejected * (1 - rate))
    true, covered = mean / rate, 0
    for _ in range(RUNS):
        accepted = [draw() < rate for _ in range(n)]
        costs = [
            math.exp(sigma * gauss(0.0, 1.0)) * (1.0 if yes else dear_when_rejected)
            for yes in accepted
        ]
        estimate = cost_per_accepted(costs, accepted)
        assert estimate.low is not None
        high = math.inf if estimate.high is None else estimate.high
        covered += estimate.low <= true <= high
    return covered / RUNS


@pytest.mark.parametrize(
    ("n", "rate", "sigma", "dear_when_rejected"),
    [
        (100, 0.3, 0.5, 1.0),
        (100, 0.6, 1.0, 1.0),
        (100, 0.95, 0.5, 1.0),
        (200, 0.6, 1.0, 3.0),
        (200, 0.95, 1.0, 1.0),
        (400, 0.3, 1.0, 3.0),
        (400, 0.95, 1.0, 1.0),
        (100, 0.99, 0.02, 1.0),  # mostly no rejection in the sample: plain Fieller covers 62 %
    ],
)
def test_the_interval_covers_what_it_says(
    n: int, rate: float, sigma: float, dear_when_rejected: float
) -> None:
    share = coverage(
        n=n, rate=rate, sigma=sigma, dear_when_rejected=dear_when_rejected, seed=20_260
    )
    assert LEAST <= share <= MOST


@pytest.mark.deep
@pytest.mark.parametrize("n", [100, 200, 400])
@pytest.mark.parametrize("rate", [0.3, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("sigma", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("dear_when_rejected", [0.3, 1.0, 3.0])
def test_the_interval_covers_over_the_whole_grid(
    n: int, rate: float, sigma: float, dear_when_rejected: float
) -> None:
    share = coverage(n=n, rate=rate, sigma=sigma, dear_when_rejected=dear_when_rejected, seed=3)
    assert LEAST <= share <= MOST
