"""Other choices judged by traffic that explored: right on average, silent without support."""

from pathlib import Path

import numpy as np
import pytest
from tests.learning.traffic import a_file

from pointsman.domain.errors import UsageError
from pointsman.learning.completing import read_propensities
from pointsman.learning.outcomes import read_outcomes
from pointsman.learning.router import Estimates
from pointsman.learning.valuing import Traffic, as_it_was, traffic_of, value

RATES = np.array([0.6, 0.9])  # small, large
COSTS = np.array([1e-5, 1e-4])


def a_traffic(n: int, *, seed: int = 0, explored: float = 0.2) -> Traffic:
    """The large arm answers, the small one where it is explored."""
    source = np.random.default_rng(seed)
    arm = (source.random(n) >= explored).astype(np.intp)
    return Traffic(
        models=("small", "large"), arm=arm,
        propensity=np.where(arm == 1, 1.0 - explored, explored),
        accepted=(source.random(n) < RATES[arm]).astype(float), cost_usd=COSTS[arm],
    )  # fmt: skip


def flat(n: int) -> Estimates:
    accepted, cost = np.tile(RATES, (n, 1)), np.tile(COSTS, (n, 1))
    return Estimates(accepted, accepted, cost, cost, 0 * cost, np.full(n, 9.0))


def always(arm: int, n: int) -> np.ndarray:
    return np.full(n, arm, dtype=np.intp)


def test_each_way_of_counting_finds_the_arm_that_was_hardly_asked() -> None:
    found = [value("small", always(0, 800), a_traffic(800, seed=s), flat(800)) for s in range(150)]
    for k, method in enumerate(("ips", "snips", "dr")):
        estimates = [each.accepted[k].estimate for each in found]
        assert found[0].accepted[k].method == method
        assert np.mean([e.value for e in estimates]) == pytest.approx(0.6, abs=0.012)
        covered = np.mean([e.low <= 0.6 <= e.high for e in estimates])
        assert covered >= 0.9
    assert np.mean([each.mean_weight for each in found]) == pytest.approx(1.0, abs=0.02)
    assert found[0].cost_usd[1].estimate.value == pytest.approx(1e-5)


def test_the_choices_that_were_made_have_their_plain_means() -> None:
    traffic = a_traffic(500)
    accepted, cost = as_it_was(traffic)
    assert accepted.value == pytest.approx(traffic.accepted.mean())
    assert cost.value == pytest.approx(traffic.cost_usd.mean())


def test_an_arm_without_a_chance_has_no_number() -> None:
    traffic = a_traffic(500, explored=0.0)
    found = value("small", always(0, 500), traffic)
    assert found.accepted == ()
    assert found.unsupported == 1.0
    assert found.lacking is not None
    assert "in 100.0 % of the cases it would ask an arm that could not be drawn" in found.lacking
    assert value("large", always(1, 500), traffic).lacking is None


def test_too_few_cases_have_no_number() -> None:
    found = value("small", always(0, 120), a_traffic(120))
    assert found.lacking is not None
    assert "not enough data" in found.lacking
    assert found.matched < 50


def test_traffic_is_read_with_its_chances(tmp_path: Path) -> None:
    path = a_file(tmp_path / "t.csv", 300)
    outcomes = read_outcomes(path, split="all")
    chance = read_propensities(path, outcomes)
    assert chance is not None
    traffic, at = traffic_of(outcomes, chance)
    assert len(traffic) == len(at) == 300
    assert set(traffic.propensity) == {0.7, 0.3}
    chance[:, :] = 0.5
    both = read_outcomes(path, split="all")
    both.accepted[:, :] = 1.0
    both.cost_usd[:, :] = 1.0
    with pytest.raises(UsageError, match="several arms answered"):
        traffic_of(both, chance)
