"""The contract of cells, on SQLite, PostgreSQL and Redis; a dead Redis is not waited on."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pointsman.domain.errors import ConfigurationError, StateUnavailable
from pointsman.domain.ports import Cells
from pointsman.state import open_state
from pointsman.state.redis_cells import RedisCells
from tests.support.redis import URL, a_place_in_redis

LATER_US = 4_000_000_000_000_000


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, skip_or_fail: Callable[[str, str], None]
) -> Iterator[Callable[[], Cells]]:
    """Opens the same cells again and again, as several processes would."""
    closing: list[Callable[[], None]] = []

    def of_state(url: str) -> Callable[[], Cells]:
        def opening() -> Cells:
            state = open_state(url)
            closing.append(state.close)
            return state.cells

        return opening

    if request.param == "redis":
        with a_place_in_redis(skip_or_fail) as prefix:

            def opening() -> Cells:
                cells = RedisCells(URL, wait_s=5, prefix=prefix)
                closing.append(cells.close)
                return cells

            yield opening
            for close in closing:
                close()
        return
    url = (
        f"sqlite:///{tmp_path}/state.sqlite"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    yield of_state(url)
    for close in closing:
        close()


@pytest.fixture
def cells(opened: Callable[[], Cells]) -> Cells:
    return opened()


def plus_one(old: bytes | None) -> bytes:
    return str(int(old or 0) + 1).encode()


def test_the_first_change_is_given_nothing(cells):
    seen = []

    def change(old):
        seen.append(old)
        return b"first"

    assert cells.change("a", change, until_us=LATER_US) == b"first"
    assert seen == [None]


def test_a_change_is_given_what_the_one_before_left(cells):
    for _ in range(3):
        value = cells.change("a", plus_one, until_us=LATER_US)
    assert value == b"3"
    assert cells.change("b", plus_one, until_us=LATER_US) == b"1"


def test_any_bytes_come_back_as_they_were(cells):
    value = bytes(range(256)) * 40
    cells.change("a", lambda old: value, until_us=LATER_US)
    assert cells.change("a", lambda old: old or b"?", until_us=LATER_US) == value


def test_a_change_that_fails_changes_nothing(cells):
    cells.change("a", plus_one, until_us=LATER_US)

    def failing(old):
        raise LookupError("on purpose")

    with pytest.raises(LookupError):
        cells.change("a", failing, until_us=LATER_US)
    assert cells.change("a", plus_one, until_us=LATER_US) == b"2"


def test_no_change_is_lost_whoever_else_changes(opened):
    """Four openings in as many threads, all on one cell."""
    troubles = []

    def work(mine: Cells) -> None:
        for _ in range(15):
            while True:
                try:
                    mine.change("a", plus_one, until_us=LATER_US)
                    break
                except StateUnavailable as error:  # lost too many races: nothing was changed
                    troubles.append(error)
                    time.sleep(0.01)

    openings = [opened() for _ in range(4)]
    threads = [threading.Thread(target=work, args=(each,)) for each in openings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert openings[0].read("a")["a"] == b"60"
    assert len(troubles) < 60


def test_reading_gives_the_cells_under_a_prefix_taken_literally(cells):
    for name in ("b:1", "b:2", "c:1", "b*", "b%"):
        cells.change(name, plus_one, until_us=LATER_US)
    assert set(cells.read("b:")) == {"b:1", "b:2"}
    assert set(cells.read("b*")) == {"b*"}
    assert set(cells.read("")) == {"b:1", "b:2", "c:1", "b*", "b%"}


def test_what_is_over_is_forgotten_and_the_rest_is_not(state):
    state.cells.change("old", plus_one, until_us=10)
    state.cells.change("new", plus_one, until_us=1000)
    assert state.cells.forget(now_us=100) == 1
    assert set(state.cells.read("")) == {"new"}


def test_redis_forgets_what_is_over_by_itself(skip_or_fail):
    with a_place_in_redis(skip_or_fail) as prefix:
        cells = RedisCells(URL, wait_s=5, prefix=prefix)
        cells.change("old", plus_one, until_us=1_000_000)
        assert cells.read("") == {}
        cells.close()


def test_a_redis_that_is_gone_says_so_and_not_its_password():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cells = RedisCells(f"redis://me:hunter2@127.0.0.1:{port}/0")
    with pytest.raises(StateUnavailable) as caught:
        cells.change("a", plus_one, until_us=LATER_US)
    assert "hunter2" not in str(caught.value)
    assert str(port) in str(caught.value)


def test_a_redis_that_never_answers_is_given_up():
    """It takes the connection and says nothing, as one that hangs does."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cells = RedisCells(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(StateUnavailable, match="does not answer"):
            cells.change("a", plus_one, until_us=LATER_US)


def test_a_url_of_something_else_is_refused():
    with pytest.raises(ConfigurationError, match=r"state\.counters"):
        RedisCells("http://127.0.0.1:6379")
