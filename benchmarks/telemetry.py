"""What telling of a request costs on its path: CPU microseconds, by round.

    python benchmarks/telemetry.py [--requests 20000]

`counted` is everything that /metrics shows, for one attempt and for a cascade of two; `queued`
is the entry that an exporter finds; `traced` is the header line that an engine is told.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from pointsman.domain.money import Usage
from pointsman.domain.plan import Decision, Plan
from pointsman.domain.portfolio import Deployment
from pointsman.domain.records import Admission, Attempt, BodyRef, End
from pointsman.domain.tracing import onward, parent_of
from pointsman.domain.verdict import GateResult
from pointsman.telemetry import Metrics
from pointsman.telemetry.destination import Destination
from pointsman.telemetry.exporting import MOST_WAITING, Exporter

ROUNDS = 7
TRACE = "tr_01K0S2W7R5ABCDEFGHJKMNPQRS"
PARENT = parent_of(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def records(attempts: int) -> tuple[Admission, End]:
    """A streamed request of so many attempts."""
    decision = Decision(plan=Plan(steps=()), route="main", reason="said so")
    admission = Admission(
        trace=TRACE, at_us=1_790_000_000_000_000, tenant="t", principal="p", surface="chat",
        asked="task:work", task="work", stream=True, decision=decision,
        request=BodyRef(digest="d", size=1),
    )  # fmt: skip
    made = tuple(
        Attempt(
            step=number, deployment=f"d{number}", model="m", first_token_ms=40, total_ms=400,
            usage=Usage(prompt_tokens=200, completion_tokens=64, cached_tokens=128),
            cost_usd_picos=1_000_000, finish_reason="stop", response_id="chatcmpl-1",
            gate=GateResult(verdict="accept", reason="fine"),
        )
        for number in range(attempts)
    )  # fmt: skip
    end = End(
        trace=TRACE, at_us=1_790_000_000_400_000, status="delivered", http_status=200,
        attempts=made, delivered=attempts - 1, cost_usd_picos=10, first_byte_ms=41, total_ms=401,
        overhead_us=300,
    )  # fmt: skip
    return admission, end


def measure(name: str, what: Callable[[], object], requests: int) -> None:
    """Print the median over rounds, and their spread."""
    found = []
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        for _ in range(requests):
            what()
        found.append((time.thread_time_ns() - began) / requests / 1000)
    median = statistics.median(found)
    print(f"{name:28} {median:6.2f} us  [{min(found):.2f}, {max(found):.2f}]")


def main() -> None:
    """Measure each part alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=20_000)
    requests = parser.parse_args().requests
    metrics = Metrics()
    places = [Deployment(name=f"d{n}", model="m", base_url="http://x/v1", served_name="m")
              for n in range(2)]  # fmt: skip
    metrics.know({each.name: each for each in places}, ())
    for attempts, name in ((1, "counted, one attempt"), (2, "counted, a cascade of two")):
        admission, end = records(attempts)
        measure(name, lambda a=admission, e=end: metrics.ended(a, e), requests)
    admission, end = records(1)
    where = Destination(spans="http://127.0.0.1:9/v1/traces", metrics=None)
    for share, name in ((1.0, "queued for export"), (0.1, "queued, a tenth sampled")):
        exporter = Exporter(where, metrics, share=share)  # not started: nothing takes from it

        def queued(exporter: Exporter = exporter) -> None:
            if len(exporter._waiting) >= MOST_WAITING - 1:
                exporter._waiting.clear()
            exporter.ended(admission, end, None, None)

        measure(name, queued, requests)
    measure("traced, no client's trace", lambda: onward(TRACE, None, 0, share=1.0), requests)
    measure("traced, a client's trace", lambda: onward(TRACE, PARENT, 0, share=1.0), requests)
    measure("snapshot, whole", metrics.snapshot, requests // 100)
    measure("text, whole", metrics.text, requests // 100)


if __name__ == "__main__":
    main()
