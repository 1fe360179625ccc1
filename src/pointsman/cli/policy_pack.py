"""`pointsman policy pack`: the packs of rules for a domain that come with us."""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from pointsman.cli.output import json_option, note, print_json, table
from pointsman.domain.errors import UsageError

_GROUP = """Packs of rules for a domain, with their tests: to copy, read and make your own.

\b
Examples:
  pointsman policy pack list
  pointsman policy pack copy finance --to policies/
"""
_LIST = """Which packs there are.

\b
Examples:
  pointsman policy pack list
  pointsman policy pack list --json
"""
_SHOW = """Print a pack, as `copy` would write it.

\b
Examples:
  pointsman policy pack show finance
"""
_COPY = """Copy packs into a folder of policies; never over a file that is there.

\b
Examples:
  pointsman policy pack copy customer-support finance --to policies/
  pointsman policy test policies/*.yaml

Name the copies under `policies:` of the configuration to bind them.
"""


@click.group("pack", help=_GROUP)
def pack() -> None:
    """The packs."""


@pack.command("list", help=_LIST)
@json_option
def list_packs(as_json: bool) -> None:
    """Names."""
    from pointsman.config.policies import parse_policy

    rows = []
    for name, text in packs().items():
        spec = parse_policy(text, name=f"{name}.yaml")
        rows.append(
            {
                "name": name,
                "about": _about(text),
                "rules": len(spec.rules),
                "tests": len(spec.tests),
                "digest": f"sha256:{spec.digest}",
            }
        )
    if as_json:
        print_json(rows)
        return
    shown = [[str(row[key]) for key in ("name", "rules", "tests", "about")] for row in rows]
    click.echo(table(["pack", "rules", "tests", "about"], shown))


@pack.command("show", help=_SHOW)
@click.argument("name")
def show(name: str) -> None:
    """One."""
    click.echo(_pack(name), nl=False)


@pack.command("copy", help=_COPY)
@click.argument("names", nargs=-1, required=True)
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="The folder, made where it is not there.")  # fmt: skip
@json_option
def copy(names: tuple[str, ...], to: Path, as_json: bool) -> None:
    """Yours."""
    texts = {to / f"{name}.yaml": _pack(name) for name in names}
    for path in texts:
        if path.exists():
            raise UsageError(
                f"{path} is there already", next="move it away, or name another folder"
            )
    to.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    if as_json:
        print_json([str(path) for path in texts])
        return
    for path in texts:
        click.echo(str(path))
    note("read them, change what is not yours, run `pointsman policy test`, and name them under "
         "`policies:`")  # fmt: skip


def packs() -> Mapping[str, str]:
    """The text of every pack, by name."""
    folder = files("pointsman.policy") / "packs"
    return {
        each.name.removesuffix(".yaml"): each.read_text(encoding="utf-8")
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".yaml")
    }


def _pack(name: str) -> str:
    known = packs()
    if name not in known:
        raise UsageError(
            f"There is no pack called {name[:64]!r}",
            why=f"there are {', '.join(known)}",
            next="see `pointsman policy pack list`",
        )
    return known[name]


def _about(text: str) -> str:
    """The first line of its comment."""
    found = re.match(r"# (?:[\w ]+: )?(.*)", text)
    return found.group(1) if found is not None else ""
