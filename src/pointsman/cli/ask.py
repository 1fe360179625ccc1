"""`pointsman ask`: one question to a running gateway."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from pointsman.cli.output import json_option, note, print_json, print_lines, printable
from pointsman.client import DEFAULT_URL, Client
from pointsman.domain.errors import UsageError

_HELP = """Ask a running gateway and print the answer.

\b
Examples:
  pointsman ask "Summarise: the disk of db-3 is full" --model task:summary
  cat ticket.txt | pointsman ask - --model auto --json
"""


@click.command(help=_HELP)
@click.argument("text")
@click.option("--model", "-m", default="auto", show_default=True, help="Task, route, deployment.")
@click.option("--url", envvar="POINTSMAN_URL", default=DEFAULT_URL, show_default=True)
@click.option("--key", envvar="POINTSMAN_API_KEY", help="Or POINTSMAN_API_KEY.")
@click.option("--stream/--no-stream", default=None, help="Default: as a terminal would like it.")
@json_option
def command(
    text: str, model: str, url: str, key: str | None, stream: bool | None, as_json: bool
) -> None:
    """The answer to stdout; trace and deployment to stderr."""
    client = Client(url, api_key=key)
    question = _standard_input() if text == "-" else text
    if stream if stream is not None else sys.stdout.isatty() and not as_json:
        return _print_stream(client.stream(question, model=model), as_json)
    answer = client.ask(question, model=model)
    if as_json:
        return print_json(answer)
    for choice in answer.get("choices", ()):
        _print(choice["message"].get("content") or "")
    click.echo()
    _tell(answer)


def _print_stream(chunks: Iterator[dict[str, Any]], as_json: bool) -> None:
    last: dict[str, Any] = {}
    for last in chunks:
        if as_json:
            print_lines([last])
            continue
        for choice in last.get("choices", ()):
            _print(choice.get("delta", {}).get("content") or "")
    if not as_json:
        click.echo()
        _tell(last)


def _print(text: str) -> None:
    """As it came into a pipe or file; on a terminal without what would steer it."""
    click.echo(printable(text) if sys.stdout.isatty() else text, nl=False)


def _tell(answer: dict[str, Any]) -> None:
    if answer.get("x_trace"):
        who = answer.get("x_deployment") or "answered"
        failed = {"false": " · the task's checks failed", "unjudged": " · not checked"}
        checks = failed.get(answer.get("x_verified") or "", "")
        note(f"{who}{checks} · pointsman trace show {answer['x_trace']}")


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8: {error}", next="convert it") from None
