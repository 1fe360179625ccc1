"""How often the statistics are right. Run: python benchmarks/stats.py [--quick] [--json OUT]

Simulations with fixed seeds: coverage of intervals, always-valid tests, drift, slices, and, where
POINTSMAN_DATA has it, the recorded fall of a real model. No timing: every figure is a frequency.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
from pathlib import Path

from pointsman.stats.detectors import alarms_of
from pointsman.stats.means import mean, paired_mean
from pointsman.stats.ppi import ppi_mean
from pointsman.stats.ratios import clustered_cost_per_accepted, cost_per_accepted
from pointsman.stats.sequences import boundary
from pointsman.stats.slices import find_slices

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data"))


def coverage(suites):
    """Share of 95 % intervals that hold the truth."""
    out, dice = {}, random.Random(1)

    def share(make, truth):
        covered = 0
        for _ in range(suites):
            said = make()
            covered += said.low <= truth and (said.high is None or truth <= said.high)
        return covered / suites

    for n in (50, 500):
        out[f"mean, n {n}"] = share(lambda n=n: mean([dice.random() for _ in range(n)]), 0.5)

    def clustered(icc):
        shared = [dice.gauss(0, math.sqrt(icc)) for _ in range(40)]
        values = [shared[at % 40] + dice.gauss(0, math.sqrt(1 - icc)) for at in range(400)]
        return mean(values, clusters=[at % 40 for at in range(400)])

    for icc in (0.1, 0.5):
        out[f"clustered, icc {icc}"] = share(lambda icc=icc: clustered(icc), 0.0)

    def paired():
        a = [float(dice.random() < 0.7) for _ in range(300)]
        b = [float(x if dice.random() < 0.8 else dice.random() < 0.7) for x in a]
        return paired_mean(a, b)

    out["paired, yes/no"] = share(paired, 0.0)
    for sigma in (1.0, 1.5):
        for rate in (0.3, 0.9):

            def ratio(sigma=sigma, rate=rate):
                costs = [dice.lognormvariate(0, sigma) for _ in range(400)]
                return cost_per_accepted(costs, [dice.random() < rate for _ in costs])

            out[f"ratio, sigma {sigma}, rate {rate}"] = share(ratio, math.exp(sigma**2 / 2) / rate)

    def clusters():
        costs, yes, names = [], [], []
        for name in range(100):
            size, shift = dice.randrange(1, 7), dice.gauss(0, 0.5)
            for _ in range(size):
                costs.append(math.exp(shift - 0.125 + dice.gauss(0, 0.5) - 0.125))
                yes.append(dice.random() < 0.7)
                names.append(name)
        return clustered_cost_per_accepted(costs, yes, names)

    out["ratio, clustered"] = share(clusters, 1 / 0.7)
    return out


def always_valid(runs, looks):
    bounds = [0.0, 0.0, *(boundary(n, 0.95) for n in range(2, 40_001))]
    dice = random.Random(2)

    def first(a, b, most):
        x = y = 0
        for n in range(1, most + 1):
            x += dice.random() < a
            y += dice.random() < b
            if n >= 50:
                spread = (x - x * x / n + y - y * y / n + 0.5) / (n + 1)
                if abs(y - x) / n > math.sqrt(spread / n) * bounds[n]:
                    return n
        return None

    wrong = sum(first(0.7, 0.7, looks) is not None for _ in range(runs))
    found = [first(0.7, 0.75, 40_000) or 40_000 for _ in range(runs // 4)]
    return {"ever rejected, no effect": wrong / runs, "looks": looks,
            "cases over fixed sample": sum(found) / len(found) / 1248}  # fmt: skip


def drift(runs):
    out, dice = {}, random.Random(3)

    def values(*parts):
        for rate, count in parts:
            yield from (float(dice.random() < rate) for _ in range(count))

    false = sum(bool(alarms_of(values((0.84, 2500)), arl=40_000, reference=500))
                for _ in range(runs))  # fmt: skip
    out["P(false alarm in 2,000)"] = false / runs
    for after in (0.5, 0.68):
        delays = []
        for _ in range(runs):
            found = alarms_of(values((0.84, 1500), (after, 2000)), arl=40_000, reference=500)
            late = [alarm.at for alarm in found if alarm.at >= 1500]
            delays.append((late[0] if late else 3500) - 1500)
        delays.sort()
        out[f".84 to {after}"] = [statistics.median(delays), delays[int(0.9 * len(delays))]]
    path = DATA / "evals" / "llmdrift_happynumber.parquet"
    if path.exists():
        import duckdb

        rows = duckdb.sql(
            f"SELECT snapshot, correct::INT FROM '{path}' WHERE model LIKE 'gpt-4%'"
        ).fetchall()
        before = [float(c) for s, c in rows if s == "2023-03"]
        since = [float(c) for s, c in rows if s == "2023-06"]
        delays = []
        for _ in range(runs):
            stream = [*dice.choices(before, k=1500), *dice.choices(since, k=500)]
            late = [a.at for a in alarms_of(stream, arl=40_000, reference=500) if a.at >= 1500]
            delays.append((late[0] if late else 2000) - 1500)
        delays.sort()
        out["recorded fall of gpt-4"] = [
            statistics.median(delays), delays[int(0.9 * len(delays))]
        ]  # fmt: skip
    return out


def judged(runs):
    dice, covered, narrow = random.Random(4), 0, []
    for _ in range(runs):
        cases = []
        for _ in range(999):
            truth = dice.random() < 0.6
            cases.append((float(truth), float(dice.random() < (0.9 if truth else 0.25))))
        said = ppi_mean([y for y, _ in cases[:100]], [f for _, f in cases[:100]],
                        [f for _, f in cases[100:]], level=0.9)  # fmt: skip
        covered += said.corrected.low <= 0.6 <= said.corrected.high
        narrow.append((said.corrected.high - said.corrected.low)
                      / (said.human.high - said.human.low))  # fmt: skip
    return {"coverage, 90 %": covered / runs, "width over people alone": statistics.mean(narrow)}


def sliced(runs):
    dice, hits, false, named = random.Random(5), 0, 0, 0
    for _ in range(runs):
        n = 5000
        columns = {
            "language": dice.choices(["en", "de", "fr", "zh", "pt"], [50, 20, 15, 10, 5], k=n),
            "surface": dice.choices(["chat", "responses", "messages"], k=n),
            "tenant": dice.choices([f"t{i}" for i in range(12)],
                                   [1 / (i + 1) for i in range(12)], k=n),
        }  # fmt: skip
        while True:
            name = dice.choice(["language", "tenant"])
            wanted = {name: dice.choice(columns[name])}
            if dice.random() < 0.5:
                wanted["surface"] = dice.choice(columns["surface"])
            its = {at for at in range(n) if all(columns[c][at] == v for c, v in wanted.items())}
            if 0.02 * n <= len(its) <= 0.1 * n:
                break
        best = 0.0
        outcomes = [dice.random() < 0.8 - 0.2 * (at in its) for at in range(n)]
        for found in find_slices(outcomes, columns):
            named += 1
            told = {at for at in range(n)
                    if all(str(columns[c][at]) == v for c, v in found.conditions)}  # fmt: skip
            best = max(best, len(told & its) / len(told | its))
            false += len(told & its) < 0.3 * len(told)
        hits += best >= 0.5
    return {"planted slices found": hits / runs, "false discoveries": false / max(1, named)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    part = 10 if given.quick else 1
    said = {}
    for name, make in (
        ("coverage of 95 % intervals", lambda: coverage(5000 // part)),
        ("always-valid A/B", lambda: always_valid(5000 // part, 10_000)),
        ("drift", lambda: drift(300 // part)),
        ("people and a judge", lambda: judged(2000 // part)),
        ("slices", lambda: sliced(100 // part)),
    ):
        print(f"{name} ...", file=sys.stderr)
        said[name] = make()
        print(json.dumps({name: said[name]}, indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
