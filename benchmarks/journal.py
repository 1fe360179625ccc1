"""What the journal costs: appends, bytes, sealing and queries. Run: python benchmarks/journal.py

Records are admissions and ends as a gateway writes them, two attempts in every fifth request.
Numbers are of the machine that is printed; the spread is over batches of 1,000 appends.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pointsman.analytics.daily import DAY_US, DayJudge, rule_digests
from pointsman.analytics.rolled import build_rolled_report
from pointsman.domain.ids import trace_id
from pointsman.domain.money import Usage
from pointsman.domain.plan import ArmState, Decision, Plan, Step
from pointsman.domain.ports import SubjectKey
from pointsman.domain.records import Admission, Attempt, BodyRef, End, Record
from pointsman.domain.task import Task
from pointsman.domain.verdict import CheckResult, GateResult
from pointsman.journal import (
    Cipher,
    JournalReader,
    JournalWriter,
    compact,
    roll_up,
    seal,
    verify,
)
from pointsman.journal.frames import encode_record
from pointsman.journal.layout import layout

BATCH = 1_000
DAYS, FIRST_US = 30, 20_000 * DAY_US
QUERIES = (
    ("counts", {}),
    ("requests", {"limit": 100}),
    ("requests", {"task": "task-3", "limit": 100}),
    ("attempts", {"limit": 100}),
    ("latency", {}),
    ("trace", {"trace": "?"}),
    ("find_by_response_id", {"response_id": "?"}),
)


def facts(requests: int, *, step_us: int = 2_000) -> Iterator[Record]:
    """An admission and an end per request, as the gateway's shell would append them."""
    plan = Plan(steps=(Step(deployment="local-8b", gate="verified"), Step(deployment="local-32b")))
    state = (
        ArmState(deployment="local-8b", attempts=812, first_token_ms=41.5, total_ms=390.2),
        ArmState(deployment="local-32b", attempts=97, first_token_ms=88.1, total_ms=1204.0),
    )
    gate = GateResult(
        verdict="accept", reason="verified", checks=(CheckResult(check="schema", status="clear"),)
    )
    for n in range(requests):
        at_us = FIRST_US + n * step_us
        trace = trace_id(at_us // 1000, n.to_bytes(10, "big"))
        task = f"task-{n % 7}"
        yield Admission(
            trace=trace,
            at_us=at_us,
            tenant="default",
            principal="key:web",
            surface="chat",
            asked="auto",
            task=task,
            prompt="support-reply@v3#0123456789ab",
            config="0123456789abcdef",
            decision=Decision(plan=plan, route="thrifty", reason="cheapest first", state=state),
            request=BodyRef(digest=f"{n:064x}", size=1_900, pack="0-0.pack", offset=n * 1_948),
        )
        tries = tuple(
            Attempt(
                step=step,
                deployment=f"local-{8 if step == 0 else 32}b",
                model="qwen3",
                first_token_ms=40 + n % 31,
                total_ms=300 + n % 211,
                usage=Usage(prompt_tokens=361, completion_tokens=90 + n % 41),
                cost_usd_picos=25_000_000 + n,
                finish_reason="stop",
                response_id=f"chatcmpl-{n:08x}{step}",
                gate=gate,
            )
            for step in range(2 if n % 5 == 0 else 1)
        )
        yield End(
            trace=trace,
            at_us=at_us + 400_000,
            status="delivered",
            http_status=200,
            attempts=tries,
            delivered=len(tries) - 1,
            cost_usd_picos=sum(one.cost_usd_picos for one in tries),
            first_byte_ms=350 + n % 211,
            total_ms=352 + n % 211,
            overhead_us=700 + n % 350,
            response=BodyRef(digest=f"{n:064x}", size=700, pack="0-0.pack", offset=n * 1_948),
        )


def measure_appends(root: Path, records: list[Record]) -> dict[str, float]:
    """Append everything with group fsync on; microseconds an append by batch."""
    batches: list[float] = []
    with JournalWriter(root) as writer:
        started = time.perf_counter()
        for at in range(0, len(records), BATCH):
            batch = records[at : at + BATCH]
            before = time.perf_counter()
            for record in batch:
                writer.append(record)
            batches.append((time.perf_counter() - before) / len(batch) * 1e6)
        elapsed = time.perf_counter() - started
    quantiles = statistics.quantiles(batches, n=20)
    return {
        "append_us_p50": statistics.median(batches),
        "append_us_p5": quantiles[0],
        "append_us_p95": quantiles[-1],
        "append_us_max_batch": max(batches),
        "appends_per_s": len(records) / elapsed,
    }


def measure_single_appends(root: Path, records: list[Record]) -> dict[str, float]:
    """What one append may cost the event loop: each timed alone, fsync running beside it."""
    times: list[float] = []
    with JournalWriter(root) as writer:
        for record in records:
            before = time.perf_counter()
            writer.append(record)
            times.append((time.perf_counter() - before) * 1e6)
    times.sort()
    return {f"one_append_us_p{p}": times[int(len(times) * p / 100)] for p in (50, 99)} | {
        "one_append_us_p99.9": times[int(len(times) * 0.999)],
        "one_append_us_max": times[-1],
    }


def measure_durable(root: Path, records: list[Record], *, rounds: int = 200) -> dict[str, float]:
    """How long `durability: power` waits: one append, then until it is on the disk."""

    async def go() -> list[float]:
        times = []
        with JournalWriter(root, durability="power") as writer:
            for record in records[:rounds]:
                before = time.perf_counter()
                writer.append(record)
                await writer.durable()
                times.append((time.perf_counter() - before) * 1e3)
        return sorted(times)

    times = asyncio.run(go())
    return {
        "durable_ms_p50": times[len(times) // 2],
        "durable_ms_p95": times[len(times) * 19 // 20],
    }


def measure_queries(root: Path, last: Record, where: str) -> dict[str, float]:
    """Each named query once cold (first of a reader, with its tail to load), then warm."""
    assert isinstance(last, End)
    known = {"trace": last.trace, "response_id": last.attempts[-1].response_id}
    found: dict[str, float] = {}
    with JournalReader(root) as reader:
        before = time.perf_counter()
        reader.query("counts")
        found[f"{where}_first_query_ms"] = (time.perf_counter() - before) * 1e3
        for name, params in QUERIES:
            given = {
                key: known.get(key) if value == "?" else value for key, value in params.items()
            }
            times = []
            for _ in range(5):
                before = time.perf_counter()
                reader.query(name, given)
                times.append((time.perf_counter() - before) * 1e3)
            label = name + ("_by_task" if "task" in params else "")
            found[f"{where}_{label}_ms"] = statistics.median(times)
    return found


def measure(requests: int, root: Path) -> dict[str, float]:
    """Everything, on a journal of 2 records a request."""
    records = list(facts(requests))
    sizes = [len(encode_record(record)) for record in records[:2_000]]
    found: dict[str, float] = {"records": len(records), "payload_bytes": statistics.mean(sizes)}
    found |= measure_appends(root / "many", records)
    found |= measure_single_appends(root / "single", records[:50_000])
    found |= measure_durable(root / "power", records)
    found |= measure_bodies(root / "bodies")
    where = layout(root / "many")
    raw = sum(path.stat().st_size for path in where.segments.iterdir())
    found["raw_bytes_per_record"] = raw / len(records)
    found |= measure_queries(root / "many", records[-1], "open")
    before = time.perf_counter()
    sealed = 0
    while (report := seal(root / "many")).state == "sealed":
        sealed += report.sealed_bytes
    found["seal_s"] = time.perf_counter() - before
    found["sealed_bytes_per_record"] = sealed / len(records)
    found |= measure_queries(root / "many", records[-1], "sealed")
    before = time.perf_counter()
    assert verify(root / "many").ok
    found["verify_s"] = time.perf_counter() - before
    return found


def measure_bodies(root: Path) -> dict[str, float]:
    """Keeping a body of 2 KB: under no key, under one, and encrypted under one."""
    key, body, found = SubjectKey(id="sk_1", secret=bytes(32)), os.urandom(2_000), {}
    for name, cipher, given in (
        ("salted", None, None), ("keyed", None, key), ("encrypted", Cipher(), key),
    ):  # fmt: skip
        with JournalWriter(root / name, cipher=cipher) as writer:
            before = time.perf_counter()
            for _ in range(20_000):
                writer.put_body(body, key=given, until_us=1)
            found[f"body_{name}_us"] = (time.perf_counter() - before) / 20_000 * 1e6
    return found


def measure_keeping(requests: int, root: Path) -> dict[str, float]:
    """A journal of 30 days as a keeper leaves it: sealed, compacted, summed up; then questions."""
    step_us = DAYS * DAY_US // requests
    started = time.perf_counter()
    last: Record | None = None
    with JournalWriter(root) as writer:
        for last in facts(requests, step_us=step_us):
            writer.append(last)
    found = {"kept_records": 2.0 * requests, "generate_s": time.perf_counter() - started}
    for name, job in (("kept_seal_s", seal_all), ("kept_compact_s", compact_all),
                      ("kept_roll_up_s", roll_all)):  # fmt: skip
        before = time.perf_counter()
        job(root)
        found[name] = time.perf_counter() - before
    span = {"tasks": {}, "since_us": FIRST_US, "until_us": FIRST_US + DAYS * DAY_US,
            "now_us": FIRST_US + 2 * DAYS * DAY_US}  # fmt: skip
    day = {"since_us": FIRST_US + 9 * DAY_US, "until_us": FIRST_US + 10 * DAY_US}
    assert isinstance(last, End)
    questions: dict[str, Callable[[JournalReader], object]] = {
        "report_of_30_days_fast": lambda reader: build_rolled_report(reader, **span),
        "sums_of_30_days": lambda reader: reader.query("rollups"),
        "counts": lambda reader: reader.query("counts"),
        "latest_100": lambda reader: reader.query("requests", {"limit": 100}),
        # over more than some days exact quantiles outgrow 1 GB; the fast report is for that
        "latency_of_a_day": lambda reader: reader.query("latency", day),
        "trace": lambda reader: reader.query("trace", {"trace": last.trace}),
    }
    for name, ask in questions.items():
        with JournalReader(root, memory_mb=1024) as reader:
            times = []
            for _ in range(4):
                before = time.perf_counter()
                ask(reader)
                times.append((time.perf_counter() - before) * 1e3)
        found[f"{name}_cold_ms"], found[f"{name}_warm_ms"] = times[0], statistics.median(times[1:])
    return found


def seal_all(root: Path) -> None:
    while seal(root, max_bytes=128 * 2**20).state == "sealed":
        pass


def compact_all(root: Path) -> None:
    while compact(root).state == "compacted":
        pass


def roll_all(root: Path, tasks: Mapping[str, Task] = MappingProxyType({})) -> None:
    judge, rules = DayJudge(tasks), rule_digests(tasks)
    today = FIRST_US // DAY_US + DAYS + 1
    while roll_up(root, judge=judge, rules=rules, today=today).state == "rolled up":
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500_000, help="two records each")
    parser.add_argument(
        "--records", type=int, help="instead: so many over 30 days, kept as a keeper does"
    )
    parser.add_argument("--directory", help="where to write (default: a temporary directory)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as root:
        found = (
            measure_keeping(options.records // 2, Path(root))
            if options.records
            else measure(options.requests, Path(root))
        )
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    if options.json:
        json.dump({"machine": machine, **found}, sys.stdout, indent=1)
        print()
        return
    print(f"journal · {machine}")
    for name, value in found.items():
        print(f"  {name:<34}{value:>16,.2f}")


if __name__ == "__main__":
    main()
