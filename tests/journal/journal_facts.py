"""Small facts to build a journal from, and a few words to look at one."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision, Plan, Step
from pointsman.domain.records import (
    Admission,
    Attempt,
    BodyRef,
    ConfigRecord,
    End,
    OutcomeRecord,
    Record,
)
from pointsman.journal import JournalWriter, iter_records
from pointsman.journal.layout import layout

CHILD = Path(__file__).with_name("journal_child.py")


def an_admission(trace: str = "tr_1", *, at_us: int = 1_000, **given: Any) -> Admission:
    tenant, task = given.pop("tenant", "default"), given.pop("task", "support")
    route = given.pop("route", "thrifty")
    plan = Plan(steps=(Step(deployment="small", gate="verified"), Step(deployment="large")))
    return Admission(
        trace=trace,
        at_us=at_us,
        tenant=tenant,
        principal=given.pop("principal", "key:web"),
        surface="chat",
        asked=given.pop("asked", "auto"),
        task=task,
        decision=Decision(plan=plan, route=route, reason="cheapest first"),
        request=given.pop("request", BodyRef(digest="0" * 64, size=0)),
        **given,
    )


def an_attempt(deployment: str = "small", *, step: int = 0, **given: Any) -> Attempt:
    usage = given.pop("usage", Usage(prompt_tokens=100, completion_tokens=20))
    return Attempt(step=step, deployment=deployment, usage=usage, **given)


def an_end(trace: str = "tr_1", *, at_us: int = 2_000, **given: Any) -> End:
    return End(
        trace=trace,
        at_us=at_us,
        status=given.pop("status", "delivered"),
        http_status=given.pop("http_status", 200),
        **given,
    )


def an_outcome(n: int = 0, *, trace: str = "tr_1", **given: Any) -> OutcomeRecord:
    return OutcomeRecord(
        id=given.pop("id", f"oc_{n:06d}"),
        at_us=given.pop("at_us", 3_000 + n),
        trace=trace,
        outcome=given.pop("outcome", "accepted"),
        **given,
    )


def a_config(digest: str = "abc", *, at_us: int = 1) -> ConfigRecord:
    return ConfigRecord(at_us=at_us, digest=digest, version="0.1.0", text='{"server":{}}')


def write(root: Path, records: Iterable[Record], **settings: Any) -> None:
    """A whole life of one writer: these records, then a clean close."""
    with JournalWriter(root, **settings) as writer:
        for record in records:
            writer.append(record)


def abandon(writer: JournalWriter) -> None:
    """What a kill leaves: no closing mark, no lock. (Its thread ends too, to keep tests clean.)"""
    writer._sync.stop()
    writer._segment.close()
    if writer._pack is not None:
        writer._pack.close()
    writer._closed = True


def segments(root: Path) -> list[Path]:
    where = layout(root)
    return [where.segments / name for name in where.segment_names()]


def sealed_files(root: Path) -> list[Path]:
    return sorted(layout(root).sealed.glob("*.parquet"))


def read_ids(root: Path) -> list[str]:
    """Ids of the outcomes in a journal, in the order read."""
    return [record.id for record in iter_records(root) if isinstance(record, OutcomeRecord)]


def numbered(n: int, *, start: int = 0) -> Sequence[OutcomeRecord]:
    return [an_outcome(i) for i in range(start, start + n)]


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Change one bit of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHILD.parent)}
