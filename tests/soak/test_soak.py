"""Half an hour of mixed load leaves nothing behind but records, and those add up.

`make deep` runs it for 30 minutes; POINTSMAN_SOAK_S=60 is enough while working on it. The figures
are printed (`-s`), and written as JSON where POINTSMAN_SOAK_REPORT names a file.
"""

import json
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pointsman.client import Workspace
from pointsman.config.loading import load
from pointsman.domain.records import Admission, End
from pointsman.journal import iter_records
from pointsman.state.opening import CONNECTIONS
from tests.conformance.bench import Bench
from tests.conformance.upstream import Upstream
from tests.soak.gateway import KEY, Gateway, Memory, soaked_gateway
from tests.soak.load import Load

SOAK_S = float(os.environ.get("POINTSMAN_SOAK_S", "1800"))
SETTLED_S = min(300.0, SOAK_S / 3)  # memory is compared from here on
WINDOW_S = min(60.0, SOAK_S / 6)  # over which a measure is a median: the keeper comes and goes
# The promise is of half an hour; a run of minutes has not met everything once when it settles.
GROWTH = 0.05 if SOAK_S >= 900 else 0.15
POOLED = (
    ".sqlite",
    ".sqlite-wal",
)  # files that each connection of the state's pool opens for itself
SEED = int(os.environ.get("POINTSMAN_SOAK_SEED", "1"))


@dataclass
class Measured:
    """Samples of a run: seconds since its start, memory of the gateway, of its children."""

    samples: list[tuple[float, Memory, Memory]] = field(default_factory=list)

    def between(self, start_s: float, end_s: float) -> Memory:
        """The median of the whole tree in a window."""
        found = [each for each in self.samples if start_s <= each[0] <= end_s]
        assert found, f"nothing was measured from {start_s:.0f} to {end_s:.0f} s"
        return Memory(
            round(statistics.median(own.pss + rest.pss for _, own, rest in found)),
            round(statistics.median(own.own + rest.own for _, own, rest in found)),
        )


@dataclass(frozen=True)
class Journalled:
    """What the records say."""

    admitted: int
    never_ended: int
    ended_twice: int
    unadmitted: int
    ends: dict[str, int]  # by trace: the HTTP status
    cost_usd_picos: int
    attempts_usd_picos: int
    statuses: Counter[str]


@pytest.mark.deep
@pytest.mark.timeout(SOAK_S + 900)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured through /proc")
def test_half_an_hour_of_faults_and_vanishing_clients_leaves_nothing_behind(tmp_path: Path) -> None:
    with Upstream(0) as upstream, soaked_gateway(tmp_path, upstream) as gateway:
        bench = Bench(url=gateway.url, upstream=upstream, key=KEY)
        load_ = Load(bench, clients=16, pause_s=0.03, seed=SEED)
        load_.warm_up()
        base = _rested(gateway, upstream)
        measured = _measure(gateway, upstream, load_)
        rested = _rested(gateway, upstream, like=base)
        metrics = _metrics(bench)
        assert gateway.stop() == 0, (tmp_path / "stderr").read_text()[-3000:]
    journal = _journal(tmp_path / "journal")
    settled = measured.between(SETTLED_S, SETTLED_S + WINDOW_S)
    final = measured.between(SOAK_S - WINDOW_S, SOAK_S)
    growth = final.own / settled.own - 1
    with Workspace(load(gateway.config, env=os.environ)) as workspace:
        [budget] = workspace.budgets()
    _report(
        {
            "seconds": SOAK_S, "answers": load_.answers, "exchanges": dict(load_.exchanges),
            "failed_exchanges": len(load_.failures), "requests": journal.admitted,
            "statuses": dict(journal.statuses), "cost_usd": journal.cost_usd_picos / 1e12,
            "kib_settled": settled._asdict(), "kib_final": final._asdict(),
            "growth": round(growth, 4), "growth_pss": round(final.pss / settled.pss - 1, 4),
            "kib_every_10_s": [
                [own.pss, own.own, rest.pss, rest.own]
                for _, own, rest in measured.samples[::10]
            ],
            "base": base, "rested": rested,
        }
    )  # fmt: skip

    failures = [(each.case.name, each.what, each.expected, each.got) for each in load_.failures]
    assert not failures
    assert not load_.doubled
    assert journal.admitted > SOAK_S
    assert (journal.never_ended, journal.ended_twice, journal.unadmitted) == (0, 0, 0)
    told = {trace: journal.ends.get(trace) for trace in load_.traces}
    assert told == load_.traces, "a client was told another status than the record"
    assert journal.cost_usd_picos == journal.attempts_usd_picos
    assert budget.spent == journal.cost_usd_picos
    assert budget.held == 0
    assert metrics["pointsman_cost_usd_total"] == pytest.approx(journal.cost_usd_picos / 1e12)
    assert metrics["pointsman_requests_total"] == journal.admitted
    assert _held(rested["descriptors"]) == _held(base["descriptors"])
    assert all(rested["descriptors"].get(kind, 0) <= CONNECTIONS for kind in POOLED)
    assert rested["tasks"] == base["tasks"]
    assert rested["connections"] == 0
    assert growth <= GROWTH, f"memory grew by {growth:.1%}"


def _measure(gateway: Gateway, upstream: Upstream, clients: Load) -> Measured:
    """The load, from its start to its end, with a sample of memory a second."""
    measured, start = Measured(), time.monotonic()
    clients.start()
    while (at := time.monotonic() - start) < SOAK_S:
        assert gateway.process.poll() is None, "the gateway ended"
        measured.samples.append((at, *gateway.memory()))
        upstream.forget()
        time.sleep(1)
    clients.stop()
    return measured


def _rested(gateway: Gateway, upstream: Upstream, like: Any = None) -> dict[str, Any]:
    """What the gateway holds once nothing is asked of it and its upstream has hung up.

    Waits until it is `like` what it was before, for two minutes at most.
    """
    give_up = time.monotonic() + (120 if like else 20)
    while True:
        upstream.hang_up()
        time.sleep(2 if like else 3)
        inside = gateway.inside()
        held = {
            "descriptors": gateway.descriptors(), "tasks": inside["tasks"],
            "connections": upstream.open_connections, "objects": inside["objects"],
        }  # fmt: skip
        quiet = like is None or (
            _held(held["descriptors"]) == _held(like["descriptors"])
            and held["tasks"] == like["tasks"]
        )
        if (quiet and held["connections"] == 0) or time.monotonic() > give_up:
            return held


def _held(descriptors: dict[str, int]) -> dict[str, int]:
    """Those that must be as many as before: the state's pool may have grown to its bound."""
    return {kind: count for kind, count in descriptors.items() if kind not in POOLED}


def _metrics(bench: Bench) -> Counter[str]:
    """The sums of the counters that /metrics shows."""
    found: Counter[str] = Counter()
    for line in bench.request("GET", "/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.split("{")[0]] += float(value)  # type: ignore[assignment]
    return found


def _journal(path: Path) -> Journalled:
    admitted: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    ends: dict[str, int] = {}
    statuses: Counter[str] = Counter()
    cost = attempts = 0
    for record in iter_records(path):
        match record:
            case Admission():
                admitted[record.trace] += 1
            case End():
                ended[record.trace] += 1
                ends[record.trace] = record.http_status
                statuses[record.status] += 1
                cost += record.cost_usd_picos
                attempts += sum(each.cost_usd_picos for each in record.attempts)
            case _:
                pass
    assert set(admitted.values()) == {1}
    return Journalled(
        admitted=len(admitted),
        never_ended=len(admitted.keys() - ended.keys()),
        ended_twice=sum(count > 1 for count in ended.values()),
        unadmitted=len(ended.keys() - admitted.keys()),
        ends=ends,
        cost_usd_picos=cost,
        attempts_usd_picos=attempts,
        statuses=statuses,
    )


def _report(figures: dict[str, Any]) -> None:
    print(json.dumps(figures, indent=2))
    if file := os.environ.get("POINTSMAN_SOAK_REPORT"):
        Path(file).write_text(json.dumps(figures, indent=2) + "\n")
