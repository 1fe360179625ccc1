"""Mixed load: clients that ask, dawdle, misbehave and vanish, each checking what it was told."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tests.conformance.bench import Bench, Case
from tests.conformance.suite import Result, absent_surfaces, all_cases, run_case
from tests.conformance.wire import Answer

# How often each kind of exchange is drawn, of a hundred.
_MIX: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = {
    "ordinary": (62, ("framing", "content", "usage")),
    "faults": (18, ("early", "late", "fallback", "late-with-fallback")),
    "clients": (10, ("delivery",)),
    "refused": (10, ("refusing", "smuggling", "own")),
}
# Tens of megabytes each, which would be all there is in the journal.
_TOO_LARGE: Final = ("slow-reader", "body-too-large", "body-too-large-chunked", "oversize-line")
# Waits for a timeout: one in so many of those drawn is kept.
_WAITING: Final = ("silence", "head-then-nothing", "stall-before-token", "stall-between-tokens")
_ONE_IN: Final = 32


class Load:
    """Threads of clients; `failures` and `traces` are what they came to know."""

    def __init__(self, bench: Bench, *, clients: int, pause_s: float, seed: int) -> None:
        self._bench = replace(bench, heard=self._hear)
        self._clients = clients
        self._pause_s = pause_s
        self._seed = seed
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        absent = absent_surfaces(bench)
        self._cases = {kind: _cases(groups, absent) for kind, (_, groups) in _MIX.items()}
        self.answers = 0
        self.exchanges: Counter[str] = Counter()
        self.failures: list[Result] = []
        self.traces: dict[str, int] = {}  # of answers, with the status that a client got
        self.doubled: list[str] = []

    def warm_up(self) -> None:
        """Every case once: whatever is made at first use has been made."""
        for cases in self._cases.values():
            for case in cases:
                if not case.shape.startswith(_WAITING):
                    self._one(case)

    def start(self) -> None:
        """Let the clients go."""
        for number in range(self._clients):
            thread = threading.Thread(target=self._ask_on, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """No further exchange; those on their way are finished."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client still waits"

    def _ask_on(self, number: int) -> None:
        draw = random.Random(f"{self._seed}/{number}")
        kinds, weights = list(_MIX), [share for share, _ in _MIX.values()]
        while not self._stop.is_set():
            [kind] = draw.choices(kinds, weights)
            case = draw.choice(self._cases[kind])
            waits = case.shape.removeprefix("first-").startswith(_WAITING)
            if waits and draw.randrange(_ONE_IN):
                continue
            self._one(case)
            time.sleep(draw.random() * 2 * self._pause_s)

    def _one(self, case: Case) -> None:
        result = run_case(self._bench, case)
        with self._lock:
            self.exchanges[case.group] += 1
            if result.status != "pass" and len(self.failures) < 20:
                self.failures.append(result)

    def _hear(self, answer: Answer) -> None:
        trace = answer.header("x-pointsman-trace")
        with self._lock:
            self.answers += 1
            if trace is None:
                return
            if trace in self.traces:
                self.doubled.append(trace)
            self.traces[trace] = answer.status


def _cases(groups: Sequence[str], absent: frozenset[str]) -> list[Case]:
    return [
        case
        for case in all_cases()
        if case.group in groups
        and case.shape not in _TOO_LARGE
        and case.surface.split()[0] not in absent
    ]
