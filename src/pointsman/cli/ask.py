"""`pointsman ask`: one question to a running gateway."""

import sys

import click

from pointsman.cli.output import json_option, note, print_json
from pointsman.client import DEFAULT_URL, Client

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
    question = sys.stdin.read() if text == "-" else text
    if stream if stream is not None else sys.stdout.isatty() and not as_json:
        for chunk in client.stream(question, model=model):
            for choice in chunk.get("choices", ()):
                click.echo(choice.get("delta", {}).get("content") or "", nl=False)
        click.echo()
        return
    answer = client.ask(question, model=model)
    if as_json:
        print_json(answer)
        return
    click.echo(answer["choices"][0]["message"].get("content") or "")
    note(f"{answer['x_deployment']} · pointsman trace show {answer['x_trace']}")
