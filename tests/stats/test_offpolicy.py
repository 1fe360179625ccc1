"""Off-policy estimates: right on average, covering as stated, silent where the data are thin."""

import random

import pytest

from pointsman.stats.offpolicy import Drawn, OffPolicy, doubly_robust, ips, snips

RATES = {"cheap": 0.5, "strong": 0.8}
TRUE = 0.3 * RATES["cheap"] + 0.7 * RATES["strong"]  # the policy in question: strong in 7 of 10
RUNS = 400


def logged(source: random.Random, n: int, *, promise: float = 0.0) -> list[Drawn]:
    """The log's policy takes the strong arm in one of five; `promise` shifts the model's rates."""
    cases = []
    for _ in range(n):
        arm, propensity, target = (
            ("strong", 0.2, 0.7) if source.random() < 0.2 else ("cheap", 0.8, 0.3)
        )
        reward = float(source.random() < RATES[arm])
        cases.append(
            Drawn(reward, propensity, target, predicted=RATES[arm] + promise,
                  promised=TRUE + promise)
        )  # fmt: skip
    return cases


@pytest.mark.parametrize("estimator", [ips, snips, doubly_robust])
def test_the_interval_covers_the_value_of_the_other_policy(estimator) -> None:
    source = random.Random(21)
    covered, total = 0, 0.0
    for _ in range(RUNS):
        found: OffPolicy = estimator(logged(source, 300))
        assert found.enough
        low, high, value = found.estimate.low, found.estimate.high, found.estimate.value
        assert low is not None
        assert high is not None
        assert value is not None
        covered += low <= TRUE <= high
        total += value
    assert covered / RUNS >= 0.925
    assert total / RUNS == pytest.approx(TRUE, abs=0.01)


def test_a_wrong_model_costs_width_and_no_truth() -> None:
    source = random.Random(22)
    values = [doubly_robust(logged(source, 300, promise=-0.3)).estimate.value for _ in range(RUNS)]
    assert sum(v for v in values if v is not None) / RUNS == pytest.approx(TRUE, abs=0.01)


def test_a_good_model_narrows_the_interval() -> None:
    cases = logged(random.Random(23), 400)

    def width(found: OffPolicy) -> float:
        assert found.estimate.low is not None
        assert found.estimate.high is not None
        return found.estimate.high - found.estimate.low

    assert width(doubly_robust(cases)) < width(snips(cases)) < width(ips(cases))


def test_choices_of_ones_own_give_the_plain_mean() -> None:
    cases = [Drawn(float(i % 4 == 0), 0.5, 0.5) for i in range(200)]
    for estimator in (ips, snips):
        found = estimator(cases)
        assert found.estimate.value == pytest.approx(0.25)
        assert found.effective_n == pytest.approx(200)


def test_few_effective_cases_give_a_reason_in_place_of_a_number() -> None:
    rare = [Drawn(1.0, 0.01, 1.0)] * 10 + [Drawn(0.0, 0.99, 0.0)] * 990
    for cases in (rare, []):
        found = snips(cases)
        assert not found.enough
        assert found.estimate.value is None
        assert found.lacking is not None
        assert "not enough data" in found.lacking
    assert snips(rare).effective_n == pytest.approx(10)
    assert snips(rare).largest_weight == pytest.approx(100)


@pytest.mark.parametrize(
    "case", [Drawn(1.0, 0.0, 0.5), Drawn(1.0, 1.1, 0.5), Drawn(1.0, 0.5, -0.1)]
)
def test_chances_that_are_none_are_refused(case: Drawn) -> None:
    with pytest.raises(ValueError, match="lies in"):
        ips([case] * 100)
