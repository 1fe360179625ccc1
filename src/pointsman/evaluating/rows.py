"""Rows of a file by its ending: JSON lines, CSV with a head, Parquet; each with its place."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pointsman.domain.errors import ConfigurationError

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_PARQUET_ROWS = 10_000_000


class Row(NamedTuple):
    """One row: its values by column, and where it stands (`cases.jsonl:7`)."""

    values: dict[str, Any]
    number: int  # from 1
    place: str

    def refused(self, what: str) -> ConfigurationError:
        """The error of this row."""
        return ConfigurationError(f"{self.place}: {what}")


def rows_of(path: Path, *, limit: int) -> Iterator[Row]:
    """The first rows of a file. Raises: ConfigurationError that names file and line."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ConfigurationError(
            f"{path.name}: of an unknown kind", next=f"use one of {', '.join(_READERS)}"
        )
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    try:
        for row in read(path):
            if row.number > limit:
                return
            yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path.name}: cannot be read: {error}") from None


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as lines:
        number = 0
        for at, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), 1):
            place = f"{path.name}:{at}"
            if len(line) > MAX_LINE_BYTES:
                raise ConfigurationError(f"{place}: longer than {MAX_LINE_BYTES >> 20} MiB")
            if not line.strip():
                continue
            number += 1
            try:
                values = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise ConfigurationError(f"{place}: not JSON: {error}") from None
            if not isinstance(values, dict):
                raise ConfigurationError(f"{place}: wants an object")
            yield Row(values, number, place)


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        for number, values in enumerate(reader, 1):
            place = f"{path.name}:{reader.line_num}"
            if None in values or None in values.values():
                raise ConfigurationError(f"{place}: not as many fields as the head has")
            yield Row({k: v if v != "" else None for k, v in values.items()}, number, place)


def _parquet(path: Path) -> Iterator[Row]:
    import duckdb

    try:
        connection = duckdb.connect(":memory:")
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or ()]
        number = 0
        while batch := found.fetchmany(4096):
            for values in batch:
                number += 1
                if number > MAX_PARQUET_ROWS:
                    return
                yield Row(
                    dict(zip(names, values, strict=True)), number, f"{path.name} row {number}"
                )
    except duckdb.Error as error:
        raise ConfigurationError(f"{path.name}: cannot be read", why=str(error)[:200]) from None


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}
