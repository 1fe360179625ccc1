"""Two costs per accepted output on the same cases: values, edges, sums and coverage."""

import math
import random
from statistics import NormalDist

import pytest

from pointsman.stats.paired_ratios import PairedRatioMoments, paired_ratio_difference


def test_the_difference_and_the_ratio_are_those_of_the_two_arms() -> None:
    paired = paired_ratio_difference(
        [2.0, 2.0, 2.0, 2.0], [True, True, False, True], [1.0, 3.0, 1.0, 1.0], [True] * 4
    )
    assert paired.difference.value == pytest.approx(6 / 4 - 8 / 3)
    assert paired.ratio.value == pytest.approx((6 / 4) / (8 / 3))


def test_an_arm_without_an_accepted_output_gives_no_number() -> None:
    paired = paired_ratio_difference([1.0] * 5, [False] * 5, [1.0] * 5, [True] * 5)
    assert paired.difference.value is None
    assert paired.ratio.value is None
    assert paired.ratio.high is None


def test_an_arm_that_costs_nothing_has_a_difference_and_no_interval_of_the_ratio() -> None:
    accepted = [True, False] * 20
    paired = paired_ratio_difference([0.0] * 40, accepted, [1.0] * 40, accepted)
    assert paired.difference.value == pytest.approx(2.0)
    assert paired.ratio.value is None


def test_an_arm_without_an_upper_bound_leaves_the_difference_open_on_that_side() -> None:
    rare = [True] + [False] * 19
    paired = paired_ratio_difference([1.0, 2.0] * 10, [True, False] * 10, [1.0, 2.0] * 10, rare)
    assert paired.difference.low is not None
    assert paired.difference.high is None


def test_unlike_numbers_of_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="paired cases differ"):
        paired_ratio_difference([1.0], [True], [1.0, 2.0], [True, True])


def test_swapping_the_arms_mirrors_the_difference_and_inverts_the_ratio() -> None:
    costs_a, accepted_a, costs_b, accepted_b = two_arms(random.Random(1), n=80)
    seen = paired_ratio_difference(costs_a, accepted_a, costs_b, accepted_b)
    swapped = paired_ratio_difference(costs_b, accepted_b, costs_a, accepted_a)
    assert seen.difference.low == pytest.approx(-swapped.difference.high)  # type: ignore[operator]
    assert seen.ratio.low == pytest.approx(1 / swapped.ratio.high)  # type: ignore[operator]


def test_moments_of_two_sets_add_to_those_of_both() -> None:
    source = random.Random(2)
    first, second = two_arms(source, n=40), two_arms(source, n=60)
    whole = PairedRatioMoments.of(*[x + y for x, y in zip(first, second, strict=True)])
    added = PairedRatioMoments.of(*first) + PairedRatioMoments.of(*second)
    for name in ("difference", "ratio"):
        one, two = getattr(added.estimate(), name), getattr(whole.estimate(), name)
        assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


def test_sharing_the_cases_narrows_the_interval() -> None:
    costs_a, accepted_a, costs_b, accepted_b = two_arms(random.Random(5), n=400)
    paired = paired_ratio_difference(costs_a, accepted_a, costs_b, accepted_b)
    order = random.Random(6).sample(range(400), 400)
    shuffled = paired_ratio_difference(
        costs_a, accepted_a, [costs_b[i] for i in order], [accepted_b[i] for i in order]
    )
    assert width(paired.difference) < width(shuffled.difference)
    assert width(paired.ratio) < width(shuffled.ratio)


@pytest.mark.parametrize(("n", "sigma"), [(100, 0.3), (400, 1.0)])
def test_both_intervals_cover_what_they_say(n: int, sigma: float) -> None:
    source, runs, inside = random.Random(11), 700, [0, 0]
    mean = math.exp(sigma**2 / 2)
    true_a, true_b = mean / 0.6, (0.3 * mean + 0.3 * mean) / 0.8
    for _ in range(runs):
        paired = paired_ratio_difference(*two_arms(source, n=n, sigma=sigma))
        low, high = paired.difference.low, paired.difference.high
        inside[0] += low <= true_b - true_a <= high  # type: ignore[operator]
        inside[1] += paired.ratio.low <= true_b / true_a <= paired.ratio.high  # type: ignore[operator]
    assert min(inside) / runs > 0.935 - 3.1 * math.sqrt(0.935 * 0.065 / runs)
    assert max(inside) / runs < 0.985


def two_arms(
    source: random.Random, *, n: int, sigma: float = 0.5
) -> tuple[list[float], list[bool], list[float], list[bool]]:
    """A dear deployment right on 60 %, and a cascade right on 80 % that pays it for the hard 30 %.

    Hardness and prompt length are shared by the arms of a case.
    """
    gauss, root = source.gauss, math.sqrt(0.5)
    cut_a, cut_b, hard = (NormalDist().inv_cdf(p) for p in (0.6, 0.8, 0.7))
    arms: tuple[list[float], list[bool], list[float], list[bool]] = ([], [], [], [])
    for _ in range(n):
        hardness, length = gauss(0, 1), gauss(0, 1)
        dear = math.exp(sigma * root * (length + gauss(0, 1)))
        cheap = 0.3 * math.exp(sigma * root * (length + gauss(0, 1)))
        arms[0].append(dear)
        arms[1].append(root * (hardness + gauss(0, 1)) < cut_a)
        arms[2].append(cheap + (dear if hardness > hard else 0.0))
        arms[3].append(root * (hardness + gauss(0, 1)) < cut_b)
    return arms


def width(estimate: object) -> float:
    return estimate.high - estimate.low  # type: ignore[attr-defined, no-any-return]
