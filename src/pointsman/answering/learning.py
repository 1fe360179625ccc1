"""Learned routes while serving: what is believed of each arm, and what outcomes teach of it.

Beliefs start from a router's file, where the route has one, and are moved by what came of the
answers: outcomes, verifiers, gates. What is known lies in this process; the journal holds it all.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from pointsman.analytics.acceptance import AcceptanceJudge, OutcomeRow
from pointsman.answering.asked import Asked
from pointsman.answering.certified import Grounds, Revoked
from pointsman.answering.routers import FittedRouter
from pointsman.domain.estimates import ArmEstimate
from pointsman.domain.learned import Belief, Learned, Learning, Stay
from pointsman.domain.messages import Features
from pointsman.domain.money import PICOS_PER_USD
from pointsman.domain.plan import Decision
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Attempt, End, OutcomeRecord
from pointsman.domain.task import AcceptanceRule, Configuration, Route, Task
from pointsman.routing.certificate import Ground
from pointsman.routing.evidence import (
    PRIOR,
    Evidence,
    after_call,
    after_gate,
    after_outcome,
    believe,
    corrected,
)
from pointsman.routing.features import text_of
from pointsman.routing.sessions import Place, Sessions, prefix_usd_picos, session_key

_V = TypeVar("_V")
_NO_TASK: Final = ""  # of requests that named a route and no task
_MOST_WAITING: Final = 100_000  # traces whose outcome may still come
_MOST_OUTCOMES: Final = 16  # of one trace that are looked at together
_LOOKED_AT: Final = 4  # of the oldest traces, whether their time for an outcome is over
_OUTPUT_TOKENS: Final = 256  # of an answer, where nobody knows better: it prices an unknown arm
_DAY_US: Final = 86_400_000_000
_SHIFT_TOLD: Final = 200.0  # outcomes for which decisions name a shift


class Expected(NamedTuple):
    """What was expected of an arm, before and after outcomes had moved it."""

    accepted_base: float
    accepted: float
    cost_base: float


class Thought(NamedTuple):
    """What one request's decision was taken on, until it ends."""

    learned: Learned
    expected: Mapping[str, Expected]  # by arm
    certificate: str | None  # whose rule it follows
    session: tuple[str, str, str] | None  # tenant, target and conversation


class _Waiting(msgspec.Struct, kw_only=True):
    """A delivered answer whose outcome may still come."""

    task: str
    arm: str
    at_us: int
    memory: int
    expected: Expected
    told: bool  # it had passed a gate
    watched: tuple[str, str] | None = None  # route and certificate whose rule chose it
    outcomes: tuple[OutcomeRow, ...] = ()
    counted: bool | None = None  # how it was counted; None: not yet


class Learner:
    """Beliefs, conversations and exploring money of one process."""

    def __init__(self, *, revoked: Revoked = lambda route, certificate: None) -> None:
        """Args: revoked is told of every certificate that later outcomes refute."""
        self.evidence = Evidence()
        self._grounds = Grounds(revoked)
        self._sessions = Sessions()
        self._deployments: Mapping[str, Deployment] = {}
        self._routes: Mapping[str, Route] = {}
        self._tasks: Mapping[str, Task] = {}
        self._judges: dict[str, AcceptanceJudge] = {}
        self._routers: Mapping[str, FittedRouter] = {}
        self._thoughts: OrderedDict[str, Thought] = OrderedDict()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._lived: OrderedDict[str, None] = OrderedDict()  # traces that were counted
        self._spent: tuple[int, dict[str, float]] = (0, {})  # day, pico-dollars by route

    def change(self, config: Configuration, routers: Mapping[str, FittedRouter]) -> None:
        """From now on by this configuration; what is known stays.

        Args: routers by route, of those that have a file.
        """
        self._deployments = config.deployments
        self._routes = {n: route for n, route in config.routes.items() if route.learn is not None}
        self._tasks = config.tasks
        self._judges = {}
        if self._routes:  # any task may be asked by any of them, and each of them without a task
            rules = {_NO_TASK: AcceptanceRule()}
            rules |= {name: task.acceptance for name, task in config.tasks.items()}
            self._judges = {name: AcceptanceJudge(rule) for name, rule in rules.items()}
        self._routers = routers
        self._grounds.change(config, routers)

    @property
    def routes(self) -> Collection[str]:
        """The routes that learn."""
        return self._routes.keys()

    @property
    def learns(self) -> bool:
        """Whether any route of the configuration does."""
        return bool(self._routes)

    def think(self, asked: Asked, features: Features, *, now_us: int) -> Thought:
        """What a decision of a learned route reads. Nothing is changed."""
        route = asked.target.route.route
        assert route.learn is not None, "asked of learned routes only"
        task = features.task or _NO_TASK
        ground = self._ground(route, asked.target.task)
        if ground is not None and ground.certificate is not None:
            return self._certified(route, task, asked, ground, now_us=now_us)
        known = self._estimates(route, task, asked)
        beliefs, shifted = [], []
        for arm in route.steps:
            estimate = known.get(route.learn.names.get(arm, arm))
            cell = self.evidence.cell(task, arm)
            belief = believe(
                arm,
                cell,
                base=None if estimate is None else estimate.accepted,
                base_n=0.0 if estimate is None else estimate.n,
                base_cost=None if estimate is None else estimate.cost_usd_picos,
                cost_else=self._price(route.deployment_of(arm), features),
            )
            beliefs.append(belief)
            if cell.shifts and cell.since < _SHIFT_TOLD:
                shifted.append(arm)
        key, stay = self._stay(asked, route.learn, now_s=now_us / 1e6)
        spent = self._is_spent(route, now_us)
        router = self._routers.get(route.name)
        learned = Learned(
            beliefs=tuple(beliefs),
            router=router.digest[:12] if router is not None else None,
            ground=ground.reason if ground is not None else "",
            share=0.0 if spent else route.learn.explore.share,
            spent=spent,
            stay=stay,
            shifted=tuple(shifted),
        )
        return Thought(learned, _expected(beliefs), None, key)

    def _ground(self, route: Route, task: Task | None) -> Ground | None:
        """What a floor stands on; None where the objective is no floor, or wants no proof."""
        objective = task.objective if task is not None else None
        objective = objective or (route.learn.objective if route.learn is not None else None)
        if objective is None or not (objective.has_floor and objective.certified):
            return None
        return self._grounds.ground(route, task.name if task is not None else None, objective)

    def _certified(
        self, route: Route, task: str, asked: Asked, ground: Ground, *, now_us: int
    ) -> Thought:
        """By the router's own estimates, as they were when the floor was proven of its rule."""
        router, learn, proven = self._routers[route.name], route.learn, ground.certificate
        assert learn is not None, "only routes that learn are certified"
        assert proven is not None, "asked where a certificate holds"
        known = {each.arm: each for each in router.estimate(text_of(asked.request), task)}
        strong = known[proven.reference]
        beliefs, moved = [], []
        for arm in route.steps:
            each = known.get(learn.names.get(arm, arm))
            if each is None:
                continue  # the proof is of a rule that does not know this arm
            cost, cell = each.cost_usd_picos, self.evidence.cell(task, arm)
            worth = proven.worth(each.accepted, None if each is strong else strong.accepted)
            beliefs.append(
                Belief(arm=arm, accepted=each.accepted, low=each.low, high=each.high, n=each.n,
                       cost_usd_picos=cost, base=each.accepted, base_cost_usd_picos=cost,
                       worth=worth)
            )  # fmt: skip
            moved.append(believe(arm, cell, base=each.accepted, base_cost=cost))
        key, stay = self._stay(asked, learn, now_s=now_us / 1e6)
        spent = self._is_spent(route, now_us)
        learned = Learned(
            beliefs=tuple(beliefs),
            router=router.digest[:12],
            value_usd_picos=proven.value_usd * PICOS_PER_USD,
            certified=True,
            ground=ground.reason,
            share=0.0 if spent else learn.explore.share,
            spent=spent,
            stay=stay,
        )
        return Thought(learned, _expected(moved), proven.id, key)

    def decided(self, trace: str, thought: Thought, decision: Decision, *, now_us: int) -> None:
        """A decision was taken on it; what it explores is charged to the day."""
        if decision.learned is None:
            return  # a rule said so
        _put(self._thoughts, trace, thought)
        if decision.explored:
            best, *others = decision.candidates
            steps = tuple(step.name for step in decision.plan.steps if step.role == "step")
            taken = next((each for each in others if each.steps == steps), best)
            more = (taken.expected_cost_usd_picos or 0) - (best.expected_cost_usd_picos or 0)
            self._spend(decision.route, float(max(0, more)), now_us)

    def ended(self, admission: Admission, end: End, verified: str | None) -> None:
        """A request ended: its calls and gates count now, its answer once an outcome comes."""
        thought = self._thoughts.pop(admission.trace, None)
        _put(self._lived, admission.trace, None)
        route = self._routes.get(admission.decision.route)
        if thought is None or route is None or route.learn is None:
            return
        task, memory = admission.task or _NO_TASK, route.learn.memory_outcomes
        for attempt in end.attempts:
            self._attempted(task, attempt, thought, memory)
        self._expire(end.at_us)
        if end.delivered is None:
            return
        attempt = end.attempts[end.delivered]
        arm = attempt.arm or attempt.deployment
        self._place(thought, admission, attempt, arm, end.at_us)
        first = all(each.step == attempt.step for each in end.attempts if each.failure is None)
        passed = attempt.gate is not None and attempt.gate.verdict == "accept"
        if not first or (attempt.gate is not None and not passed) or arm not in thought.expected:
            return  # harder than the rest, or counted as refused already
        by_rule = thought.certificate is not None and not admission.decision.explored
        waiting = _Waiting(
            task=task, arm=arm, at_us=admission.at_us, memory=memory,
            expected=thought.expected[arm], told=passed,
            watched=(route.name, thought.certificate or "") if by_rule else None,
        )  # fmt: skip
        _put(self._waiting, admission.trace, waiting)
        if verified is not None:
            value = {"true": True, "false": False}.get(verified)
            self._heard(
                waiting,
                OutcomeRow(at_us=end.at_us, outcome="verified", value=value, source="verifier"),
                now_us=end.at_us,
            )

    def relive(self, admission: Admission, end: End) -> None:
        """A request that another process answered, or an earlier one; of its own it knows."""
        learned = admission.decision.learned
        if learned is None or admission.trace in self._lived:
            return
        thought = Thought(learned, _expected(learned.beliefs), None, None)
        _put(self._thoughts, admission.trace, thought)
        self.ended(admission, end, None)

    def told(self, fact: OutcomeRecord) -> None:
        """An outcome came; it counts where its trace was answered here and is still remembered."""
        waiting = self._waiting.get(fact.trace)
        if waiting is not None:
            row = OutcomeRow(
                at_us=fact.at_us, outcome=fact.outcome, value=fact.value, source=fact.source
            )
            self._heard(waiting, row, now_us=fact.at_us)

    def _heard(self, waiting: _Waiting, row: OutcomeRow, *, now_us: int) -> None:
        waiting.outcomes = (*waiting.outcomes, row)[-_MOST_OUTCOMES:]
        self._judge(waiting, now_us)

    def _judge(self, waiting: _Waiting, now_us: int) -> None:
        judge = self._judges.get(waiting.task)
        if judge is None:
            return
        said = judge.judge(waiting.outcomes, at_us=waiting.at_us, now_us=now_us)
        accepted = said == "accepted"
        if said == "unknown" or accepted == waiting.counted:
            return
        cell = self.evidence.cell(waiting.task, waiting.arm)
        if waiting.counted is None:
            cell = after_outcome(
                cell,
                accepted=accepted,
                base=waiting.expected.accepted_base,
                expected=waiting.expected.accepted,
                told=waiting.told,
                memory=waiting.memory,
            )
        else:
            cell = corrected(cell, accepted=accepted, told=waiting.told)
        self.evidence.put(waiting.task, waiting.arm, cell)
        if waiting.watched is not None and waiting.counted is None:
            route, certificate = waiting.watched
            self._grounds.heard(route, certificate, accepted=accepted, at_us=now_us)
        waiting.counted = accepted

    def _expire(self, now_us: int) -> None:
        """Of the oldest answers those whose time for an outcome is over count as the rule says."""
        for trace in [trace for trace, _ in zip(self._waiting, range(_LOOKED_AT), strict=False)]:
            waiting = self._waiting[trace]
            task = self._tasks.get(waiting.task)
            window_us = (task.acceptance.within_h if task is not None else 0.0) * 3.6e9
            if now_us > waiting.at_us + window_us:
                self._judge(waiting, now_us)
                del self._waiting[trace]

    def _attempted(self, task: str, attempt: Attempt, thought: Thought, memory: int) -> None:
        """A call was paid, and perhaps refused by its gate: then nobody will say more of it."""
        arm = attempt.arm or attempt.deployment
        expected = thought.expected.get(arm)
        if expected is None or attempt.failure is not None:
            return
        cell = self.evidence.cell(task, arm)
        cell = after_call(cell, cost=attempt.cost_usd_picos, base=expected.cost_base, memory=memory)
        if attempt.gate is not None and attempt.step == 0:
            passed = attempt.gate.verdict == "accept"
            cell = after_gate(cell, passed=passed, memory=memory)
            if not passed:
                cell = after_outcome(
                    cell,
                    accepted=False,
                    base=expected.accepted_base,
                    expected=expected.accepted,
                    told=False,
                    memory=memory,
                )
        self.evidence.put(task, arm, cell)

    def _estimates(self, route: Route, task: str, asked: Asked) -> Mapping[str, ArmEstimate]:
        router = self._routers.get(route.name)
        if router is None:
            return {}
        return {each.arm: each for each in router.estimate(text_of(asked.request), task)}

    def _price(self, deployment: str, features: Features) -> float:
        """What a call may cost, from its price alone."""
        price = self._deployments[deployment].price
        if price is None:
            return 0.0
        output = min(features.max_tokens or _OUTPUT_TOKENS, _OUTPUT_TOKENS)
        read = features.prompt_tokens_estimate * price.input_usd_picos
        return float(read + output * price.output_usd_picos)

    # Conversations

    def _stay(
        self, asked: Asked, learn: Learning, *, now_s: float
    ) -> tuple[tuple[str, str, str] | None, Stay | None]:
        if not learn.session.enabled:
            return None, None
        named = session_key(asked.request, session=asked.session)
        if named is None:
            return None, None
        key = (asked.tenant, asked.target.name, named)
        place = self._sessions.find(key, now_s=now_s, keep_s=learn.session.keep_s)
        if place is None:
            return key, None
        deployment = self._deployments.get(place.deployment)
        saved = prefix_usd_picos(place, deployment.price if deployment is not None else None)
        return key, Stay(plan=place.plan, prefix_usd_picos=saved)

    def _place(
        self, thought: Thought, admission: Admission, attempt: Attempt, arm: str, at_us: int
    ) -> None:
        if thought.session is None:
            return
        steps = admission.decision.plan.steps
        plan = tuple(step.name for step in steps if step.role == "step")
        usage = attempt.usage
        tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else 0
        if arm not in plan:  # it fell over: the conversation goes on where it was answered
            plan = (arm,)
        self._sessions.put(thought.session, Place(plan, attempt.deployment, tokens, at_us / 1e6))

    # Exploring money

    def _is_spent(self, route: Route, now_us: int) -> bool:
        bound = route.learn.explore.usd_per_day if route.learn is not None else None
        return bound is not None and self._spent_on(route.name, now_us) >= bound * PICOS_PER_USD

    def _spent_on(self, route: str, now_us: int) -> float:
        day, spent = self._spent
        return spent.get(route, 0.0) if day == now_us // _DAY_US else 0.0

    def _spend(self, route: str, picos: float, now_us: int) -> None:
        today = now_us // _DAY_US
        if self._spent[0] != today:
            self._spent = (today, {})
        self._spent[1][route] = self._spent[1].get(route, 0.0) + picos


def _expected(beliefs: Iterable[Belief]) -> dict[str, Expected]:
    return {
        each.arm: Expected(
            PRIOR if each.base is None else each.base,
            each.accepted,
            float(each.base_cost_usd_picos or 0),
        )
        for each in beliefs
    }


def _put(table: OrderedDict[str, _V], trace: str, value: _V) -> None:
    table[trace] = value
    if len(table) > _MOST_WAITING:
        table.popitem(last=False)
