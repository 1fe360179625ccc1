"""What the state costs: a lease, a label, a subject's key made, read and destroyed.

    .venv/bin/python benchmarks/state.py                          # SQLite in a temporary folder
    .venv/bin/python benchmarks/state.py --url postgresql://…     # an empty schema of your own

Medians and 95th percentiles of `--rounds` calls; a destruction among `--keys` other keys.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from sqlalchemy import insert

from pointsman.state import State, open_state
from pointsman.state.tables import subject_keys


def measure(name: str, rounds: int, call: Callable[[int], object]) -> None:
    taken = []
    for number in range(rounds):
        began = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - began) * 1e6)
    p95 = statistics.quantiles(taken, n=20)[-1]
    print(f"{name:34} {statistics.median(taken):9.0f} µs   p95 {p95:9.0f} µs")


def fill(state: State, keys: int) -> None:
    rows = [
        {
            "id": "sk_" + os.urandom(13).hex(),
            "tenant": "acme",
            "subject_hash": os.urandom(32),
            "generation": 1,
            "secret": os.urandom(32),
            "made_us": 1,
        }
        for _ in range(keys)
    ]
    with state._database.write() as connection:
        connection.execute(insert(subject_keys), rows)


def run(url: str, rounds: int, keys: int) -> None:
    began = time.perf_counter()
    open_state(url).close()
    print(f"{'first opening':34} {(time.perf_counter() - began) * 1e3:9.0f} ms")
    began = time.perf_counter()
    with open_state(url) as state:
        print(f"{'a later opening':34} {(time.perf_counter() - began) * 1e3:9.0f} ms")
        acquire = state.leases.acquire
        measure("lease renewed", rounds, lambda n: acquire("r", "me", ttl_s=9, now_us=n))
        put = state.labels.put
        measure("label moved", rounds, lambda n: put("l", "v", by="me", revision=n))
        key = state.subject_keys.key
        measure("subject key made", rounds, lambda n: key("acme", f"person-{n}"))
        measure("subject key read", rounds, lambda n: key("acme", f"person-{n}"))
        fill(state, keys)
        destroy = state.subject_keys.destroy
        measure(f"destroyed among {keys} keys", 8, lambda n: destroy("acme", f"person-{n}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--keys", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(args.url or f"sqlite:///{folder}/state.sqlite", args.rounds, args.keys)


if __name__ == "__main__":
    main()
