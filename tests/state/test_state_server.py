"""When PostgreSQL fails, ends a connection or is not there: bounded waits and clear errors."""

import pytest
from sqlalchemy import event, text

from pointsman.domain.errors import StateUnavailable
from pointsman.state import open_state
from tests.state.conftest import postgres_engine
from tests.state.state_refused import put, refused


def test_a_lock_of_another_transaction_is_waited_for_only_so_long(postgres_url: str) -> None:
    engine = postgres_engine(postgres_url)
    with open_state(postgres_url, wait_s=0.2) as state:
        with engine.begin() as neighbour:
            neighbour.execute(text("LOCK TABLE pointsman_labels"))
            with refused("held a lock", "55P03"):
                put(state)
        put(state)
    engine.dispose()


def test_a_migration_elsewhere_is_waited_for_only_so_long(postgres_url: str) -> None:
    engine = postgres_engine(postgres_url)
    with engine.begin() as neighbour, refused("55P03"):
        neighbour.execute(text(f"SELECT pg_advisory_xact_lock({0x706F696E74736D6E})"))
        open_state(postgres_url, wait_s=0.2)
    engine.dispose()


def test_a_database_that_takes_no_writes_is_told(postgres_url: str) -> None:
    open_state(postgres_url).close()
    reading = f"{postgres_url}%20-cdefault_transaction_read_only%3Don"
    with open_state(reading) as state, refused("25006", "primary"):
        put(state)


def terminate_others(url: str) -> None:
    engine = postgres_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                " datname = current_database() AND pid <> pg_backend_pid()"
                " AND application_name = 'pointsman'"
            )
        )
    engine.dispose()


def test_connections_that_the_server_ended_are_made_anew(postgres_url: str) -> None:
    with open_state(postgres_url) as state:
        put(state)
        terminate_others(postgres_url)
        assert state.labels.get("a") is not None
        terminate_others(postgres_url)
        put(state, "b")


def test_a_connection_that_ends_within_a_transaction_is_told(postgres_url: str) -> None:
    with open_state(postgres_url) as state:

        @event.listens_for(state._database.engine, "before_cursor_execute", once=True)
        def end(*_: object) -> None:
            terminate_others(postgres_url)

        with refused("the next call connects anew"):
            put(state)
        assert state.labels.get("a") is None
        put(state)


def test_a_server_that_is_not_there_is_told_soon() -> None:
    with refused("does not answer", within_s=5):
        open_state("postgresql://u:hunter2@127.0.0.1:9/nothing", wait_s=0.5)


def test_a_database_that_is_not_there_is_told(postgres_url: str) -> None:
    with refused("cannot be used"):
        open_state(postgres_url.split("?")[0] + "_not")


def test_an_error_names_no_secret_and_no_password(postgres_url: str) -> None:
    address = postgres_url.replace("@", ":hunter2@", 1)
    with open_state(address) as state:
        with state._database.write() as connection:
            connection.execute(text("ALTER TABLE pointsman_subject_keys DROP COLUMN made_us"))
        with pytest.raises(StateUnavailable) as caught:
            state.subject_keys.key("acme", "ada")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in str(error)
        assert "parameters: {" not in str(error)
        error = error.__cause__
