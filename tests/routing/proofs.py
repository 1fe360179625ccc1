"""A certificate of a floor, for the tests of this room."""

from typing import Any

from msgspec.structs import replace

from pointsman.routing.certificate import Certificate, fresh_watch
from pointsman.stats.estimate import Estimate
from pointsman.stats.proportions import clopper_pearson

ROUTER = "c0ffee" + "0" * 58


def a_certificate(**changes: Any) -> Certificate:
    accepted = clopper_pearson(1_260, 1_800, level=0.9)
    made = Certificate(
        task="support", reference="large", point="certified_0.01", value_usd=0.01, alpha=0.02,
        delta=0.1, level=0.035, ahead=1_800, n=1_800, lost=90, won=88, p_value=0.01,
        points_tested=12,
        shortfall=Estimate(value=0.0011, low=None, high=0.015, n=1_800, level=0.9),
        accepted=accepted, cost_share=Estimate(value=0.6, low=0.58, high=0.62, n=1_800),
        router=ROUTER, outcomes="d" * 64, split_seed=1, made_at_us=1_000,
        watch=fresh_watch(alpha=0.02, accepted=accepted),
    )  # fmt: skip
    return replace(made, **changes)
