"""kill -9 between any two statements leaves a database that works, and no half of anything."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from pointsman.state import State, open_state
from tests.state.state_bytes import bytes_of_files
from tests.state.state_forks import at_once, dies_at

MOST = 120  # statements of the longest work below


def every_kill(work: Callable[[State], None], fresh: Callable[[], str]) -> list[str]:
    """Places where the work on an open state was killed, one before each of its statements."""

    def dies(statement: int, url: str) -> bool:
        return dies_at(statement, work, first=lambda: open_state(url))

    return _killed(dies, fresh)


def _killed(dies: Callable[[int, str], bool], fresh: Callable[[], str]) -> list[str]:
    killed = []
    for statement in range(1, MOST):
        url = fresh()
        if not dies(statement, url):
            assert len(killed) > 2, "the work was never killed"
            return killed
        killed.append(url)
    raise AssertionError("the work has more statements than thought")


def test_killed_while_a_database_is_made_or_a_key(fresh: Callable[[], str]) -> None:
    def dies(statement: int, url: str) -> bool:
        def work(_: None) -> None:
            with open_state(url) as state:
                state.subject_keys.key("acme", "ada")

        return dies_at(statement, work)

    for url in _killed(dies, fresh):
        with open_state(url) as state:
            key = state.subject_keys.key("acme", "ada")
            assert len(key.secret) == 32
            assert state.subject_keys.find([key.id]) == {key.id: key}


def test_killed_while_a_key_is_rotated(fresh: Callable[[], str]) -> None:
    def prepared() -> str:
        url = fresh()
        with open_state(url) as state:
            state.subject_keys.key("acme", "ada")
        return url

    def work(state: State) -> None:
        state.subject_keys.rotate("acme", "ada")

    for url in every_kill(work, prepared):
        with open_state(url) as state:
            key = state.subject_keys.key("acme", "ada")
            destroyed = state.subject_keys.destroy("acme", "ada")
            assert key.id in destroyed
            assert len(destroyed) in (1, 2)


def test_killed_while_a_key_is_destroyed_it_is_whole_or_gone_from_the_file(tmp_path: Path) -> None:
    said: dict[str, tuple[str, bytes]] = {}

    def prepared() -> str:
        url = f"sqlite:///{tmp_path}/{secrets.token_hex(4)}/state.sqlite"
        with open_state(url) as state:
            key = state.subject_keys.key("acme", "ada")
        said[url] = key.id, key.secret
        return url

    def work(state: State) -> None:
        state.subject_keys.destroy("acme", "ada")

    ends = set()
    for url in every_kill(work, prepared):
        with open_state(url) as state:  # finishes what was begun
            id, secret = said[url]
            lives = id in state.subject_keys.find([id])
            assert (id in state.subject_keys.destroyed([id])) != lives
            assert (secret in bytes_of_files(Path(url.removeprefix("sqlite:///")))) == lives
            ends.add(lives)
    assert ends == {True, False}


def test_killed_while_a_lease_or_label_is_written(fresh: Callable[[], str]) -> None:
    def prepared() -> str:
        url = fresh()
        open_state(url).close()
        return url

    def work(state: State) -> None:
        state.leases.acquire("role", "a", ttl_s=10, now_us=0)
        state.labels.put("live", "v1", by="ada", revision=0)
        state.schedules.ensure("seal", every_s=60, now_us=0)
        state.schedules.done("seal", now_us=5)

    for url in every_kill(work, prepared):
        with open_state(url) as state:
            label = state.labels.get("live")
            assert label is None or (label.revision, label.value) == (1, "v1")
            lease = state.leases.acquire("role", "b", ttl_s=10, now_us=20_000_000)
            assert lease is not None
            assert lease.epoch in (1, 2)
            assert (lease.epoch == 2) or label is None  # in the order they were written
            assert state.schedules.ensure("seal", every_s=60, now_us=0).last_us in (None, 5)


@pytest.mark.parametrize("processes", [4])
def test_processes_that_open_a_new_place_at_once_make_it_once(url: str, processes: int) -> None:
    def work(number: int) -> int:
        with open_state(url) as state:
            lease = state.leases.acquire(f"role-{number}", "me", ttl_s=10, now_us=0)
        assert lease is not None
        return lease.epoch

    assert at_once(work, processes=processes) == [1] * processes
