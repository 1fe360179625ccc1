"""When the disk, the file or a neighbour fails: bounded waits and clear errors."""

import os
import resource
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from pointsman.domain.errors import StateUnavailable
from pointsman.state import open_state
from tests.state.state_forks import at_once
from tests.state.state_refused import put, refused


def test_a_neighbour_that_writes_for_long_is_waited_for_only_so_long(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    open_state(url).close()
    neighbour = sqlite3.connect(sqlite_file, isolation_level=None)
    neighbour.execute("BEGIN IMMEDIATE")
    with open_state(url, wait_s=0.1) as state:
        assert state.labels.get("a") is None  # readers do not wait
        with refused("another process held it", "SQLITE_BUSY"):
            put(state)
        neighbour.execute("ROLLBACK")
        put(state)
    neighbour.close()


def test_a_new_place_that_a_neighbour_holds_is_waited_for_only_so_long(sqlite_file: Path) -> None:
    neighbour = sqlite3.connect(sqlite_file, isolation_level=None)
    neighbour.execute("BEGIN EXCLUSIVE")
    with refused("another process held it"):
        open_state(f"sqlite:///{sqlite_file}", wait_s=0.1)
    neighbour.close()


def test_a_pool_in_full_use_is_waited_for_only_so_long(url: str) -> None:
    with (
        open_state(url, wait_s=0.1, connections=1) as state,
        state._database.read(),
        refused("no connection became free within 0.1 s"),
    ):
        state.labels.get("a")


def test_a_thread_that_writes_for_long_is_waited_for_only_so_long(sqlite_file: Path) -> None:
    with open_state(f"sqlite:///{sqlite_file}", wait_s=0.1) as state:
        held, enough = threading.Event(), threading.Event()

        def hold() -> None:
            with state._database.write():
                held.set()
                enough.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(10)
        with refused("other threads were writing"):
            put(state)
        enough.set()
        thread.join(10)
        put(state)


def test_more_threads_than_connections_all_get_their_turn(url: str) -> None:
    with open_state(url, connections=2) as state:
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for n in range(5):
                    put(state, f"{number}-{n}")
                    state.subject_keys.key("acme", f"p{n}")
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failed == []
        assert len(state.labels.current()) == 60


def test_a_full_disk_is_told_and_nothing_is_half_written(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"

    def work(_: int) -> tuple[str, list[str | None], bool]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with open_state(url) as state:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
            said = ""
            for n in range(20):
                try:
                    state.labels.put(f"{n}", "x" * 60_000, by="ada", revision=0)
                except StateUnavailable as error:
                    said = str(error)
                    break
            kept = [each.value for each in state.labels.current()]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            put(state, "after")  # once there is room, it goes on
            return said, kept, state.labels.get("after") is not None

    ((said, kept, goes_on),) = at_once(work, processes=1)
    assert "nothing is half written" in said
    assert kept
    assert set(kept) == {"x" * 60_000}
    assert goes_on


def test_sqlites_own_word_for_a_full_disk_is_told(sqlite_file: Path) -> None:
    with open_state(f"sqlite:///{sqlite_file}") as state:

        @event.listens_for(state._database.engine, "begin")
        def bound(connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")

        with refused("the disk is full", "free space"):
            state.labels.put("a", "x" * 60_000, by="ada", revision=0)


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_file_that_may_not_be_written_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    def work(_: int) -> None:
        import tempfile

        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o755)
            file = Path(folder) / "state.sqlite"
            open_state(f"sqlite:///{file}").close()
            os.chmod(file, 0o444)
            with (
                as_nobody(),
                refused("give this user"),
                open_state(f"sqlite:///{file}") as state,
            ):
                put(state)
            os.chmod(file, 0o000)
            with as_nobody(), refused("cannot be opened"):
                open_state(f"sqlite:///{file}")
            with as_nobody(), refused("cannot be made"):
                open_state(f"sqlite:///{folder}/new/state.sqlite")

    at_once(work, processes=1)


@pytest.mark.parametrize("path", ["", "state.sqlite"])
def test_a_path_that_cannot_be_a_file_is_told(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    where = f"file/{path}" if path else "folder"
    with refused():
        open_state(f"sqlite:///{tmp_path}/{where}")


def test_a_file_of_something_else_is_told_and_left_alone(sqlite_file: Path) -> None:
    sqlite_file.write_bytes(b"deployments: {}\n" * 100)
    with refused("not a SQLite database", "backup"):
        open_state(f"sqlite:///{sqlite_file}")
    assert sqlite_file.read_bytes() == b"deployments: {}\n" * 100


def test_a_damaged_file_is_told(sqlite_file: Path) -> None:
    url = f"sqlite:///{sqlite_file}"
    with open_state(url) as state:
        for n in range(10):
            state.labels.put(f"{n}", "x" * 10_000, by="ada", revision=0)
    size = sqlite_file.stat().st_size
    with sqlite_file.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with refused("damaged", "restore"), open_state(url) as state:
        state.labels.current()


def test_a_removed_file_takes_no_more_writes(sqlite_file: Path) -> None:
    with open_state(f"sqlite:///{sqlite_file}") as state:
        put(state)
        sqlite_file.rename(sqlite_file.with_suffix(".away"))
        with refused("removed or replaced"):
            put(state, "b")
        with refused("removed or replaced"):
            state.labels.get("a")
        sqlite_file.write_bytes(b"")
        with refused("removed or replaced"):
            put(state, "b")
        sqlite_file.with_suffix(".away").rename(sqlite_file)
        put(state, "b")


def test_a_dropped_table_is_told(url: str) -> None:
    with open_state(url) as state:
        with state._database.write() as connection:
            connection.execute(text("DROP TABLE pointsman_labels"))
        with refused("a table is not what it should be"):
            state.labels.get("a")
