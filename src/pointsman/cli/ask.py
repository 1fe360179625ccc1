"""`pointsman ask`: one question to a running gateway."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import (
    DEFAULT_CONFIG,
    json_option,
    load_config,
    note,
    print_json,
    print_lines,
    printable,
)
from pointsman.client import DEFAULT_URL, Client
from pointsman.domain.errors import UsageError
from pointsman.domain.transport import UNIX

_HELP = """Ask a running gateway and print the answer.

\b
Examples:
  pointsman ask "Summarise: the disk of db-3 is full" --model task:summary
  cat ticket.txt | pointsman ask - --model auto --json
"""


@click.command(help=_HELP)
@click.argument("text")
@click.option("--model", "-m", default="auto", show_default=True, help="Task, route, deployment.")
@click.option("--url", envvar="POINTSMAN_URL", help=f"Default: {DEFAULT_URL}, or what -c says.")
@click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The running gateway's file: where it listens.",
)
@click.option("--key", envvar="POINTSMAN_API_KEY", help="Or POINTSMAN_API_KEY.")
@click.option("--stream/--no-stream", default=None, help="Default: as a terminal would like it.")
@json_option
def command(
    text: str,
    model: str,
    url: str | None,
    config_path: Path | None,
    key: str | None,
    stream: bool | None,
    as_json: bool,
) -> None:
    """The answer to stdout; trace and deployment to stderr."""
    if url is None:
        url = DEFAULT_URL if config_path is None else _listens(config_path)
    client = Client(url, api_key=key)
    question = _standard_input() if text == "-" else text
    if stream if stream is not None else sys.stdout.isatty() and not as_json:
        return _print_stream(client.stream(question, model=model), as_json, config_path)
    answer = client.ask(question, model=model)
    if as_json:
        return print_json(answer)
    for choice in answer.get("choices", ()):
        _print(choice["message"].get("content") or "")
    click.echo()
    _tell(answer, config_path)


def _print_stream(
    chunks: Iterator[dict[str, Any]], as_json: bool, config_path: Path | None
) -> None:
    last: dict[str, Any] = {}
    for last in chunks:
        if as_json:
            print_lines([last])
            continue
        for choice in last.get("choices", ()):
            _print(choice.get("delta", {}).get("content") or "")
    if not as_json:
        click.echo()
        _tell(last, config_path)


def _print(text: str) -> None:
    """As it came into a pipe or file; on a terminal without what would steer it."""
    click.echo(printable(text) if sys.stdout.isatty() else text, nl=False)


def _listens(path: Path) -> str:
    """Where the gateway of that file is asked from this machine. Raises: UsageError."""
    server = load_config(path).server
    host = next((host for host in server.hosts if not host.startswith(UNIX)), None)
    if host is None:
        raise UsageError(
            f"the gateway of {path} listens on UNIX sockets alone",
            next="curl --unix-socket asks there; `server.host` takes addresses beside them",
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  asked, not bound
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls else 'http'}://{name}:{server.port}/v1"


def _tell(answer: dict[str, Any], config_path: Path | None) -> None:
    if answer.get("x_trace"):
        who = answer.get("x_deployment") or "answered"
        failed = {"false": " · the task's checks failed", "unjudged": " · not checked"}
        checks = failed.get(answer.get("x_verified") or "", "")
        note(f"{who}{checks} · pointsman trace show {answer['x_trace']}{_file(config_path)}")


def _file(config_path: Path | None) -> str:
    """What the command needs to find the journal from here, so that it can be pasted."""
    if config_path is not None:
        return f" -c {shlex.quote(str(config_path))}"
    found_alone = os.environ.get("POINTSMAN_CONFIG") or Path(DEFAULT_CONFIG).exists()
    return "" if found_alone else " -c THE_GATEWAYS_FILE"


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8: {error}", next="convert it") from None
