"""`pointsman init`: a configuration for what runs on this machine."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import DEFAULT_CONFIG, json_option, note, print_json, printable
from pointsman.cli.writing import refuse_existing, write_new
from pointsman.discovery.evidence import TITLES
from pointsman.discovery.looking import Found, look_around
from pointsman.discovery.places import HABITS, LOOPBACK, places
from pointsman.discovery.providers import Provider, with_credentials
from pointsman.domain.errors import UpstreamError, UsageError

_HELP = """Look for engines on this machine and for credentials in the environment, and write a
configuration for them. Asks before it writes; elsewhere than on a terminal it needs --yes.

\b
Examples:
  pointsman init
  pointsman init --yes --port-of vllm=8001 --port-of vllm=8002
  pointsman init --dry-run --host 10.0.0.7

Only this machine is looked at unless --host names another. Of a credential the file holds the
name of its variable, never the value. Where requests would leave this machine, no route takes
that way unless you say so (--hosted).
"""
_CONNECT_S, _TOTAL_S = 0.5, 2.0


@click.command(help=_HELP)
@click.option(
    "--out",
    "path",
    default=DEFAULT_CONFIG,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option("--host", "hosts", multiple=True, help="Look here instead; may be repeated.")
@click.option(
    "--port-of",
    "ports",
    multiple=True,
    metavar="ENGINE=PORT",
    help=f"Where an engine listens ({', '.join(HABITS)}); may be repeated.",
)
@click.option("--hosted/--no-hosted", default=None, help="Let the route use hosted services.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print the file; write nothing.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
def command(
    path: Path,
    hosts: tuple[str, ...],
    ports: tuple[str, ...],
    hosted: bool | None,
    yes: bool,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Exit 5 where nothing was found and nothing can be served from here."""
    asks = sys.stdin.isatty() and not (yes or dry_run or as_json)
    if not (asks or yes or dry_run):
        raise UsageError("nobody is here to ask", next="say --yes, or --dry-run to see the file")
    if not dry_run:
        refuse_existing(path, force=force)
    where = places(hosts or (LOOPBACK,), _ports(ports))
    found = asyncio.run(_look(where))
    providers = with_credentials(os.environ)
    _tell(found, providers)
    if asks and providers and hosted is None and _local(found):
        hosted = click.confirm("May routes send requests to hosted services?", err=True)
    text, names = _file(found, providers, hosted=bool(hosted), path=path, asks=asks)
    if as_json:
        print_json(_document(found, providers, names, path=path, written=not dry_run, text=text))
    elif dry_run:
        click.echo(text, nl=False)
    if dry_run:
        return
    if asks:
        path = Path(click.prompt("Write it to", default=str(path), err=True))
        refuse_existing(path, force=force)
    write_new(path, text, force=force)
    _end(path)


def _ports(words: Sequence[str]) -> dict[str, list[int]]:
    ports: dict[str, list[int]] = {}
    for word in words:
        engine, _, port = word.partition("=")
        if engine not in HABITS or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise UsageError(
                f"--port-of {word!r} names no engine and port",
                next=f"one of {', '.join(HABITS)}, as in --port-of vllm=8001",
            )
        ports.setdefault(engine, []).append(int(port))
    return ports


async def _look(where: Sequence[Any]) -> tuple[Found, ...]:
    from pointsman.cli.fetching import fetching

    async with fetching(connect_s=_CONNECT_S, total_s=_TOTAL_S) as fetch:
        return await look_around(where, fetch, env=os.environ)


def _local(found: Sequence[Found]) -> bool:
    return any(each.models and each.kind != "pointsman" for each in found)


def _tell(found: Sequence[Found], providers: Sequence[Provider]) -> None:
    """What was found, on stderr."""
    for each in found:
        names = ", ".join(model.id for model in each.models[:6])
        more = f" and {len(each.models) - 6} more" if len(each.models) > 6 else ""
        said = f"serves {names}{more}" if names else "lists no model"
        if each.locked:
            variable = each.place.key_variable
            said = "wants a key" + (f": set {variable}" if variable else "")
        if each.kind == "pointsman":
            said = "is a gateway of ours, and not put behind itself"
        note(printable(f"found  {TITLES[each.kind]} at {each.place.origin} {said}"))
    for service in providers:
        note(f"found  {service.variable} in the environment: {service.name}")


def _file(
    found: Sequence[Found],
    providers: Sequence[Provider],
    *,
    hosted: bool,
    path: Path,
    asks: bool,
) -> tuple[str, list[str]]:
    """The text, and what it lets a client ask for. Raises: UpstreamError where there is nothing."""
    from pointsman.answering.targets import Targets
    from pointsman.cli.init_file import file_text
    from pointsman.config import parse
    from pointsman.discovery.proposing import propose

    if not _local(found) and not providers:
        text = _embedded(path, asks=asks)
        return text, ["task:ticket", "auto"]
    proposal = propose(found, providers, hosted_steps=hosted)
    if not proposal.deployments:
        raise UpstreamError(
            "what answers here lists no model that chats", next="load one, or name another --host"
        )
    text = file_text(proposal)
    return text, Targets(parse(text, env=os.environ)).names()


def _embedded(path: Path, *, asks: bool) -> str:
    """The portfolio that comes with the package, where its engine is installed."""
    from pointsman.backends.embedded_engine import require_extra
    from pointsman.demo.portfolio import configuration
    from pointsman.domain.errors import ExtraMissing

    nothing = "no engine answers on this machine, and no credential is in the environment"
    try:
        require_extra()
    except ExtraMissing:
        raise UpstreamError(
            nothing,
            why=f"looked for {', '.join(HABITS)} on their usual ports",
            next='start one, or --port-of ENGINE=PORT, or pip install "pointsman[local]"',
        ) from None
    note(f"{nothing}: the three embedded models can be served instead")
    if asks and not click.confirm("Write a configuration for them?", default=True, err=True):
        raise click.exceptions.Abort
    return configuration(path=str(path), journal=".pointsman")


def _document(
    found: Sequence[Found],
    providers: Sequence[Provider],
    names: list[str],
    *,
    path: Path,
    written: bool,
    text: str,
) -> dict[str, Any]:
    engines = [
        {
            "base_url": each.base_url,
            "engine": each.kind,
            "because": each.because,
            "models": [model.id for model in each.models],
        }
        for each in found
    ]
    variables = [each.variable for each in providers]
    return {
        "found": engines,
        "credentials": variables,
        "file": str(path),
        "written": written,
        "can_be_asked": names,
        "text": text,
    }


def _end(path: Path) -> None:
    """What to type next, on stderr."""
    option = "" if str(path) == DEFAULT_CONFIG else f" -c {path}"
    note(f"wrote  {path}")
    note(f"next   pointsman check{option}")
    note(f"       pointsman serve{option}")
    note('       pointsman ask "Good morning" -m auto')
