"""What is behind the cost of an accepted output: the parts that add up to it."""

import msgspec

from pointsman.analytics.tallies import Tally
from pointsman.domain.money import usd
from pointsman.stats.estimate import Estimate


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the cost of an accepted output, in dollars."""

    name: str
    what: str
    usd_per_accepted: float | None  # None: nothing was accepted
    share: float | None  # of the whole
    usd: float  # in all


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of an accepted output and its parts, in order; they add up to `all_in_usd`.

    `cost_per_accepted_usd` is what the requests cost, with its interval; judging answers and
    people's looks come on top.
    """

    accepted: int
    cost_per_accepted_usd: Estimate
    all_in_usd: float | None
    parts: tuple[Part, ...]


def waterfall(tally: Tally, *, usd_per_look: float = 0.0, level: float = 0.95) -> Waterfall:
    """Of requests whose fate is known, and of cancelled ones, as the cost per accepted is.

    Args: a tally of rows of the part `by`; usd_per_look is what one look of a person costs.
    """
    costs, accepted = tally.costs, tally.accepted
    spent = (
        ("answers", "attempts whose answer was accepted", usd(costs.accepted)),
        ("not accepted", "attempts whose answer went out and was not", usd(costs.unaccepted)),
        ("steps", "answers that a gate or policy kept from going out", usd(costs.steps)),
        ("retries", "attempts that failed or broke off", usd(costs.retries)),
        ("verification", "judges of answers, beside the requests", usd(costs.verification)),
        ("review", "people's reviews and labels", costs.looks * usd_per_look),
    )
    total = sum(dollars for _, _, dollars in spent)
    return Waterfall(
        accepted=accepted,
        cost_per_accepted_usd=tally.moments.estimate(level=level),
        all_in_usd=total / accepted if accepted else None,
        parts=tuple(
            Part(
                name=name,
                what=what,
                usd_per_accepted=dollars / accepted if accepted else None,
                share=dollars / total if total else None,
                usd=dollars,
            )
            for name, what, dollars in spent
        ),
    )
