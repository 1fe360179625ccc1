"""The contract of leases: one holder at a time, epochs that only grow."""

import threading
import time

import pytest

from pointsman.domain.errors import UsageError
from pointsman.domain.ports import Lease, Leases
from pointsman.state import State, open_state
from tests.state.state_forks import at_once

SECOND = 1_000_000


def test_it_is_the_port(state: State) -> None:
    leases: Leases = state.leases
    assert leases is state.leases


def test_the_first_who_asks_has_it(state: State) -> None:
    lease = state.leases.acquire("seal", "a", ttl_s=10, now_us=5)
    assert lease == Lease(name="seal", holder="a", expires_us=5 + 10 * SECOND, epoch=1)
    assert state.leases.acquire("seal", "b", ttl_s=10, now_us=5 + 10 * SECOND - 1) is None
    assert state.leases.acquire("other", "b", ttl_s=10, now_us=5) is not None


def test_a_renewal_in_time_keeps_the_epoch(state: State) -> None:
    state.leases.acquire("seal", "a", ttl_s=10, now_us=0)
    renewed = state.leases.acquire("seal", "a", ttl_s=10, now_us=9 * SECOND)
    assert renewed == Lease(name="seal", holder="a", expires_us=19 * SECOND, epoch=1)


def test_a_lease_that_ran_out_is_taken_under_the_next_epoch(state: State) -> None:
    state.leases.acquire("seal", "a", ttl_s=10, now_us=0)
    taken = state.leases.acquire("seal", "b", ttl_s=10, now_us=10 * SECOND)
    assert taken is not None
    assert (taken.holder, taken.epoch) == ("b", 2)
    assert state.leases.acquire("seal", "a", ttl_s=10, now_us=11 * SECOND) is None


def test_its_old_holder_too_begins_anew_once_it_ran_out(state: State) -> None:
    state.leases.acquire("seal", "a", ttl_s=10, now_us=0)
    again = state.leases.acquire("seal", "a", ttl_s=10, now_us=10 * SECOND)
    assert again is not None
    assert again.epoch == 2


def test_what_is_given_back_is_free_at_once(state: State) -> None:
    lease = state.leases.acquire("seal", "a", ttl_s=10, now_us=0)
    assert lease is not None
    state.leases.release(lease)
    taken = state.leases.acquire("seal", "b", ttl_s=10, now_us=1)
    assert taken is not None
    assert taken.epoch == 2


def test_giving_back_what_was_lost_does_nothing(state: State) -> None:
    lost = state.leases.acquire("seal", "a", ttl_s=10, now_us=0)
    taken = state.leases.acquire("seal", "b", ttl_s=10, now_us=10 * SECOND)
    assert lost is not None
    state.leases.release(lost)
    state.leases.release(lost)
    assert state.leases.last("seal") == taken
    assert state.leases.last("unheard-of") is None


@pytest.mark.parametrize("name", ["", "x" * 256, "nul\0", "\ud800"])
def test_a_name_that_no_database_keeps_is_refused(state: State, name: str) -> None:
    with pytest.raises(UsageError):
        state.leases.acquire(name, "a", ttl_s=1, now_us=0)
    with pytest.raises(UsageError):
        state.leases.acquire("a", name, ttl_s=1, now_us=0)


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan")])
def test_a_lease_of_no_time_is_refused(state: State, ttl_s: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        state.leases.acquire("a", "a", ttl_s=ttl_s, now_us=0)


def now_us() -> int:
    return time.monotonic_ns() // 1_000  # one clock for every process of a machine


def contend(state: State, holder: str, rounds: int) -> list[tuple[int, Lease]]:
    granted = []
    for _ in range(rounds):
        now = now_us()
        if lease := state.leases.acquire("role", holder, ttl_s=0.002, now_us=now):
            granted.append((now, lease))
    return granted


def check_never_two_holders(granted: list[tuple[int, Lease]]) -> None:
    by_epoch: dict[int, list[tuple[int, Lease]]] = {}
    for now, lease in granted:
        by_epoch.setdefault(lease.epoch, []).append((now, lease))
    assert sorted(by_epoch) == list(range(1, len(by_epoch) + 1))
    free_from = 0
    for epoch in sorted(by_epoch):
        assert len({lease.holder for _, lease in by_epoch[epoch]}) == 1
        assert min(now for now, _ in by_epoch[epoch]) >= free_from
        free_from = max(lease.expires_us for _, lease in by_epoch[epoch])


def test_never_two_processes_hold_it_at_one_time(url: str) -> None:
    open_state(url).close()

    def work(number: int) -> list[tuple[int, Lease]]:
        with open_state(url) as state:
            return contend(state, f"process-{number}", 60)

    granted = [each for some in at_once(work, processes=3) for each in some]
    assert len({lease.epoch for _, lease in granted}) > 1
    check_never_two_holders(granted)


def test_never_two_threads_hold_it_at_one_time(state: State) -> None:
    granted: list[tuple[int, Lease]] = []
    threads = [
        threading.Thread(target=lambda name=name: granted.extend(contend(state, name, 40)))  # type: ignore[misc]
        for name in ("a", "b", "c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    check_never_two_holders(granted)
