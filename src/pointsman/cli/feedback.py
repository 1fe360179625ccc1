"""`pointsman feedback`: what became of an answer."""

import csv
import json
from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import Progress, config_option, json_option, note, open_workspace
from pointsman.cli.output import print_json as put_json
from pointsman.domain.errors import UsageError

_EXAMPLES = """\b
Examples:
  pointsman feedback add tr_01J... accepted
  pointsman feedback import outcomes.csv      columns: trace (or id), kind, value, key
"""


@click.group(help="Tell what became of an answer.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("add")
@config_option
@click.argument("reference")
@click.argument("kind")
@click.option("--value", help='JSON, or else a text: true, 4.5, "resolved".')
@click.option("--key", help="The same key is the same fact, however often it is sent.")
@json_option
def add(
    config_path: Path, reference: str, kind: str, value: str | None, key: str | None, as_json: bool
) -> None:
    """Record one outcome of a trace (its id, or the answer's own id)."""
    row = {"trace": reference, "kind": kind, "value": _value(value), "key": key}
    done, refused = open_workspace(config_path).add_feedback([row], source="cli")
    if refused:
        raise UsageError(refused[0].removeprefix("row 1: "), next="pointsman trace list")
    if as_json:
        put_json({"recorded": done})
    else:
        note(f"recorded: {reference} {kind}")


@command.command("import")
@config_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_file(config_path: Path, file: Path, as_json: bool) -> None:
    """Record outcomes from a CSV or JSON-lines file; bad rows are named, good ones are kept."""
    rows = _rows(file)
    progress = Progress(len(rows), "outcomes")
    done, refused = open_workspace(config_path).add_feedback(
        rows, source="import", progress=progress.update
    )
    progress.close(f"· {done} recorded, {len(refused)} refused")
    if as_json:
        put_json({"recorded": done, "refused": refused})
    for message in refused[:20]:
        note(message)
    if refused:
        raise SystemExit(4)


def _rows(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".csv":
            read = [dict(row) for row in csv.DictReader(text.splitlines())]
            return [{**row, "value": _value(row.get("value")), "key": row.get("key") or None}
                    for row in read]  # fmt: skip
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", next="CSV, or one JSON object a line"
        ) from error
    if not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{file}: every line must be a JSON object")
    return rows


def _value(text: str | None) -> Any:
    if text is None or text == "":
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str) else text
