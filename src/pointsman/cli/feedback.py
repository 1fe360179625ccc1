"""`pointsman feedback`: what became of an answer."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from pointsman.cli.output import Progress, config_option, json_option, note, open_workspace
from pointsman.cli.output import print_json as put_json
from pointsman.domain.errors import CheckFailed, UsageError

_EXAMPLES = """\b
Examples:
  pointsman feedback add tr_01J... accepted
  pointsman feedback import outcomes.csv
"""
_ADD = """Record one outcome of a trace (its id, or the answer's own id).

\b
Examples:
  pointsman feedback add tr_01J... accepted
  pointsman feedback add chatcmpl-71 edited --value 0.4 --key ticket-88
"""
_IMPORT = """Record the outcomes of a CSV file with headings, or of one JSON object a line.

\b
Examples:
  pointsman feedback import outcomes.csv
  pointsman feedback import outcomes.jsonl --dry-run --json

Columns: trace (or id), kind, and where they are known value, key, at_us. Good rows are recorded;
the others are named by their line, and the exit code is then 4.
"""
_NAMED = 20  # lines told one by one


@click.group(help="Tell what became of an answer.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("add", help=_ADD)
@config_option
@click.argument("reference")
@click.argument("kind")
@click.option("--value", help='JSON, or else a text: true, 4.5, "resolved".')
@click.option("--key", help="The same key is the same fact, however often it is sent.")
@json_option
def add(
    config_path: Path, reference: str, kind: str, value: str | None, key: str | None, as_json: bool
) -> None:
    """One outcome."""
    row = {"trace": reference, "kind": kind, "value": _value(value), "key": key}
    done, refused = open_workspace(config_path).add_feedback([row], source="cli")
    if refused:
        raise UsageError(refused[0].why, next="pointsman trace list")
    if as_json:
        put_json({"recorded": done})
    else:
        note(f"recorded: {reference} {kind}")


@command.command("import", help=_IMPORT)
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every row, and record none.")
@json_option
def import_file(config_path: Path, file: Path, dry_run: bool, as_json: bool) -> None:
    """Many outcomes."""
    lines = _read(file)
    good = [line for line in lines if line.row is not None]
    progress = Progress(len(good), "checking" if dry_run else "recording")
    done, unfit = open_workspace(config_path).add_feedback(
        [line.row for line in good if line.row is not None],
        source="import",
        progress=progress.update,
        dry_run=dry_run,
    )
    refused = [(line.number, line.why) for line in lines if line.row is None]
    refused += [(good[item.row - 1].number, item.why) for item in unfit]
    done_word = "would be recorded" if dry_run else "recorded"
    progress.close(f"· {done} {done_word}, {len(refused)} refused")
    if as_json:
        put_json(
            {
                "recorded": 0 if dry_run else done,
                **({"would_record": done} if dry_run else {}),
                "refused": [{"line": line, "why": why} for line, why in sorted(refused)],
            }
        )
    for number, why in sorted(refused)[:_NAMED]:
        note(f"{file.name}:{number}: {why}")
    if len(refused) > _NAMED:
        note(f"and {len(refused) - _NAMED} more; --json lists them all")
    if refused:
        how = "cannot be" if dry_run else "were not"
        raise CheckFailed(
            f"{len(refused)} of {len(lines)} rows {how} recorded",
            next="correct them and import the file again: a row with a key counts once",
        )


class _Line(NamedTuple):
    """A row of the file with the line it ends on, or why it is none."""

    number: int
    row: dict[str, Any] | None
    why: str = ""


def _read(file: Path) -> list[_Line]:
    reader: Callable[[str], Iterator[_Line]]
    reader = _csv_lines if file.suffix.lower() == ".csv" else _json_lines
    try:
        return list(reader(file.read_bytes().decode("utf-8-sig")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", next="CSV, or one JSON object a line, in UTF-8"
        ) from error


def _csv_lines(text: str) -> Iterator[_Line]:
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    for row in rows:
        if "" in row:
            yield _Line(rows.line_num, None, "it has more columns than the headings")
            continue
        given = {name: value for name, value in row.items() if value != ""}
        if "value" in given:
            given["value"] = _value(given["value"])
        if given.get("at_us", "").isdecimal():
            given["at_us"] = int(given["at_us"])
        yield _Line(rows.line_num, given)


def _json_lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: a text may hold U+2028
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield _Line(number, None, f"it is not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield _Line(number, row)
        else:
            yield _Line(number, None, "it is not a JSON object")


def _value(text: str | None) -> Any:
    if text is None or text == "":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | str) else text
