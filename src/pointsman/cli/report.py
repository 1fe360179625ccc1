"""`pointsman report`: the number that matters, by task and by route, over time, what is behind."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.output import (
    config_option,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    since_us,
    warn_of_faults,
    width,
)
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.analytics.report import Group
    from pointsman.analytics.trend import Period, Trend
    from pointsman.client import Workspace

GROUPS = (
    "route", "prompt", "config", "deployment", "policy", "segment", "tenant", "principal", "asked",
)  # fmt: skip
_HELP = """Requests, accepted rate and cost per accepted output; with --full latency and steps.

Every rate and ratio comes with its 95 % interval and n. --trend shows days or weeks, with what
changed meanwhile; --waterfall what an accepted output's cost is made of; --compare-versions a
verdict on two prompts, policies, routes or configurations, on requests that are alike.

\b
Examples:
  pointsman report --full --by config
  pointsman report --task support-reply --hours 24 --json
  pointsman report --trend week --by prompt --plot trend.png
  pointsman report --waterfall
  pointsman report --by prompt --compare-versions support@v1 support@v2
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
@click.option(
    "--by",
    type=click.Choice(list(GROUPS)),
    help="What requests of a task are told apart by; the route, where nothing is said.",
)
@click.option("--full", is_flag=True, help="Times, steps and failures too.")
@click.option("--trend", "period", type=click.Choice(["day", "week"]), help="By day or week.")
@click.option("--waterfall", is_flag=True, help="What an accepted output's cost is made of.")
@click.option(
    "--compare-versions", "versions", nargs=2, metavar="A B",
    help="B against A, values of --by or what they begin with.",
)  # fmt: skip
@click.option(
    "--margin", type=click.FloatRange(min=0, max=1, min_open=True), default=0.02, show_default=True,
    help="The difference of rates that does not matter, for --compare-versions.",
)  # fmt: skip
@click.option(
    "--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the trend, or the waterfall, into this file (the extra `plot`).",
)  # fmt: skip
@json_option
def command(
    config_path: Path,
    task: str | None,
    hours: float | None,
    fast: bool | None,
    by: "Group | None",
    full: bool,
    period: "Period | None",
    waterfall: bool,
    versions: tuple[str, str] | None,
    margin: float,
    plot_path: Path | None,
    as_json: bool,
) -> None:
    """From the journal; no server needed."""
    said = [period is not None, waterfall, bool(versions)]
    if sum(said) > 1:
        raise UsageError("--trend, --waterfall and --compare-versions are three reports",
                         next="ask for one of them")  # fmt: skip
    if any(said) and (full or fast is not None):
        raise UsageError("--full, --fast and --exact are for the plain report", next="leave it out")
    if plot_path is not None and not (period or waterfall):
        raise UsageError("--plot draws a trend or a waterfall", next="add --trend or --waterfall")
    workspace = open_workspace(config_path)
    start_us = since_us(hours)
    if versions:
        _versions(workspace, start_us, task, by or "prompt", versions, margin, as_json)
    elif period is not None or waterfall:
        trend = workspace.trend(since_us=start_us, task=task, period=period or "day", group=by)
        _trend(workspace, trend, plot_path, as_json, waterfall=waterfall)
    else:
        _plain(workspace, start_us, task, fast, by or "route", full, as_json)


def _plain(
    workspace: "Workspace", start_us: int, task: str | None, fast: bool | None, by: "Group",
    full: bool, as_json: bool,
) -> None:  # fmt: skip
    from pointsman.analytics.quality_text import quality_lines
    from pointsman.analytics.text import render_report, render_summary

    report = workspace.report(since_us=start_us, task=task, fast=fast, group=by)
    warn_of_faults(workspace)
    if as_json:
        print_json(report)
        return
    render = render_report if full else render_summary
    click.echo(printable(render(report, width=width())), nl=False)
    if report.quality:
        lines = quality_lines(report.quality, width=width())
        click.echo(printable("\n" + "\n".join(lines)))
    if not full and report.tasks:
        note("`--full` adds times, steps and failures; `--by prompt` tells prompts apart")


def _trend(
    workspace: "Workspace", trend: "Trend", plot_path: Path | None, as_json: bool, *,
    waterfall: bool,
) -> None:  # fmt: skip
    from pointsman.analytics.trend_text import render_trend, render_waterfall

    warn_of_faults(workspace)
    if plot_path is not None:
        from pointsman.cli.report_plot import plot_trend, plot_waterfall

        (plot_waterfall if waterfall else plot_trend)(trend, plot_path)
        note(f"drawn into {plot_path}")
    if as_json:
        print_json(trend)
        return
    render = render_waterfall if waterfall else render_trend
    click.echo(printable(render(trend, width=width())), nl=False)


def _versions(
    workspace: "Workspace", start_us: int, task: str | None, by: "Group",
    versions: tuple[str, str], margin: float, as_json: bool,
) -> None:  # fmt: skip
    from pointsman.analytics.trend_text import render_versions

    found = workspace.versions(
        versions[0], versions[1], since_us=start_us, task=task, group=by, margin=margin
    )
    warn_of_faults(workspace)
    if as_json:
        print_json(found)
        return
    click.echo(printable(render_versions(found, width=width())), nl=False)
