"""`pointsman held`: answers that a policy holds until people have looked at them."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from pointsman.cli.output import config_option, json_option, note, open_workspace, print_json, table
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.domain.reviews import Held
    from pointsman.reviewing.desk import Desk

_EXAMPLES = """\b
Examples:
  pointsman held list
  pointsman held show held_01J...
  pointsman held approve held_01J...
"""
_LIST = """Which answers wait, the oldest first.

\b
Examples:
  pointsman held list
  pointsman held list --all --json
"""
_SHOW = """One of them: what was asked, what is to be said, and why it waits.

\b
Examples:
  pointsman held show held_01J...
"""
_APPROVE = """Let an answer go as it is. Some take several persons.

\b
Examples:
  pointsman held approve held_01J...
"""
_EDIT = """Put another text in its place; from a file, or from standard input with -.

\b
Examples:
  pointsman held edit held_01J... --text-file answer.txt
  echo "Please call us." | pointsman held edit held_01J... --text-file -
"""
_REJECT = """Deliver nothing: the client is told that the answer is not delivered.

\b
Examples:
  pointsman held reject held_01J... --note "names a price"
"""
_by_option = click.option("--by", help="Who decides; else the user of this machine.")


@click.group(help="Answers that wait for people.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("list", help=_LIST)
@config_option
@click.option("--all", "everything", is_flag=True, help="Also the decided ones, newest first.")
@json_option
def list_held(config_path: Path, everything: bool, as_json: bool) -> None:
    """Which."""
    with _desk(config_path, decides=False) as desk:
        found = desk.latest() if everything else desk.waiting()
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing waits")
        return
    now_us = _now_us()
    rows = [
        [each.id, each.status_at(now_us), _left(each, now_us), each.task or "-",
         f"{len(each.approvals)} of {each.persons}", each.why]
        for each in found
    ]  # fmt: skip
    click.echo(table(["id", "status", "until", "task", "approved", "why"], rows))


@command.command("show", help=_SHOW)
@config_option
@click.argument("id")
@json_option
def show(config_path: Path, id: str, as_json: bool) -> None:
    """One."""
    with _desk(config_path, decides=False) as desk:
        reading = desk.read(id)
    if as_json:
        print_json(reading)
        return
    held = reading.held
    for name, value in (
        ("status", held.status_at(_now_us())), ("why", held.why), ("trace", held.trace),
        ("task", held.task or "-"), ("asked by", f"{held.tenant} / {held.principal}"),
        ("approved", f"{len(held.approvals)} of {held.persons}"),
        ("digest", (held.edited or held.answer).digest), ("until", _left(held, _now_us())),
    ):  # fmt: skip
        click.echo(f"{name:9} {value}")
    click.echo("\nasked\n" + (reading.request or "(erased)"))
    click.echo("\nto be said\n" + (reading.answer if reading.answer is not None else "(erased)"))


@command.command("approve", help=_APPROVE)
@config_option
@click.argument("id")
@click.option("--digest", help="Of the answer that was read, as `held show` prints it: another "
              "is not approved.")  # fmt: skip
@_by_option
@json_option
def approve(
    config_path: Path, id: str, digest: str | None, by: str | None, as_json: bool
) -> None:  # fmt: skip
    """Go."""
    with _desk(config_path) as desk:
        _said(desk.approve(id, by=_who(by), digest=digest), as_json)


@command.command("edit", help=_EDIT)
@config_option
@click.argument("id")
@click.option("--text-file", required=True, type=click.Path(dir_okay=False, allow_dash=True),
              help="The new text; - for standard input.")  # fmt: skip
@_by_option
@json_option
def edit(config_path: Path, id: str, text_file: str, by: str | None, as_json: bool) -> None:
    """Otherwise."""
    try:
        text = sys.stdin.read() if text_file == "-" else Path(text_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{text_file} cannot be read", why=str(error)) from error
    with _desk(config_path) as desk:
        _said(desk.edit(id, text.rstrip("\n"), by=_who(by)), as_json)


@command.command("reject", help=_REJECT)
@config_option
@click.argument("id")
@click.option("--note", "said", default="", help="Why, for other reviewers; not for the client.")
@_by_option
@json_option
def reject(config_path: Path, id: str, said: str, by: str | None, as_json: bool) -> None:
    """Never."""
    with _desk(config_path) as desk:
        _said(desk.reject(id, by=_who(by), note=said), as_json)


@contextmanager
def _desk(config_path: Path, *, decides: bool = True) -> "Iterator[Desk]":
    with open_workspace(config_path) as workspace:
        yield workspace.review_desk(decides=decides)


def _said(held: "Held", as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(held))
    elif held.status == "waiting":
        click.echo(f"{held.id}: {len(held.approvals)} of {held.persons} persons approve it")
    else:
        click.echo(f"{held.id} is {held.status}")
        if held.status != "rejected":
            note("its client gets it at the next question")


def _who(by: str | None) -> str:
    if by:
        return by
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name
        return f"cli:{os.getuid()}"


def _now_us() -> int:
    return round(datetime.now(UTC).timestamp() * 1e6)


def _left(held: "Held", now_us: int) -> str:
    if held.status != "waiting":
        return "-"
    hours = (held.expires_us - now_us) / 3.6e9
    return f"{hours:.1f} h" if hours > 0 else "over"
