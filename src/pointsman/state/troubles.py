"""What a driver says, as what happened, why and what to do next; no value of a row is quoted."""

from typing import Any

from pointsman.domain.errors import StateUnavailable

_What = tuple[str, str]  # why, next

_SQLITE: dict[str, _What] = {
    "BUSY": (
        "another process held it for writing longer than we wait",
        "find who holds it (fuser names the process), or use PostgreSQL for many writers",
    ),
    "LOCKED": ("another connection held a table longer than we wait", "try again"),
    "READONLY": (
        "it cannot be written: the file, its folder or its file system is read-only",
        "give this user the right to write the file and its folder",
    ),
    "FULL": ("the disk is full", "free space on its disk; nothing is half written"),
    "IOERR": (
        "the operating system could not read or write it",
        "look at the disk's space, quota and health; nothing is half written",
    ),
    "CORRUPT": (
        "the file is damaged",
        "stop every process, keep the file, restore it from a backup or try `sqlite3 .recover`",
    ),
    "NOTADB": (
        "the file is not a SQLite database, or its head is damaged",
        "put state.url right, or restore the file from a backup",
    ),
    "CANTOPEN": (
        "the file cannot be opened",
        "look whether its folder exists and this user may write there",
    ),
    "PERM": ("this user may not open it", "give this user the file and its folder"),
    "ERROR": (
        "a table is not what it should be: changed by another program?",
        "restore the file from a backup",
    ),
}

_POSTGRES: dict[str, _What] = {
    "08": ("the connection was lost", "look whether PostgreSQL runs; the next call connects anew"),
    "28": (
        "PostgreSQL refused the user or password",
        "put the user and password of state.url right",
    ),
    "3D": ("there is no such database", "create it, or put state.url right"),
    "3F": ("there is no such schema", "create it, or put the search_path right"),
    "42501": ("the user may not do this", "grant the user CREATE and USAGE on the schema"),
    "42": (
        "a table is not what it should be: changed or dropped by another program?",
        "restore the database from a backup",
    ),
    "25006": ("PostgreSQL takes no writes: a standby, or set read-only", "name the primary server"),
    "25P03": ("PostgreSQL ended a transaction that stood still", "try again"),
    "40": ("PostgreSQL undid it for another transaction's sake", "try again"),
    "53100": ("the disk of PostgreSQL is full", "free space on its disk; nothing is half written"),
    "53300": ("PostgreSQL has no connection left", "raise its max_connections, or run fewer"),
    "53": ("PostgreSQL is out of resources", "look at its log"),
    "55P03": ("another transaction held a lock longer than we wait", "look at pg_locks"),
    "57014": ("a statement ran longer than we wait", "look at PostgreSQL's load and locks"),
    "57": ("PostgreSQL ended the connection", "look whether it runs; the next call connects anew"),
    "58": ("PostgreSQL could not read or write its files", "look at its log and disk"),
    "XX": ("a table or index of PostgreSQL is damaged", "restore it from a backup"),
}
_NO_SERVER = (
    "PostgreSQL does not answer, or the connection was lost",
    "look whether it runs and state.url names it; the next call connects anew",
)


def explained(error: BaseException, place: str) -> StateUnavailable:
    """The error of a driver (sqlite3 or psycopg), in our words and its own."""
    name = getattr(error, "sqlite_errorname", None)
    if name is None and type(error).__module__.startswith("sqlite3"):
        name = "SQLITE_ERROR"
    if name is not None:
        why, next_ = _of_sqlite(name)
    else:
        why, next_ = _of_postgres(error)
    return unavailable(place, why=f"{why} ({_first_line(error)})", next=next_)


def unavailable(place: str, *, why: str, next: str) -> StateUnavailable:
    """The state at a place cannot be used."""
    return StateUnavailable(f"the state {place} cannot be used", why=why, next=next)


def no_connection_free(place: str, wait_s: float) -> StateUnavailable:
    """Every connection of the pool was in use for too long."""
    return unavailable(
        place,
        why=f"no connection became free within {wait_s:g} s",
        next="look what holds them: a slow disk or server, or more threads than connections",
    )


def _of_sqlite(name: str) -> _What:
    kind = name.removeprefix("SQLITE_").split("_")[0]
    return _SQLITE.get(kind, _SQLITE["IOERR"])


def _of_postgres(error: Any) -> _What:
    state = getattr(error, "sqlstate", None) or ""
    for length in (5, 2):
        if (known := _POSTGRES.get(state[:length])) is not None:
            return known
    return _NO_SERVER


def _first_line(error: BaseException) -> str:
    """What the driver says, on one line; details, which may quote a row, are left out."""
    lines = str(error).strip().splitlines()
    name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    said = lines[0][:200] if lines else type(error).__name__
    return f"{said}, {name}" if name else said
