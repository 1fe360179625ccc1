"""`pointsman evidence profile`, `sql`: tables of data in short, and asked."""

from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import json_option, note, print_json, printable, table

_PROFILE = """Tables in short: what their columns hold, and rows from all over them.

\b
Examples:
  pointsman evidence profile metrics.csv
  pointsman evidence profile metrics.parquet costs.xlsx --json

CSV, TSV, Parquet and XLSX (its first sheet) are read. A table of at most 50 rows is told whole, of
a larger one five rows that are spread evenly. Rows are told by their numbers in the file.
"""
_SQL = """The result of one SELECT over files, so that figures are computed and not guessed.

\b
Examples:
  pointsman evidence sql --in metrics.csv "SELECT service, max(errors) FROM metrics GROUP BY 1"
  pointsman evidence sql --in a.csv --in b.parquet "SELECT count(*) FROM a JOIN b USING (id)" --json

A file is a table by its name, in small letters with `_` for what is none; `_row` is a row's number
in its file. What runs is told by its parsed form: one SELECT over these tables. It runs in a child
process with bounds of time and memory that reaches no file and no network.
"""
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("profile", help=_PROFILE)
@click.argument("paths", nargs=-1, required=True, type=_existing)
@json_option
def profile(paths: tuple[Path, ...], as_json: bool) -> None:
    """Profiles."""
    from pointsman.evidence.tables.asking import profiles

    found = profiles(paths)
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{each.table}: {each.rows} rows, {len(each.columns)} columns")
        rows = [[printable(c["name"]), c["type"], str(c["nulls"]), str(c["distinct"]),
                 _said(c.get("least")), _said(c.get("most"))] for c in each.columns]  # fmt: skip
        click.echo(table(["column", "type", "nulls", "distinct", "least", "most"], rows))
        heads = ["row", *(printable(c["name"]) for c in each.columns)]
        click.echo("\n" + table(heads, [[str(s.row), *map(_said, s.cells)] for s in each.sample]))


@click.command("sql", help=_SQL)
@click.option("--in", "paths", multiple=True, required=True, type=_existing, help="A table.")
@click.option("--rows", type=click.IntRange(1, 10_000), default=200, show_default=True,
              help="The most rows of the result.")  # fmt: skip
@click.argument("sql")
@json_option
def sql(paths: tuple[Path, ...], rows: int, sql: str, as_json: bool) -> None:
    """A SELECT."""
    from pointsman.evidence.tables.asking import ask

    result = ask(paths, sql, rows=rows)
    if as_json:
        print_json(result)
        return
    heads = [printable(column.name) for column in result.columns]
    click.echo(table(heads, [[_said(value) for value in row] for row in result.rows]))
    if result.truncated:
        note(f"the first {rows} rows; --rows shows more")


def _said(value: Any) -> str:
    return "" if value is None else printable(str(value)).replace("\n", " ")
