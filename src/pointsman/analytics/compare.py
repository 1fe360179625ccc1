"""Arms on the same cases: each arm's figures, and what differs from the baseline, in pairs."""

from collections.abc import Mapping, Sequence

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.stats.estimate import Estimate
from pointsman.stats.paired_ratios import paired_ratio_difference
from pointsman.stats.proportions import paired_difference, wilson
from pointsman.stats.ratios import cost_per_accepted


class ArmCase(msgspec.Struct, frozen=True, kw_only=True):
    """What one arm did on one case: every attempt's cost, and whether the answer was accepted."""

    case_id: str
    cost_usd: float
    accepted: bool
    escalated: bool = False


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """One arm; the differences are to the baseline on the same cases, None for the baseline."""

    arm: str
    accepted: Estimate
    escalated: Estimate
    cost_usd: float
    cost_per_accepted_usd: Estimate
    accepted_difference: Estimate | None = None  # rate less the baseline's, in [-1, 1]
    cost_per_accepted_difference_usd: Estimate | None = None
    cost_per_accepted_ratio: Estimate | None = None  # over the baseline's


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Arms over the cases that every one of them has."""

    baseline: str
    cases: int
    left_out: int  # cases that some arm has and another lacks
    level: float
    arms: tuple[ArmResult, ...]  # in the order they were given


def compare_arms(
    arms: Mapping[str, Sequence[ArmCase]], baseline: str, *, level: float = 0.95
) -> Comparison:
    """Compare arms on the cases they share, each with the baseline.

    Raises: UsageError where the baseline is no arm or an arm has a case twice.
    """
    if baseline not in arms:
        raise UsageError(
            f"the baseline '{baseline}' is not an arm", next=f"use one of {', '.join(arms)}"
        )
    by_case = {arm: _by_case(arm, cases) for arm, cases in arms.items()}
    shared = sorted(set.intersection(*(set(cases) for cases in by_case.values())))
    every = set().union(*by_case.values())
    paired = {arm: [cases[case_id] for case_id in shared] for arm, cases in by_case.items()}
    return Comparison(
        baseline=baseline,
        cases=len(shared),
        left_out=len(every) - len(shared),
        level=level,
        arms=tuple(
            _result(arm, cases, None if arm == baseline else paired[baseline], level)
            for arm, cases in paired.items()
        ),
    )


def _by_case(arm: str, cases: Sequence[ArmCase]) -> dict[str, ArmCase]:
    found = {case.case_id: case for case in cases}
    if len(found) < len(cases):
        raise UsageError(f"arm '{arm}' has a case twice", why="a paired comparison needs one each")
    return found


def _result(
    arm: str, cases: Sequence[ArmCase], baseline: Sequence[ArmCase] | None, level: float
) -> ArmResult:
    costs, accepted = [case.cost_usd for case in cases], [case.accepted for case in cases]
    alone = ArmResult(
        arm=arm,
        accepted=wilson(sum(accepted), len(cases), level=level),
        escalated=wilson(sum(case.escalated for case in cases), len(cases), level=level),
        cost_usd=sum(costs),
        cost_per_accepted_usd=cost_per_accepted(costs, accepted, level=level),
    )
    if baseline is None:
        return alone
    base_accepted = [case.accepted for case in baseline]
    cost = paired_ratio_difference(
        [case.cost_usd for case in baseline], base_accepted, costs, accepted, level=level
    )
    return msgspec.structs.replace(
        alone,
        accepted_difference=paired_difference(base_accepted, accepted, level=level),
        cost_per_accepted_difference_usd=cost.difference,
        cost_per_accepted_ratio=cost.ratio,
    )
