"""The bounded child that holds tables: `python -m pointsman.evidence.tables.child`.

Files come as open descriptors; once they are loaded the database can reach nothing and nobody can
change that, and only then is anything of the question looked at.
"""

import datetime
import decimal
import os
from typing import Any

from pointsman.evidence.bounded_child import Refused, answer
from pointsman.evidence.tables.profiling import profile
from pointsman.evidence.tables.statement import checked

_MOST_ROWS = 10_000  # of a result
_MOST_CELL = 10_000  # letters
_BATCH = 200  # rows of a workbook
_LOCKS = (  # in this order: some may not be set once others are
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)


def work(content: bytes, options: dict[str, Any]) -> Any:
    """A profile of each table, or the result of one SELECT over them."""
    try:
        import duckdb
        import sqlglot  # noqa: F401
    except ImportError as error:
        raise Refused("extra", why=f"SQL over tables needs the extra `tables`: {error}",
                      next='pip install "pointsman[tables]"') from error  # fmt: skip
    base = duckdb.connect(":memory:")
    try:
        base.execute(f"SET memory_limit = '{int(options.get('memory_mb', 512))}MB'")
        base.execute("SET threads = 1")
        for file in options["files"]:
            _load(base, file)
        functions = {
            name for (name,) in base.execute(
                "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN "
                "('scalar', 'aggregate', 'macro')").fetchall()
        }  # fmt: skip
        for lock in _LOCKS:
            base.execute(lock)
        names = [file["table"] for file in options["files"]]
        if "sql" not in options:
            return [profile(base, name) for name in names]
        return _result(base, checked(options["sql"], names, functions), int(options["rows"]))
    except duckdb.OutOfMemoryException as error:
        raise Refused("needs too much memory", why=str(error).splitlines()[0][:200]) from error
    except duckdb.Error as error:
        raise Refused("cannot be worked on", why=str(error).splitlines()[0][:300]) from error


def _load(base: Any, file: dict[str, Any]) -> None:
    """One table with its rows' numbers in the file as `_row`, the head counted as row 1."""
    name, kind, path = _quoted(file["table"]), file["kind"], f"/dev/fd/{int(file['fd'])}"
    if kind == "xlsx":
        _load_workbook(base, name, int(file["fd"]), str(file.get("sheet") or ""))
        return
    source = f"read_parquet('{path}')"
    if kind == "csv":
        source = f"read_csv('{path}', header = true, sample_size = 50000, max_line_size = 16000000)"
    first = 2 if kind == "csv" else 1
    base.execute(
        f"CREATE TABLE {name} AS SELECT row_number() OVER () + {first - 1} AS _row, * FROM {source}"
    )


def _load_workbook(base: Any, name: str, fd: int, sheet: str) -> None:
    import io

    import python_calamine

    from pointsman.evidence.documents.archives import check_archive

    with os.fdopen(os.dup(fd), "rb") as file:
        content = file.read()
    check_archive(content)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    if sheet and sheet not in book.sheet_names:
        raise Refused("has no such sheet", why=f"there are {', '.join(book.sheet_names)[:300]}")
    rows = book.get_sheet_by_name(sheet or book.sheet_names[0]).to_python()
    if not rows:
        raise Refused("is empty")
    heads = _heads([str(head) for head in rows[0]])
    columns = ", ".join(f"{_quoted(head)} VARCHAR" for head in heads)
    base.execute(f"CREATE TABLE {name} (_row BIGINT, {columns})")
    width = len(heads)
    for at in range(1, len(rows), _BATCH):
        batch = rows[at : at + _BATCH]
        values = [v for i, row in enumerate(batch) for v in (at + i + 1, *_cells(row, width))]
        one = "(" + ", ".join("?" * (width + 1)) + ")"
        base.execute(f"INSERT INTO {name} VALUES " + ", ".join([one] * len(batch)), values)
    for head in heads:
        column = _quoted(head)
        for kind, fits in (
            ("BIGINT", f"regexp_full_match({column}, '-?[0-9]{{1,18}}')"),
            ("DOUBLE", f"TRY_CAST({column} AS DOUBLE) IS NOT NULL"),
            ("TIMESTAMP", f"TRY_CAST({column} AS TIMESTAMP) IS NOT NULL"),
        ):
            others = f"SELECT count(*) FROM {name} WHERE {column} IS NOT NULL AND NOT ({fits})"
            if not base.execute(others).fetchone()[0]:
                base.execute(f"ALTER TABLE {name} ALTER {column} TYPE {kind}")
                break


def _cells(row: list[Any], width: int) -> list[str | None]:
    said = [None if value in ("", None) else _whole(value) for value in row[:width]]
    return said + [None] * (width - len(said))


def _whole(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _heads(heads: list[str]) -> list[str]:
    """Names of columns: none empty, no two alike."""
    found: list[str] = []
    for i, head in enumerate(heads):
        name = head.strip() or f"column{i}"
        while name.lower() in {"_row", *(each.lower() for each in found)}:
            name += "_"
        found.append(name)
    return found


def _result(base: Any, sql: str, most: int) -> dict[str, Any]:
    most = min(most, _MOST_ROWS)
    done = base.execute(f"SELECT * FROM ({sql}) LIMIT {most + 1}")
    columns = [{"name": column[0], "type": str(column[1])} for column in done.description]
    rows = done.fetchmany(most + 1)
    return {"sql": sql, "columns": columns, "truncated": len(rows) > most,
            "rows": [[_plain(value) for value in row] for row in rows[:most]]}  # fmt: skip


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case decimal.Decimal():
            return str(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)[:_MOST_CELL]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    answer(work)
