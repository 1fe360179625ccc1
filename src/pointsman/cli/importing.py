"""`pointsman import`: another gateway's configuration as one of ours."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from pointsman.cli.output import json_option, note, print_json, printable
from pointsman.cli.writing import refuse_existing, write_new
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.importing.litellm import Imported
    from pointsman.importing.notes import Note

_EXAMPLES = """\b
Examples:
  pointsman import litellm config.yaml
  pointsman import litellm config.yaml --out pointsman.yaml
"""
_LITELLM = """Turn the config.yaml of a LiteLLM proxy into a file of ours; say on stderr what has
no equivalent and what is only nearly the same. Nothing is asked over the network.

\b
Examples:
  pointsman import litellm config.yaml > pointsman.yaml
  pointsman import litellm config.yaml --out pointsman.yaml --json

Keys that stand in the file go no further: each becomes a variable, which the notes name.
"""
_TITLES = {
    "moved": "to do or to know",
    "approximated": "nearly the same",
    "none": "no equivalent",
}


@click.group(help="Turn another gateway's configuration into one of ours.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("litellm", help=_LITELLM)
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write it there."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
def from_litellm(source: Path, path: Path | None, force: bool, as_json: bool) -> None:
    """The file to stdout or to --out; notes to stderr, or all of it as JSON."""
    from pointsman.config import parse
    from pointsman.importing.litellm import import_litellm

    if path is not None:
        refuse_existing(path, force=force)
    imported = import_litellm(_text_of(source), name=source.name)
    parse(imported.text, env=_filled(imported.variables))  # a promise of ours: it loads
    if path is not None:
        write_new(path, imported.text, force=force)
    if as_json:
        print_json(
            {
                "file": None if path is None else str(path),
                "text": imported.text,
                "variables": imported.variables,
                "notes": msgspec.to_builtins(imported.notes),
            }
        )
        return
    if path is None:
        click.echo(imported.text, nl=False)
    _tell(imported, path)


def _text_of(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{source} is not UTF-8", next="convert it") from None
    except OSError as error:
        raise UsageError(
            f"cannot read {source}", why=error.strerror or str(error), next="check the path"
        ) from None


def _filled(names: Sequence[str]) -> dict[str, str]:
    """The environment as it will be: what is not set yet holds something of the right form."""
    unset = {name: f"http://127.0.0.1:9/{number}" for number, name in enumerate(names)}
    return unset | {name: os.environ[name] for name in names if os.environ.get(name)}


def _tell(imported: "Imported", path: Path | None) -> None:
    for fate, title in _TITLES.items():
        found = [each for each in imported.notes if each.fate == fate]
        if found:
            note(f"{title}:")
            note(printable("\n".join(_lines(found))))
    missing = [name for name in imported.variables if not os.environ.get(name)]
    if missing:
        note(f"variables to set: {', '.join(missing)}")
    if path is not None:
        note(f"wrote {path}\nnext  pointsman check -c {path}")


def _lines(notes: Sequence["Note"]) -> list[str]:
    """One line a sentence, with the places it is about: many entries share one."""
    count = Counter(each.said for each in notes)
    lines = []
    for said in count:
        places = [each.path for each in notes if each.said == said]
        more = f" and {len(places) - 4} more" if len(places) > 4 else ""
        lines.append(f"  {', '.join(places[:4])}{more}: {said}")
    return lines
