"""Arms of a comparison, for tests of comparisons and of their text."""

import random

from pointsman.analytics.compare import ArmCase


def case(i: int, *, cost: float, accepted: bool, escalated: bool = False) -> ArmCase:
    return ArmCase(case_id=f"c{i:03}", cost_usd=cost, accepted=accepted, escalated=escalated)


def three_arms(n: int = 412) -> dict[str, list[ArmCase]]:
    """A small and a large model, and a cascade of both that sends the hard 30 % on."""
    source = random.Random(4)
    arms: dict[str, list[ArmCase]] = {"small": [], "large": [], "cascade": []}
    for i in range(n):
        length, hardness = source.uniform(0.5, 2.0), source.random()
        cheap, dear = 2e-6 * length, 2e-5 * length
        small_right, large_right = hardness < 0.72, hardness < 0.95
        sent_on = hardness > 0.70
        arms["small"].append(case(i, cost=cheap, accepted=small_right))
        arms["large"].append(case(i, cost=dear, accepted=large_right))
        arms["cascade"].append(
            case(
                i,
                cost=cheap + (dear if sent_on else 0.0),
                accepted=large_right if sent_on else small_right,
                escalated=sent_on,
            )
        )
    return arms
