"""`pointsman report`: the number that matters, by task and by route."""

from pathlib import Path

import click

from pointsman.cli.output import (
    config_option,
    json_option,
    open_workspace,
    print_json,
    since_us,
    warn_of_faults,
    width,
)

_HELP = """Requests, accepted rate, cost per accepted output, latency and steps.

Every rate and ratio comes with its 95 % interval and n.

\b
Examples:
  pointsman report
  pointsman report --task support-reply --hours 24 --json
"""


@click.command(help=_HELP)
@config_option
@click.option("--task", help="Only this task.")
@click.option("--hours", type=float, help="Only the last so many hours.")
@click.option(
    "--fast/--exact",
    default=None,
    help="Take whole days from their sums, or none; by default over long ranges.",
)
@json_option
def command(
    config_path: Path, task: str | None, hours: float | None, fast: bool | None, as_json: bool
) -> None:  # fmt: skip
    """From the journal; no server needed."""
    from pointsman.analytics.text import render_report

    workspace = open_workspace(config_path)
    report = workspace.report(since_us=since_us(hours), task=task, fast=fast)
    warn_of_faults(workspace)
    if as_json:
        print_json(report)
    else:
        click.echo(render_report(report, width=width()), nl=False)
