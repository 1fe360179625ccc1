"""Tables asked from outside: profiles and results, computed in a bounded child."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import msgspec

from pointsman.domain.errors import DocumentRefused, UsageError
from pointsman.evidence.bounded import Bounds, work

_CHILD = "pointsman.evidence.tables.child"
_MEMORY_MB = 512
# DuckDB reserves far more addresses than it uses, so its own limit is the tighter one
_BOUNDS = Bounds(memory_bytes=6 << 30, cpu_s=30, wall_s=45, output_bytes=64 << 20,
                 input_bytes=2 << 30)  # fmt: skip
_KINDS: dict[str, Literal["csv", "parquet", "xlsx"]] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
_MOST_FILES = 16


class Column(msgspec.Struct, frozen=True):
    """A column of a result."""

    name: str
    type: str


class Result(msgspec.Struct, frozen=True):
    """Rows of a SELECT; `sql` is what ran, written anew from how it was understood."""

    sql: str
    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool


class Sample(msgspec.Struct, frozen=True):
    """A row as it is, by its number in the file (the head is row 1)."""

    row: int
    cells: list[Any]


class Profile(msgspec.Struct, frozen=True):
    """A table in short; all of it where it is `whole`."""

    table: str
    rows: int
    whole: bool
    left_out_columns: int
    columns: list[dict[str, Any]]
    sample: list[Sample]


def profiles(files: Sequence[Path]) -> list[Profile]:
    """Each file in short. Raises: DocumentRefused, UsageError, ExtraMissing."""
    return msgspec.json.decode(_asked(files, {}), type=list[Profile])


def ask(files: Sequence[Path], sql: str, *, rows: int = 200) -> Result:
    """The result of one SELECT over files, each a table by its name, with `_row` its rows' number.

    Raises: DocumentRefused where it may not run, takes too long or too much; UsageError.
    """
    return msgspec.json.decode(_asked(files, {"sql": sql, "rows": rows}), type=Result)


def table_names(files: Sequence[Path]) -> list[str]:
    """The names that files have in SQL: letters, digits and `_` of their own, no two alike."""
    found: list[str] = []
    for path in files:
        name = re.sub(r"\W", "_", path.stem, flags=re.ASCII).strip("_").lower() or "t"
        name = f"t_{name}" if name[0].isdigit() else name
        while name in found:
            name += "_"
        found.append(name)
    return found


def _asked(files: Sequence[Path], options: dict[str, Any]) -> bytes:
    if not 0 < len(files) <= _MOST_FILES:
        raise UsageError(f"one to {_MOST_FILES} files are asked at once")
    with ExitStack() as stack:
        told = []
        descriptors = []
        for path, name in zip(files, table_names(files), strict=True):
            kind = _KINDS.get(path.suffix.lower())
            if kind is None:
                raise DocumentRefused(f"{path.name} is no table that is read",
                                      next="CSV, TSV, Parquet and XLSX are")  # fmt: skip
            file = stack.enter_context(path.open("rb"))
            if path.stat().st_size > _BOUNDS.input_bytes:
                raise DocumentRefused(f"{path.name} is too large")
            descriptors.append(file.fileno())
            told.append({"table": name, "kind": kind, "fd": file.fileno()})
        name = files[0].name if len(files) == 1 or "sql" not in options else "the SQL"
        return work(_CHILD, b"", name="the SQL" if "sql" in options else name, bounds=_BOUNDS,
                    options={"files": told, "memory_mb": _MEMORY_MB, **options},
                    descriptors=descriptors)  # fmt: skip
