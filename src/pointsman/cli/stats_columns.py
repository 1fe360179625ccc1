"""What the verbs of `pointsman stats` share: options, columns of a file, how numbers are told."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import note, print_json, table
from pointsman.domain.errors import UsageError
from pointsman.stats.estimate import Estimate

in_option = click.option(
    "--in", "path", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .csv, .parquet or .jsonl file.",
)  # fmt: skip
cluster_option = click.option("--cluster", help="A column: cases with one value of it depend.")
level_option = click.option(
    "--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.9999),
    help="Coverage of intervals.",
)  # fmt: skip


def columns_option(names: str) -> Callable[[Any], Any]:
    """--columns, of which these are wanted."""
    return click.option("--columns", required=True, help=f"Names of columns: {names}.")


def names_of(columns: str, count: int) -> list[str]:
    """The names in --columns. Raises: UsageError unless there are so many."""
    names = [name.strip() for name in columns.split(",")]
    if len(names) != count or not all(names):
        raise UsageError(
            f"--columns wants {count} names, and got {columns!r}", next="see --help",
            param="--columns",
        )  # fmt: skip
    return names


def columns_in(path: Path, names: Sequence[str] | None) -> dict[str, list[Any]]:
    """Columns of a file by name; all of them where none is named. Raises: UsageError."""
    from pointsman.cli.columns import read_columns

    data = read_columns(path, names)
    for name in names or ():
        if name not in data:
            raise no_column(path, name, data)
    return data


def no_column(path: Path, name: str, data: dict[str, list[Any]]) -> UsageError:
    """The error that names the columns there are."""
    return UsageError(
        f"{path} has no column {name!r}", why=f"it has {', '.join(list(data)[:20])}",
        next="name one of them", param="--columns",
    )  # fmt: skip


def complete(data: dict[str, list[Any]], names: Sequence[str]) -> tuple[dict[str, list[Any]], int]:
    """Only the cases that have a value in each of these columns, and how many have not."""
    n = len(next(iter(data.values()), []))
    whole = [at for at in range(n) if not any(is_empty(data[name][at]) for name in names)]
    return {name: [values[at] for at in whole] for name, values in data.items()}, n - len(whole)


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0}


def numbers_of(values: Sequence[Any], name: str) -> list[float]:
    """Cells as numbers, yes/no as 1 and 0. Raises: UsageError, with the case."""
    made = []
    for at, value in enumerate(values):
        try:
            word = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
            number = word if word is not None else float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"{name} holds {str(value)[:40]!r}, no number (case {at})", param="--columns"
            ) from None
        if not math.isfinite(number):
            raise UsageError(f"{name} holds {number} (case {at})", param="--columns")
        made.append(number)
    return made


def yes_no(values: Sequence[Any], name: str) -> list[bool]:
    """Cells as yes or no. Raises: UsageError, with the case."""
    numbers = numbers_of(values, name)
    for at, number in enumerate(numbers):
        if number not in (0.0, 1.0):
            raise UsageError(
                f"{name} holds {number:g}, neither yes nor no (case {at})", param="--columns"
            )
    return [number == 1.0 for number in numbers]


def plain(value: Any) -> Any:
    """A cell as something that can be compared."""
    return value if isinstance(value, str | int | float | bool) else str(value)


def shares_of(text: str) -> dict[str, float]:
    """`a=0.9,b=0.1`. Raises: UsageError."""
    made = {}
    for part in text.split(","):
        arm, _, share = part.partition("=")
        try:
            made[arm.strip()] = float(share)
        except ValueError:
            raise UsageError(
                f"{part!r} is no share", next="write --expected a=0.9,b=0.1", param="--expected"
            ) from None
    return made


def print_estimate(name: str, said: Estimate, missing: int, as_json: bool, method: str) -> None:
    """One number with its doubt, and what it stands on."""
    if as_json:
        stands = stands_on(method, enough=bounded(said))
        print_json({"missing": missing, **said.as_dict(), **stands})
        return
    say([(name, said)])
    if not bounded(said):
        note("not enough data for an interval on both sides")
    tell_missing(missing)


def bounded(said: Estimate) -> bool:
    """Whether the data hold enough for a number with an interval on both sides."""
    return None not in (said.value, said.low, said.high)


def stands_on(method: str, *, enough: bool) -> dict[str, Any]:
    """The method, what it assumes, and whether there was enough data for it."""
    from pointsman.stats.methods import METHODS

    said = METHODS[method]
    return {"enough_data": enough, "method": said.does, "assumptions": list(said.assumes),
            "source": said.source}  # fmt: skip


def say(rows: Sequence[tuple[str, Estimate]]) -> None:
    """A table of estimates."""
    said = [
        [name, shown(each.value), f"{shown(each.low)} to {shown(each.high)}", str(each.n)]
        for name, each in rows
    ]
    level = f"{rows[0][1].level:.0%} interval"
    click.echo(table(["", "value", level, "n"], said))


def shown(value: float | None) -> str:
    """A number for people."""
    return "-" if value is None else f"{value:.6g}"


def tell_missing(missing: int) -> None:
    """A remark where cases were left out."""
    if missing:
        note(f"{missing} cases without a value were left out")
