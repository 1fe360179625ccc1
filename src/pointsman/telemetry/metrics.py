"""What a running gateway counts of its requests. `ended` is on the path of every request.

What a request adds to is found by one look at a table: its labels were settled before.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from pointsman.domain.errors import PointsmanError
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Attempt, End, OutcomeRecord
from pointsman.domain.verdict import Screening
from pointsman.telemetry import table
from pointsman.telemetry.registry import Buckets, Cell, Registry
from pointsman.telemetry.table import NONE, OTHER, Family
from pointsman.telemetry.text import text

_USUAL_OUTCOMES = frozenset({"accepted", "rejected", "edited", "verified"})


class Metrics:
    """What /metrics shows. Counting is for one thread at a time; reading is for any."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.in_flight = self.registry.counter(table.IN_FLIGHT)  # whoever answers adds, and takes
        self._overhead = self.registry.histogram(table.OVERHEAD_SECONDS)
        self._asked: dict[str, _Asked] = {}  # by task
        self._surfaces: dict[tuple[str, str], Cell] = {}  # by surface and status
        self._served: dict[tuple[str, str], _Served] = {}  # by deployment and surface
        self._errors: dict[str, Cell] = {}
        self._deployments: Mapping[str, Deployment] = {}
        self._outcomes = _USUAL_OUTCOMES
        for kind in _with_below(PointsmanError):
            self.registry.bounded("code", kind.code)  # engines' own words leave these a place

    def know(self, deployments: Mapping[str, Deployment], outcomes: Iterable[str]) -> None:
        """What is configured from now on: deployments, and kinds of outcomes that rules name."""
        self._deployments = deployments
        self._outcomes = _USUAL_OUTCOMES | frozenset(outcomes)
        self._served = {}  # a name may stand for another model now

    def ended(self, admission: Admission, end: End, verified: str | None = None) -> None:
        """Count one ended request and its attempts.

        Args: verified is what the task's checks say: `true`, `false`, `unjudged`.
        """
        task, surface, status = admission.task or NONE, admission.surface, end.status
        asked = self._asked.get(task)
        if asked is None:
            asked = self._new_asked(task)
        asked.ended(end)
        self._overhead.add(end.overhead_us)
        by_surface = self._surfaces.get((surface, status))
        if by_surface is None:
            by_surface = self._new_surface(surface, status)
        by_surface.value += 1
        if end.error is not None:
            self.told(end.error)
        for attempt in end.attempts:
            served = self._served.get((attempt.deployment, surface))
            if served is None:
                served = self._new_served(attempt.deployment, surface)
            served.ended(attempt, admission.stream)
        if len(end.attempts) > 1:
            for before, after in pairwise(end.attempts):
                if before.step == after.step:
                    self._of(table.RETRIES, after.deployment).value += 1
        if verified is not None:
            self.registry.counter(table.OUTCOMES, "verified", verified).value += 1
        if admission.policy is not None:
            self._policy("request", admission.policy)
        for attempt in end.attempts:
            if attempt.policy is not None:
                self._policy("answer", attempt.policy)

    def _policy(self, side: str, said: Screening) -> None:
        verdict = self.registry.bounded("policy_verdict", said.verdict)
        self.registry.counter(table.POLICY, side, verdict).value += 1

    def told(self, code: str) -> None:
        """A client was told an error of this code."""
        cell = self._errors.get(code)
        if cell is None:
            known = self.registry.bounded("code", code)
            cell = self.registry.counter(table.ERRORS, known)
            if known == code:
                self._errors[code] = cell
        cell.value += 1

    def waits(self, deployment: str, change: int) -> None:
        """So many more requests, or fewer, wait for a place on a deployment."""
        self._of(table.WAITING, deployment).value += change

    def breaker(self, deployment: str, before: str, now: str) -> None:
        """The breaker of a deployment went from one phase to another."""
        name = self.registry.bounded("deployment", deployment)
        for phase, change in ((before, -1), (now, 1)):
            if phase != "closed":
                self.registry.counter(table.BREAKERS, name, phase).value += change
        if now == "open":
            self._of(table.OPENINGS, deployment).value += 1

    def outcome(self, record: OutcomeRecord) -> None:
        """The product sent a fact about a trace."""
        kind = record.outcome if record.outcome in self._outcomes else OTHER
        value = record.value
        word = "true" if value is True else "false" if value is False else NONE
        self.registry.counter(table.OUTCOMES, kind, word).value += 1

    def exported(self, signal: str, fate: str, count: int) -> None:
        """So many requests, or batches of metrics, met this fate on their way to OTLP."""
        self.registry.counter(table.EXPORTS, signal, fate).value += count

    def _of(self, family: Family, deployment: str) -> Cell:
        return self.registry.counter(family, self.registry.bounded("deployment", deployment))

    def snapshot(self) -> bytes:
        """All counts, for `merge` in another process of the same version."""
        return self.registry.snapshot()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return text(self.registry)

    # Found once, then kept: only under labels that have a place of their own, so that what is
    # kept is bounded as they are.

    def _new_asked(self, task: str) -> "_Asked":
        known = self.registry.bounded("task", task)
        asked = self._asked.get(known)
        if asked is None:
            asked = self._asked[known] = _Asked(self.registry, known)
        return asked

    def _new_surface(self, surface: str, status: str) -> Cell:
        key = self.registry.bounded("surface", surface), self.registry.bounded("status", status)
        cell = self._surfaces.get(key)
        if cell is None:
            cell = self._surfaces[key] = self.registry.counter(table.SURFACE_REQUESTS, *key)
        return cell

    def _new_served(self, deployment: str, surface: str) -> "_Served":
        name = self.registry.bounded("deployment", deployment)
        key = name, self.registry.bounded("surface", surface)
        served = self._served.get(key)
        if served is None:
            operation = table.OPERATIONS.get(surface, OTHER)
            labels = (operation, *_whose(self._deployments.get(name)), name)
            served = self._served[key] = _Served(self.registry, name, labels)
        return served


class _Asked:
    """What requests of one task add to."""

    __slots__ = ("cost", "first_byte", "held", "registry", "seconds", "statuses", "task")

    def __init__(self, registry: Registry, task: str) -> None:
        self.registry = registry
        self.task = task
        self.statuses: dict[str, Cell] = {}
        self.seconds = registry.histogram(table.REQUEST_SECONDS, task)
        self.first_byte = registry.histogram(table.FIRST_BYTE, task)
        self.held: Buckets | None = None
        self.cost = registry.counter(table.TASK_COST, task)

    def ended(self, end: End) -> None:
        status = self.statuses.get(end.status)
        if status is None:
            word = self.registry.bounded("status", end.status)
            status = self.statuses[word] = self.registry.counter(table.REQUESTS, self.task, word)
        status.value += 1
        self.seconds.add(end.total_ms)
        if end.first_byte_ms is not None:
            self.first_byte.add(end.first_byte_ms)
        if end.held_ms is not None:
            if self.held is None:
                self.held = self.registry.histogram(table.HELD, self.task)
            self.held.add(end.held_ms)
        self.cost.value += end.cost_usd_picos


class _Served:
    """What attempts at one deployment, by one surface, add to."""

    __slots__ = (
        "cached", "completion", "cost", "finishes", "first_token", "input", "labels",
        "name", "output", "per_token", "prompt", "queued", "reasoning", "registry", "results",
        "verdicts",
    )  # fmt: skip

    def __init__(self, registry: Registry, name: str, labels: tuple[str, ...]) -> None:
        self.registry, self.name, self.labels = registry, name, labels
        self.results: dict[str, tuple[Cell, Buckets]] = {}
        self.queued: Buckets | None = None
        self.finishes: dict[str, Cell] = {}
        self.verdicts: dict[str, Cell] = {}
        self.prompt = registry.counter(table.TOKENS, name, "prompt")
        self.completion = registry.counter(table.TOKENS, name, "completion")
        self.cached = registry.counter(table.CACHED, name)
        self.reasoning = registry.counter(table.REASONING, name)
        self.cost = registry.counter(table.COST_USD, name)
        self.input = registry.histogram(table.TOKEN_USAGE, *labels, "input")
        self.output = registry.histogram(table.TOKEN_USAGE, *labels, "output")
        self.first_token = registry.histogram(table.FIRST_TOKEN, *labels)
        self.per_token = registry.histogram(table.PER_TOKEN, *labels)

    def ended(self, attempt: Attempt, stream: bool) -> None:
        failure, usage = attempt.failure, attempt.usage
        kind = NONE if failure is None else failure.kind
        result = self.results.get(kind)
        if result is None:
            result = self._new_result(kind)
        result[0].value += 1
        queued_ms = attempt.queued_ms
        result[1].add(max(0, attempt.total_ms - queued_ms))
        if queued_ms:
            if self.queued is None:
                self.queued = self.registry.histogram(table.QUEUED, self.name)
            self.queued.add(queued_ms)
        if usage is not None:
            prompt, completion = usage.prompt_tokens, usage.completion_tokens
            self.prompt.value += prompt
            self.completion.value += completion
            self.input.add(prompt)
            self.output.add(completion)
            if usage.cached_tokens:
                self.cached.value += usage.cached_tokens
            if usage.reasoning_tokens:
                self.reasoning.value += usage.reasoning_tokens
        self.cost.value += attempt.cost_usd_picos
        if failure is None:
            self._finished(attempt.finish_reason or NONE)
            first_ms = attempt.first_token_ms
            if stream and first_ms is not None:
                self.first_token.add(max(0, first_ms - queued_ms))
                if usage is not None and usage.completion_tokens > 1:
                    rest_us = max(0, attempt.total_ms - first_ms) * 1000
                    self.per_token.add(rest_us // (usage.completion_tokens - 1))
        gate = attempt.gate
        if gate is not None:
            self._counted(self.verdicts, table.VERDICTS, gate.verdict).value += 1

    def _finished(self, reason: str) -> None:
        known = self.finishes.get(reason)
        if known is None:
            known = self._counted(self.finishes, table.FINISHES, reason)
        known.value += 1

    def _counted(self, cells: dict[str, Cell], family: Family, word: str) -> Cell:
        cell = cells.get(word)
        if cell is None:  # some are an engine's own words: any number of them
            word = self.registry.bounded(family.labels[-1], word)
            cell = cells[word] = self.registry.counter(family, self.name, word)
        return cell

    def _new_result(self, kind: str) -> tuple[Cell, Buckets]:
        word = "answered" if kind == NONE else kind
        result = (
            self.registry.counter(table.ATTEMPTS_MADE, self.name, word),
            self.registry.histogram(table.DURATION, *self.labels, kind),
        )
        if self.registry.bounded(table.ERROR_TYPE, kind) == kind:
            self.results[kind] = result
        return result


def _with_below(kind: type[PointsmanError]) -> list[type[PointsmanError]]:
    return [kind, *(found for each in kind.__subclasses__() for found in _with_below(each))]


def _whose(deployment: Deployment | None) -> tuple[str, str]:
    """Provider and model of a deployment, as the conventions name them."""
    if deployment is None:
        return OTHER, OTHER
    return table.PROVIDERS.get(deployment.engine, deployment.engine), deployment.served_name


def combine(snapshots: Iterable[bytes]) -> bytes:
    """One snapshot with the sums of several, of processes that are gone: nothing is in flight."""
    return _sum(snapshots).snapshot(gauges=False)


def merge(snapshots: Iterable[bytes]) -> bytes:
    """The sums of several processes, in Prometheus' text format."""
    return text(_sum(snapshots))


def _sum(snapshots: Iterable[bytes]) -> Registry:
    whole = Metrics().registry
    for each in snapshots:
        whole.add(each)
    return whole
