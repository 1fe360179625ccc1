"""A decision in words: what was taken, why, out of what, and with which chance."""

from collections.abc import Iterator, Sequence

from pointsman.domain.learned import Learned
from pointsman.domain.money import usd
from pointsman.domain.plan import Candidate, Decision

_CALLS = 1_000_000  # costs of one call are too small to read


def taken(decision: Decision) -> str:
    """The steps that were to be tried, and what follows where all fail."""
    steps = [step.name for step in decision.plan.steps if step.role == "step"]
    others = [step.name for step in decision.plan.steps if step.role == "fallback"]
    words = " → ".join(steps) or "nobody may be asked"
    if others:
        words += f", should it fail {' → '.join(others)}"
    return words + (", held until its gate decides" if decision.plan.held else "")


def chance(decision: Decision) -> str:
    """How probable the choice was."""
    if decision.learned is None:
        return "the only choice"
    if decision.propensity >= 1.0:
        return "certain: nothing was explored"
    how = "explored" if decision.explored else "not explored"
    return f"{decision.propensity:.4g}, {how} (the draw was {decision.draw:.4g})"


def remarks(decision: Decision) -> Iterator[tuple[str, str]]:
    """What else it read, each under a word."""
    learned = decision.learned
    for each in decision.unwell:
        yield "unwell", f"{each.deployment}: {each.state}, back in {each.back_in_ms / 1000:g} s"
    if learned is None:
        return
    yield "router", learned.router or "none: outcomes alone"
    if learned.ground:
        yield ("certified" if learned.certified else "floor"), learned.ground
    if learned.value_usd_picos is not None:
        yield "value", f"${usd(round(learned.value_usd_picos)):.3g} an accepted answer"
    yield "exploring", _exploring(learned)
    if learned.stay is not None:
        saved = usd(learned.stay.prefix_usd_picos)
        yield "session", f"was with {' → '.join(learned.stay.plan)}, whose cache saves ${saved:.3g}"
    if learned.shifted:
        yield "shifted", f"acceptance changed of late: {', '.join(learned.shifted)}"


BELIEFS = ("arm", "accepted", "95 %", "outcomes", "$ per M calls", "gate lets through")
CANDIDATES = ("plan", "chance", "accepted", "$ per M calls", "with waiting")


def beliefs(learned: Learned) -> list[tuple[str, ...]]:
    """A row an arm: what was expected of it."""
    return [
        (
            each.arm,
            f"{100 * each.accepted:.1f} %",
            f"{100 * each.low:.0f} to {100 * each.high:.0f} %",
            f"{each.n:.0f}",
            _dollars(each.cost_usd_picos),
            f"{100 * each.passes_right:.0f} % of good, {100 * each.passes_wrong:.0f} % of bad",
        )
        for each in learned.beliefs
    ]


def candidates(weighed: Sequence[Candidate]) -> list[tuple[str, ...]]:
    """A row a plan that was weighed, the ones that could be taken first."""
    return [
        (
            each.name,
            f"{each.propensity:.4g}" if each.propensity else "-",
            "-" if each.accepted is None else f"{100 * each.accepted:.1f} %",
            _dollars(each.expected_cost_usd_picos),
            _dollars(each.total_usd_picos),
        )
        for each in weighed
    ]


def _exploring(learned: Learned) -> str:
    if learned.spent:
        return "not now: the day's money for it is spent"
    if learned.stay is not None:
        return "not within a conversation"
    return f"{100 * learned.share:g} % of requests" if learned.share else "no"


def _dollars(picos: int | None) -> str:
    return "-" if picos is None else f"{usd(picos) * _CALLS:.4g}"
