"""Columns of a user's own file, by name: CSV, Parquet or JSON lines, read by DuckDB."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pointsman.domain.errors import UsageError

_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".parquet": "read_parquet",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}


def read_columns(path: Path, names: Sequence[str] | None) -> dict[str, list[Any]]:
    """These columns of a file, or all; those that it does not have are left out.

    Raises: UsageError for a file of another kind, or one that is not what its name says.
    """
    import duckdb

    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path} is of no kind that is read here",
            why=f"known are {', '.join(_READERS)}",
            next="write it as one of them",
        )
    connection = duckdb.connect(":memory:")
    try:
        rows = connection.execute(f"SELECT * FROM {reader}(?) LIMIT 0", [str(path)])  # noqa: S608
        known = [column[0] for column in rows.description or ()]
        wanted = known if names is None else [name for name in names if name in known]
        if not wanted:
            return {name: [] for name in known}
        chosen = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted)
        found = connection.execute(f"SELECT {chosen} FROM {reader}(?)", [str(path)]).fetchall()  # noqa: S608
    except duckdb.Error as error:
        why = str(error).splitlines()[0][:200]
        raise UsageError(f"{path} cannot be read", why=why) from error
    finally:
        connection.close()
    return {name: [row[at] for row in found] for at, name in enumerate(wanted)}
