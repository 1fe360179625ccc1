"""What letting a request in costs while nobody need be asked: at_once and settle, microseconds.

    python benchmarks/limits.py [REQUESTS]

Each line is the median and the range of seven rounds. The store is this process's memory, so that
what is measured is our own part; how often it was asked is told, too.
"""

import asyncio
import statistics
import sys
import time

from pointsman.admitting.admitting import Admitting
from pointsman.admitting.counters import Counters, LocalCells
from pointsman.admitting.gone import Home
from pointsman.domain.limits import Allowance, Need, Scope
from pointsman.domain.task import BudgetSettings

ROUNDS = 7
KINDS = {
    "one budget": Allowance(day_usd_picos=10**18),
    "requests a minute": Allowance(requests_per_minute=10**8),
    "all five": Allowance(
        requests_per_minute=10**8,
        tokens_per_minute=2 * 10**9,
        concurrency=100,
        day_usd_picos=10**18,
        month_usd_picos=10**18,
    ),
}


def now_us() -> int:
    return time.time_ns() // 1000


async def main(requests: int) -> None:
    for name, allowance in KINDS.items():
        admitting = Admitting(
            Counters(LocalCells(now_us), wait_s=1, monotonic=time.monotonic),
            BudgetSettings(),
            home=Home("home", "bench", lambda writer: True, lambda writer, since_us: []),
            now_us=now_us,
            monotonic=time.monotonic,
        )
        scopes, need = (Scope("key:bench", allowance),), Need(100, 10**6)
        rounds, asked = [], 0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            for _ in range(requests):
                held = admitting.at_once(scopes, need, at_us=now_us())
                if held is None:
                    asked += 1
                    held = await admitting.admit(scopes, need, at_us=now_us())
                admitting.settle(held, usd_picos=10**5, tokens=50)
            rounds.append((time.perf_counter() - begun) / requests * 1e6)
        print(
            f"{name:20} {statistics.median(rounds):6.1f} us  "
            f"[{min(rounds):.1f}, {max(rounds):.1f}]  asked {asked} of {ROUNDS * requests}"
        )
        await admitting.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
