"""Certificates on recorded outcomes over many splits: the promise kept, and something saved."""

import pytest

pytestmark = pytest.mark.deep
SPLITS = 1_000


@pytest.mark.parametrize("name", ["mmlu_pro", "reasoning_gym", "zeroeval qwen"])
def test_the_floor_breaks_in_at_most_delta_of_random_splits(name: str) -> None:
    from benchmarks import routing_certificate as exam

    if not exam.DATA.exists():
        pytest.skip(f"there are no recorded outcomes in {exam.DATA}; POINTSMAN_DATA names them")
    [portfolio] = [each for each in exam.PORTFOLIOS if each.name == name]
    rungs = exam.rungs_of(portfolio)
    found = exam.exam(rungs, SPLITS, ahead=True, tests=exam.METHODS["exact"])
    assert found["seen_broken"] <= exam.DELTA
    assert found["refuted_by_all"] <= exam.DELTA
    if found["n"] > 500:  # with fewer a margin of two points can hardly be proven
        assert found["cost_at_most_090"] >= 0.5
