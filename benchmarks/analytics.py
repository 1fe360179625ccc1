"""What questions to a large journal cost. Run: python benchmarks/analytics.py --records 10000000

A journal of 30 days as the keeper leaves it: sealed, compacted, summed up; two in three requests
have an outcome. Each question is asked by a reader that was just opened (cold), then three times
more (warm). Numbers are of the machine that is printed.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from journal import DAYS, FIRST_US, compact_all, facts, roll_all, seal_all
from pointsman.analytics.daily import DAY_US, Range
from pointsman.analytics.report import build_report
from pointsman.analytics.rolled import build_rolled_report
from pointsman.analytics.trend import build_trend
from pointsman.analytics.versions import compare_versions
from pointsman.domain.ids import outcome_id
from pointsman.domain.records import Admission, End, OutcomeRecord, Record
from pointsman.domain.task import DriftSettings, Task
from pointsman.journal import JournalReader, JournalWriter
from pointsman.keeping.drifting import alarms, watch

TASKS = {f"task-{n}": Task(name=f"task-{n}", route="thrifty") for n in range(7)}
END_US = FIRST_US + DAYS * DAY_US
LATER_US = END_US + 30 * DAY_US


def lived(requests: int) -> Iterator[Record]:
    """Admissions, ends and outcomes; two prompts at a time, one of two segments."""
    step_us = DAYS * DAY_US // requests
    n = 0
    for record in facts(requests, step_us=step_us):
        if isinstance(record, Admission):
            n += 1
            yield msgspec.structs.replace(
                record,
                prompt=f"support@v{1 + n % 2}#0123456789ab",
                tags={"language": "de" if n % 3 else "en"},
            )
            continue
        yield record
        assert isinstance(record, End)
        if n % 3:
            at_us = record.at_us + (n % 600) * 1_000_000
            yield OutcomeRecord(
                id=outcome_id(at_us // 1000, n.to_bytes(10, "big")), at_us=at_us,
                trace=record.trace, outcome="accepted" if n % 10 else "rejected",
            )  # fmt: skip


def measure(records: int, root: Path) -> dict[str, float]:
    """Everything, on so many records."""
    found: dict[str, float] = {}

    def timed(name: str, job: Callable[[], object]) -> None:
        before = time.perf_counter()
        job()
        found[name] = time.perf_counter() - before
        print(f"  {name} {found[name]:.1f}", file=sys.stderr)

    def write() -> None:
        with JournalWriter(root) as writer:
            count = 0
            for record in lived(records * 3 // 8):
                writer.append(record)
                count += 1
        found["records"] = count

    timed("generate_s", write)
    timed("seal_s", lambda: seal_all(root))
    timed("compact_s", lambda: compact_all(root))
    timed("roll_up_s", lambda: roll_all(root, TASKS))
    found |= questions(root)
    timed("first_drift_look_s", lambda: look(root, LATER_US - 30 * DAY_US))
    timed("next_drift_look_s", lambda: look(root, LATER_US - 30 * DAY_US))
    return found


def look(root: Path, now_us: int) -> None:
    for _ in watch(root, TASKS, DriftSettings(), now_us=now_us):
        pass


def questions(root: Path) -> dict[str, float]:
    """What pages and commands ask, cold and warm, milliseconds."""
    whole = Range(since_us=FIRST_US, until_us=END_US, now_us=LATER_US)
    span = {"tasks": TASKS, "since_us": FIRST_US, "until_us": END_US, "now_us": LATER_US}
    day = {"since_us": END_US - DAY_US, "until_us": END_US}
    hour = {**span, "since_us": END_US - DAY_US // 24}
    with JournalReader(root) as reader:
        last = reader.query("requests", {"limit": 1})[0]["trace"]
    asked: dict[str, Callable[[JournalReader], Any]] = {
        "report": lambda r: build_rolled_report(r, **span),
        "report_by_prompt": lambda r: build_rolled_report(r, group="prompt", **span),
        "trend_by_day": lambda r: build_trend(r, TASKS, whole),
        "trend_by_week_and_segment": lambda r: build_trend(
            r, TASKS, whole, period="week", group="segment"
        ),
        "trend_of_a_task": lambda r: build_trend(
            r, TASKS, msgspec.structs.replace(whole, task="task-3"), group="prompt"
        ),
        "versions": lambda r: compare_versions(
            r, TASKS, whole, group="prompt", a="support@v1", b="support@v2"
        ),
        "alarms": alarms,
        "counts": lambda r: r.query("counts"),
        "configs": lambda r: r.query("configs"),
        "latest_100": lambda r: r.query("requests", {"limit": 100}),
        "latest_100_of_a_task": lambda r: r.query("requests", {"limit": 100, "task": "task-3"}),
        "trace": lambda r: r.query("trace", {"trace": last}),
        "latency_of_a_day": lambda r: r.query("latency", day),
        "report_of_the_last_hour_exact": lambda r: build_report(r, **hour),
    }
    found = {}
    for name, ask in asked.items():
        with JournalReader(root, memory_mb=1024) as reader:
            times = []
            for _ in range(4):
                before = time.perf_counter()
                ask(reader)
                times.append((time.perf_counter() - before) * 1e3)
        found[f"{name}_cold_ms"], found[f"{name}_warm_ms"] = times[0], statistics.median(times[1:])
        print(f"  {name} {times[0]:.0f} {statistics.median(times[1:]):.0f}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--directory", help="where to write (default: a temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as root:
        found = measure(options.records, Path(root))
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    json.dump({"machine": machine, "load": os.getloadavg(), **found}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
