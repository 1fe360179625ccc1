"""A plan: what to try, in order, and the gate after each try; and the decision behind it."""

from typing import Literal

import msgspec

from pointsman.domain.learned import Learned


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try. A `fallback` step runs only when everything before it failed."""

    deployment: str
    arm: str | None = None  # the deployment's mode, by its name; None: as the deployment is
    gate: str | None = None  # the acceptance expression of the gate; None: accept what comes
    checks: tuple[str, ...] = ()  # verifiers whose results the gate may read, by name
    role: Literal["step", "fallback"] = "step"

    @property
    def name(self) -> str:
        """The arm, where it has a mode; else the deployment."""
        return self.arm or self.deployment


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Steps in order, cheapest first, with what the planner expected of them."""

    steps: tuple[Step, ...]
    held: bool = False  # a stream is held back until its gate decides
    expected_cost_usd_picos: int | None = None
    expected_hold_ms: int | None = None  # expected added wait for the first token of a held stream
    hold_price_usd_picos: int | None = None  # that wait, priced at the route's `hold_usd_per_s`


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan that was weighed, and what it was expected to cost all in."""

    name: str
    steps: tuple[str, ...]
    expected_cost_usd_picos: int | None = None
    expected_hold_ms: int | None = None
    total_usd_picos: int | None = None
    accepted: float | None = None  # the chance that what it delivers is accepted
    propensity: float = 0.0  # with which it was to be taken, where the route learns


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The chosen plan, why, and how probable that choice was.

    With the same features, portfolio state, route and draw the planner gives the same decision.
    """

    plan: Plan
    route: str
    reason: str
    propensity: float = 1.0
    draw: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    state: tuple["ArmState", ...] = ()
    unwell: tuple["Unwell", ...] = ()  # of the deployments that the route has for this request
    learned: Learned | None = None  # what it read beside, where the route learns
    explored: bool = False  # taken to learn from, not because it is expected to serve best


class Unwell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment that was not simply called, when the decision was taken.

    `open`: its breaker leaves it alone. `half_open`: a few requests try whether it is back.
    `resting`: it asked to be left alone for a while (429 or 503 with Retry-After).
    """

    deployment: str
    state: Literal["open", "half_open", "resting"]
    admits: bool = False  # a request may go there all the same: there is room for a probe
    back_in_ms: int = 0  # until the next may
    last_resort: bool = True  # tried even so where nothing else is left


class ArmState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known of a deployment when the decision was taken (running means)."""

    deployment: str
    arm: str | None = None  # the mode it was in, by its name
    attempts: int = 0
    first_token_ms: float | None = None
    total_ms: float | None = None
    cost_usd_picos: float | None = None
    passed: float | None = None  # share of gated attempts that their gate accepted

    @property
    def name(self) -> str:
        """The arm, where it has a mode; else the deployment."""
        return self.arm or self.deployment
