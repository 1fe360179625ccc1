"""A judge at work: everything it is asked about one answer or one pair, to one verdict."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from pointsman.domain.evaluations import Answered
from pointsman.domain.judges import JudgeSpec
from pointsman.evals.judging.asking import TooLong, pairwise_request, rubric_request
from pointsman.evals.judging.combining import Verdict, of_orders_repeated, of_repeats
from pointsman.evals.judging.reading import Opinion, read_opinion

Ask = Callable[[Mapping[str, Any]], Awaitable[Answered]]


class Consulted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A verdict, and what it took."""

    verdict: Verdict
    cost_usd_picos: int = 0
    latency_ms: float = 0.0  # of all requests, one after another
    traces: tuple[str, ...] = ()  # of its requests


async def consult(
    spec: JudgeSpec, ask: Ask, *, asked: str, answer: str, reference: str | None = None
) -> Consulted:
    """The verdict on one answer. Raises nothing for what the judge does: that is unjudged."""
    bill = _Bill(ask, spec)
    try:
        opinions = [
            await bill.opinion(
                rubric_request(spec, asked=asked, answer=answer, reference=reference, repeat=repeat)
            )
            for repeat in range(spec.repeats)
        ]
    except TooLong as error:
        return Consulted(verdict=Verdict(why=str(error), asked=0, judged=0))
    return bill.close(of_repeats(spec, opinions))


async def consult_pair(
    spec: JudgeSpec,
    ask: Ask,
    *,
    asked: str,
    first: str,
    second: str,
    reference: str | None = None,
) -> Consulted:
    """The verdict on two answers, asked in both orders; 1: the first given is better."""
    bill = _Bill(ask, spec)
    found: list[list[Opinion]] = []
    try:
        for one, other in ((first, second), (second, first)):
            found.append(
                [
                    await bill.opinion(
                        pairwise_request(
                            spec, asked=asked, first=one, second=other, reference=reference,
                            repeat=repeat,
                        )
                    )
                    for repeat in range(spec.repeats)
                ]
            )  # fmt: skip
    except TooLong as error:
        return Consulted(verdict=Verdict(why=str(error), asked=0, judged=0))
    return bill.close(of_orders_repeated(*found))


class _Bill:
    """Asks, and adds up what it took."""

    def __init__(self, ask: Ask, spec: JudgeSpec) -> None:
        self._ask, self._spec = ask, spec
        self._cost, self._latency = 0, 0.0
        self._traces: list[str] = []

    async def opinion(self, request: Mapping[str, Any]) -> Opinion:
        answered = await self._ask(request)
        self._cost += answered.cost_usd_picos
        self._latency += answered.latency_ms
        if answered.trace is not None:
            self._traces.append(answered.trace)
        if answered.reply is None:
            kind = answered.failure.kind if answered.failure is not None else "no answer"
            return Opinion(why=f"the judge did not answer: {kind}")
        return read_opinion(self._spec, answered.reply)

    def close(self, verdict: Verdict) -> Consulted:
        return Consulted(verdict=verdict, cost_usd_picos=self._cost, latency_ms=self._latency,
                         traces=tuple(self._traces))  # fmt: skip
