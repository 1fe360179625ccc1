"""A table in short: its columns and what is in them, and rows from all over it; whole if small."""

from typing import Any

_SMALL_ROWS = 50
_SMALL_CELLS = 1000
_SAMPLES = 5
_TOP = 5
_MOST_COLUMNS = 200
_MOST_CELL = 200  # letters
_ORDERED = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "DATE", "TIME", "HUGEINT")


def profile(base: Any, table: str) -> dict[str, Any]:
    """What is known of a loaded table.

    Returns: rows, columns (name, type, nulls, distinct, least, most, quartiles, top), and `sample`:
    all rows of a small table, and of a large one five that are spread evenly, each with its number.
    """
    name = _quoted(table)
    count = base.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    described = base.execute(f"DESCRIBE {name}").fetchall()
    columns = [(row[0], str(row[1])) for row in described if row[0] != "_row"]
    small = count <= _SMALL_ROWS and count * len(columns) <= _SMALL_CELLS
    picked = columns[:_MOST_COLUMNS]
    return {
        "table": table,
        "rows": count,
        "whole": small,
        "left_out_columns": len(columns) - len(picked),
        "columns": [_column(base, name, column, kind) for column, kind in picked],
        "sample": _sample(base, name, [column for column, _ in picked], count, small),
    }


def _column(base: Any, table: str, column: str, kind: str) -> dict[str, Any]:
    it = _quoted(column)
    nulls, distinct = base.execute(
        f"SELECT count(*) - count({it}), approx_count_distinct({it}) FROM {table}"
    ).fetchone()
    found: dict[str, Any] = {"name": column, "type": kind, "nulls": nulls, "distinct": distinct}
    if any(kind.startswith(each) or kind[1:].startswith(each) for each in _ORDERED) or (
        kind.startswith(("BIGINT", "SMALLINT", "TINYINT", "UBIGINT"))
    ):
        row = base.execute(
            f"SELECT min({it}), quantile_disc({it}, [0.25, 0.5, 0.75]), max({it}) FROM {table}"
        ).fetchone()
        found |= {"least": _said(row[0]), "most": _said(row[2]),
                  "quartiles": [_said(value) for value in row[1] or ()]}  # fmt: skip
    rows = base.execute(
        f"SELECT {it}, count(*) AS n FROM {table} WHERE {it} IS NOT NULL GROUP BY 1 "
        f"HAVING n > 1 ORDER BY n DESC, 1 LIMIT {_TOP}"
    ).fetchall()
    return found | {"top": [[_said(value), n] for value, n in rows]}


def _sample(
    base: Any, table: str, columns: list[str], count: int, small: bool
) -> list[dict[str, Any]]:
    listed = ", ".join(_quoted(column) for column in columns)
    step = max(1, count // _SAMPLES)
    where = "" if small else f"WHERE (_row - (SELECT min(_row) FROM {table})) % {step} = 0"
    most = _SMALL_ROWS if small else _SAMPLES
    rows = base.execute(
        f"SELECT _row, {listed} FROM {table} {where} ORDER BY _row LIMIT {most}"
    ).fetchall()
    return [{"row": row[0], "cells": [_said(value) for value in row[1:]]} for row in rows]


def _said(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_MOST_CELL]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
