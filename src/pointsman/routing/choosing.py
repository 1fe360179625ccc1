"""The plan of a route that learns: from what is believed of its arms to steps, and why; pure.

Rules were asked before. Here one optimisation weighs single calls and cascades, a conversation
stays where it is unless leaving gains more than it loses, and a stated share explores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pointsman.domain.learned import Belief, Learned, Learning, Objective, Stay
from pointsman.domain.messages import Features
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.plan import ArmState, Candidate
from pointsman.domain.task import Route
from pointsman.routing import optimising
from pointsman.routing.exploring import propensities, take
from pointsman.routing.optimising import GateQuality, Option, Weighed

_MORE_TOLD: Final = 2  # candidates in a record, beside those that could be taken
_OFF: Final = ("off", "none")
_MS_PER_S: Final = 1000


class Chosen(NamedTuple):
    """Steps to take in order, with everything that the decision's record tells of the choice."""

    steps: tuple[str, ...]
    reason: str
    propensity: float
    explored: bool
    candidates: tuple[Candidate, ...]
    expected: Candidate  # of the steps that are taken


def choose(
    route: Route,
    names: Sequence[str],
    learned: Learned,
    objective: Objective,
    *,
    gated: bool,
    features: Features,
    state: Mapping[str, ArmState],
    draw: float,
) -> Chosen:
    """The steps for one request.

    The strong arm answers alone where a floor has no certificate, or too little is known of it;
    of the others only those with enough outcomes are weighed. Whichever way, a share of requests
    explores the arms that would not be asked.

    Args: names are the route's steps that may be asked now, the strong arm last; gated where a
        gate may stand between two of them.
    """
    assert route.learn is not None, "only a route that learns chooses"
    arms = _fitting(route, names, features)
    beliefs = {each.arm: each for each in learned.beliefs if each.arm in arms}
    strong = beliefs.get(arms[-1])
    certified = objective.has_floor and learned.certified
    if certified:  # proven of one call by the router's estimates, and of nothing else
        gated = False
    held = features.stream and gated
    usd_per_s = objective.latency_usd_per_s + (route.hold_usd_per_s if held else 0.0)
    scales = _Scales(
        beliefs=beliefs,
        state=state,
        aim=_aim(
            objective,
            learned,
            strong,
            0.0 if certified else usd_per_s * PICOS_PER_USD / _MS_PER_S,
        ),
        gated=gated,
        held=held,
    )
    why = _why_strong(route.learn, objective, learned, strong)
    least = 0 if certified else route.learn.least_outcomes
    weighed = scales.weighed(arms[-1], least)
    best, reason = ((arms[-1],), why) if why else _best(weighed, scales, objective, learned)
    stay = None if why else learned.stay
    if certified and stay is not None and stay.plan != (arms[-1],):
        stay = None  # only the strong arm keeps every floor
    if stay is not None:
        best, reason = _stay_or_leave(best, stay, scales, route, reason)
    others = [] if stay is not None else _to_explore(arms, beliefs, gated=gated)
    chances = propensities(best, others, learned.share)
    taken = take(chances, draw)
    if taken.explored:
        reason = f"explores {_name(taken.plan)}; best is {reason}"
    elif learned.spent and others:
        reason += "; the day's money for exploring is spent"
    told = _candidates(weighed, chances, scales)
    expected = next(each for each in told if each.steps == taken.plan)
    return Chosen(taken.plan, reason, taken.propensity, taken.explored, told, expected)


@dataclass(frozen=True, slots=True)
class _Scales:
    """What one request's plans are weighed with."""

    beliefs: Mapping[str, Belief]
    state: Mapping[str, ArmState]
    aim: optimising.Objective
    gated: bool
    held: bool  # a stream, of which the first token is waited for

    def weighed(self, strong: str, least: int) -> Mapping[tuple[str, ...], Weighed]:
        """Every plan over the arms that enough is known of, the best by the objective first."""
        known = [
            self._option(each)
            for each in self.beliefs.values()
            if each.arm == strong or each.n >= least
        ]
        optimum = optimising.optimise(known, self.aim) if known else None
        return {} if optimum is None else {plan.arms: plan for plan in optimum.weighed}

    def weigh(self, plan: tuple[str, ...]) -> Weighed | None:
        """One plan, whether it is worth anything or not; None where too little is believed."""
        if not all(name in self.beliefs for name in plan):
            return None
        parts = [self._option(self.beliefs[name]) for name in plan]
        return optimising.weigh(parts, self.aim.wait_usd_picos_per_ms)

    def accepted(self, plan: Weighed) -> float:
        """The chance that what it delivers is accepted, whatever a certified rule counts for it."""
        only = self.beliefs[plan.arms[0]]
        return plan.accepted if only.worth is None else only.accepted

    def worth(self, plan: Weighed) -> float:
        """In pico-dollars; without a value of an accepted answer it is what the plan costs."""
        return (self.aim.value_usd_picos or 0.0) * plan.accepted - plan.price_usd_picos

    def _option(self, belief: Belief) -> Option:
        known = self.state.get(belief.arm)
        total_ms = (known.total_ms if known is not None else None) or 0.0
        first_ms = (known.first_token_ms if known is not None else None) or 0.0
        wait_ms = min(first_ms, total_ms) if self.held else total_ms
        gate = None
        if self.gated:
            gate = GateQuality(belief.passes_right, belief.passes_wrong, wait_ms=total_ms - wait_ms)
        counted = belief.accepted if belief.worth is None else belief.worth
        return Option(belief.arm, counted, belief.cost_usd_picos, wait_ms, gate)


def _fitting(route: Route, names: Sequence[str], features: Features) -> list[str]:
    """The arms whose mode does not contradict what the client asked for; all, where none fits."""
    if features.thinking is None or not route.arms:
        return list(names)
    off = features.thinking in _OFF

    def fits(name: str) -> bool:
        arm = route.arms.get(name)
        return arm is None or arm.thinking is None or (arm.thinking in _OFF) == off

    return [name for name in names if fits(name)] or list(names)


def _aim(
    objective: Objective, learned: Learned, strong: Belief | None, usd_picos_per_ms: float
) -> optimising.Objective:
    """A value where there is one, the certified point's among them; else the floor itself."""
    value: float | None = learned.value_usd_picos
    floor = None
    if objective.value_usd is not None:
        value = objective.value_usd * PICOS_PER_USD
    elif value is None:
        floor = objective.acceptance
        if objective.quality is not None:
            floor = objective.quality * (strong.accepted if strong is not None else 1.0)
    return optimising.Objective(
        floor=floor, value_usd_picos=value, wait_usd_picos_per_ms=usd_picos_per_ms
    )


def _why_strong(
    learn: Learning, objective: Objective, learned: Learned, strong: Belief | None
) -> str:
    """Why the strong arm answers alone; empty where there is a choice."""
    if objective.has_floor and objective.certified and not learned.certified:
        return f"the strong arm: {learned.ground or 'no certificate was made'}"
    if learned.certified and objective.has_floor:
        return ""
    if strong is None or strong.n < learn.least_outcomes:
        known = 0.0 if strong is None else strong.n
        return f"the strong arm: {known:.0f} of {learn.least_outcomes} outcomes known of it"
    return ""


def _best(
    weighed: Mapping[tuple[str, ...], Weighed],
    scales: _Scales,
    objective: Objective,
    learned: Learned,
) -> tuple[tuple[str, ...], str]:
    plan = next(iter(weighed.values()))
    why = "worth most"
    if objective.value_usd is None:
        why += " at the certified point"
        if learned.value_usd_picos is None:
            why = "the cheapest that keeps the floor by the estimates, or the nearest to it"
    return (
        plan.arms,
        f"{_name(plan.arms)}: {why}, {100 * scales.accepted(plan):.0f} % to be accepted",
    )


def _stay_or_leave(
    best: tuple[str, ...], stay: Stay, scales: _Scales, route: Route, reason: str
) -> tuple[tuple[str, ...], str]:
    """The plan a conversation has, unless another is better by more than leaving costs."""
    assert route.learn is not None, "only a route that learns has conversations"
    if stay.plan == best:
        return best, f"the conversation stays with {reason}"
    now, other = scales.weigh(stay.plan), scales.weigh(best)
    if now is None or other is None:
        return best, f"the conversation moves, where it was may not be asked now: {reason}"
    floor = scales.aim.floor
    if floor is not None and now.accepted < floor <= other.accepted:
        return best, f"the conversation moves, where it was is under the floor: {reason}"
    cost = route.learn.session.switch_usd * PICOS_PER_USD
    if route.deployment_of(stay.plan[0]) != route.deployment_of(best[0]):
        cost += stay.prefix_usd_picos
    gain = scales.worth(other) - scales.worth(now)
    words = f"gain ${gain / PICOS_PER_USD:.3g}, leaving costs ${cost / PICOS_PER_USD:.3g}"
    if gain <= cost:
        return stay.plan, f"the conversation stays with {_name(stay.plan)}: {words}"
    return best, f"the conversation moves: {words}; {reason}"


def _to_explore(
    arms: Sequence[str], beliefs: Mapping[str, Belief], *, gated: bool
) -> list[tuple[tuple[str, ...], float]]:
    """Each arm alone; behind a gate with the strong arm after it, so that a bad answer stays
    unseen."""
    found: list[tuple[tuple[str, ...], float]] = []
    strong = arms[-1]
    for arm in arms:
        belief = beliefs.get(arm)
        plan = (arm, strong) if gated and arm != strong else (arm,)
        found.append((plan, belief.n if belief is not None else 0.0))
    return found


def _candidates(
    weighed: Mapping[tuple[str, ...], Weighed],
    chances: Mapping[tuple[str, ...], float],
    scales: _Scales,
) -> tuple[Candidate, ...]:
    """Those that could be taken, with their propensity, then the best of the others."""
    told = [*chances, *(plan for plan in weighed if plan not in chances)]
    return tuple(
        _candidate(plan, weighed.get(plan) or scales.weigh(plan), chances.get(plan, 0.0), scales)
        for plan in told[: len(chances) + _MORE_TOLD]
    )


def _candidate(
    plan: tuple[str, ...], known: Weighed | None, chance: float, scales: _Scales
) -> Candidate:
    if known is None:
        return Candidate(name=_name(plan), steps=plan, propensity=chance)
    return Candidate(
        name=_name(plan),
        steps=plan,
        expected_cost_usd_picos=round(known.cost_usd_picos),
        expected_hold_ms=round(known.wait_ms),
        total_usd_picos=round(known.price_usd_picos),
        accepted=scales.accepted(known),
        propensity=chance,
    )


def _name(plan: tuple[str, ...]) -> str:
    return " → ".join(plan)
