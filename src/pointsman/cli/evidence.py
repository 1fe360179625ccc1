"""`pointsman evidence`: what documents, images, tables and logs say, with where they say it."""

import csv
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from pointsman.cli.evidence_data import profile, sql
from pointsman.cli.evidence_documents import parts, replaced, tables, text
from pointsman.cli.evidence_tokens import tokens
from pointsman.cli.output import json_option, note, print_json, table
from pointsman.domain.errors import UsageError

_EXAMPLES = """\b
Examples:
  pointsman evidence logs --in app.log
  pointsman evidence text --in runbook.pdf --out runbook.txt
  pointsman evidence tables --in report.pdf --json
"""
_LOGS = """The templates a log is made of: what its lines say, with `<*>` for what varies.

\b
Examples:
  pointsman evidence logs --in app.log
  pointsman evidence logs --in app.log.gz --out lines.csv
  pointsman evidence logs --in app.log --json

Lines are given as they are; what they begin with (time, level, process) is learned from the first
2,000 and left out. Nothing is set for a system. With --out a CSV has LineId (from 1), EventId and
EventTemplate for every line. A line is told by its first 4,000 characters.
"""
_SHOWN = 30


@click.group(help="What is in documents, images, tables and logs.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


for verb in (text, tables, parts, tokens, profile, sql):
    command.add_command(verb)


@command.command("logs", help=_LOGS)
@click.option("--in", "path", required=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A log, as text or .gz.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path),
              help="A CSV with the template of every line.")  # fmt: skip
@json_option
def logs(path: Path, out: Path | None, as_json: bool) -> None:
    """Templates."""
    from pointsman.evidence.logs.mining import mine, rows

    with _lines(path) as lines:
        mined = mine(lines)
    if out is not None:
        with replaced(out) as file:
            writer = csv.writer(file)
            writer.writerow(["LineId", "EventId", "EventTemplate"])
            writer.writerows(rows(mined))
    by_count = sorted(mined.templates, key=lambda each: (-each.count, each.first_line))
    if as_json:
        print_json(
            {"lines": mined.lines, "heading": mined.heading.kinds, "templates": by_count}
        )  # fmt: skip
        return
    shown = [[each.id, str(each.count), f"L{each.first_line}", f"L{each.last_line}", each.text]
             for each in by_count[:_SHOWN]]  # fmt: skip
    click.echo(table(["id", "lines", "first", "last", "template"], shown))
    more = len(by_count) - len(shown)
    note(f"{mined.lines} lines, {len(by_count)} templates" + (f", {more} more" if more > 0 else ""))
    if out is not None:
        note(f"the template of every line is in {out}")


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a log, with progress where that takes long; a broken letter becomes `\ufffd`."""
    opened: IO[bytes] = path.open("rb")
    try:
        raw: Any = gzip.GzipFile(fileobj=opened) if path.suffix == ".gz" else opened
        with click.progressbar(
            length=max(1, path.stat().st_size), label=str(path), file=sys.stderr,
            show_percent=True, width=24, hidden=not sys.stderr.isatty(),
        ) as bar:  # fmt: skip
            yield _read(raw, opened, bar)
    except (gzip.BadGzipFile, EOFError) as error:
        raise UsageError(f"{path} is no whole gzip file", why=str(error)) from error
    finally:
        opened.close()


def _read(raw: IO[bytes], opened: IO[bytes], bar: Any) -> Iterator[str]:
    at = 0
    for number, line in enumerate(raw):
        if not number & 0xFFFF:
            now = opened.tell()
            bar.update(now - at)
            at = now
        yield line.decode("utf-8", "replace").rstrip("\r\n")
