"""Whole days of requests with real ids, seeded: what roll-ups, compaction and retention act on."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from journal_facts import a_config, an_admission, an_attempt, an_end, an_outcome

from pointsman.domain.ids import outcome_id, trace_id
from pointsman.domain.records import Failure, Record
from pointsman.domain.verdict import GateResult, Screening

DAY_US = 86_400_000_000
FIRST_DAY = 20_000
STATUSES = ("delivered",) * 12 + ("failed", "refused", "cancelled", "cut")
OUTCOMES = ("accepted", "accepted", "rejected", "edited", "seen")


def a_trace(at_us: int, chance: random.Random) -> str:
    return trace_id(at_us // 1000, chance.randbytes(10))


def requests(
    chance: random.Random, *, day: int, count: int, within_h: float = 4.0
) -> Iterator[Record]:
    """Admissions, ends and outcomes of one day, in the order they would be appended."""
    for n in range(count):
        at_us = day * DAY_US + n * DAY_US // count
        trace = a_trace(at_us, chance)
        tenant = chance.choice(("acme", "default"))
        yield an_admission(
            trace,
            at_us=at_us,
            tenant=tenant,
            task=chance.choice(("support", "ticket", None)),
            route=chance.choice(("thrifty", "plain")),
            prompt=chance.choice((None, "p@v1", "p@v2")),
            config=chance.choice(("c1", "c2")),
            tags=chance.choice(({}, {"language": "de"}, {"language": "en", "plan": "pro"})),
            policy=chance.choice((None, Screening(policies=("safe@1", "kind@2")))),
        )
        if chance.random() < 0.97:
            yield _end(trace, at_us + 400_000, chance)
        for _ in range(chance.choice((0, 1, 1, 2))):
            late_us = at_us + round(chance.random() * within_h * 3_600_000_000)
            yield an_outcome(
                trace=trace,
                tenant=tenant,
                at_us=late_us,
                outcome=chance.choice(OUTCOMES),
                id=outcome_id(late_us // 1000, chance.randbytes(10)),
                key=f"k{chance.randrange(count)}" if chance.random() < 0.2 else None,
                source=chance.choice(("api", "judge:fair", "rater:ada")),
                cost_usd_picos=chance.choice((0, 0, chance.randrange(10**8))),
            )


def _end(trace: str, at_us: int, chance: random.Random) -> Record:
    status = chance.choice(STATUSES)
    attempts = tuple(_attempts(chance, delivered=status == "delivered"))
    return an_end(
        trace,
        at_us=at_us,
        status=status,
        attempts=attempts,
        delivered=len(attempts) - 1 if status == "delivered" else None,
        cost_usd_picos=sum(each.cost_usd_picos for each in attempts),
        total_ms=chance.randrange(2_000),
        first_byte_ms=chance.randrange(1, 900) if status == "delivered" else None,
        held_ms=chance.choice((None, 40)),
    )


def _attempts(chance: random.Random, *, delivered: bool) -> Iterator[Any]:
    for step in range(chance.choice((1, 2))):
        failed = not delivered and chance.random() < 0.8
        gate = GateResult(verdict=chance.choice(("accept", "escalate")), reason="r")
        yield an_attempt(
            ("small", "large")[step],
            step=step,
            cost_usd_picos=chance.randrange(10**9),
            failure=Failure(kind=chance.choice(("cut", "busy"))) if failed else None,
            gate=gate if step == 0 and chance.random() < 0.7 else None,
            policy=Screening(policies=("kind@2",)) if chance.random() < 0.3 else None,
            model=chance.choice(("m1", "m2", None)),
        )


def days(
    seed: int, *, count: int, requests_a_day: int = 60, within_h: float = 4.0
) -> Sequence[Record]:
    """So many days from FIRST_DAY on, after one configuration."""
    chance = random.Random(seed)
    facts: list[Record] = [a_config(at_us=FIRST_DAY * DAY_US)]
    for day in range(FIRST_DAY, FIRST_DAY + count):
        facts += requests(chance, day=day, count=requests_a_day, within_h=within_h)
    return facts
