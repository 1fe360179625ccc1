"""`pointsman drift`: what has changed, since when, where, and what else did."""

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import (
    config_option,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    table,
)
from pointsman.domain.errors import CheckFailed

if TYPE_CHECKING:
    from pointsman.client import Workspace
    from pointsman.keeping.drifting import Told

_HELP = """Alarms on streams of outcomes: accepted, answered, cost, verified, judges' agreement.

The keeper of a running gateway looks at what is new; `drift check` does so now. Each alarm says
when the change began, which slice moved most, and what was changed around then. All streams
together raise no more false alarms than the budget, on average (`drift.false_alarms`).

\b
Examples:
  pointsman drift
  pointsman drift --plot drift.png
  pointsman drift check
  pointsman drift acknowledge al_01J... --note "rolled back"
"""
_CHECK = """Look at what is new, now. Exit code 4 while an alarm is not acknowledged.

\b
Examples:
  pointsman drift check
  pointsman drift check --json
"""
_ACKNOWLEDGE = """Take note of an alarm; it then counts as known. Its record stays.

\b
Examples:
  pointsman drift acknowledge al_01J... --note "the old model is back"
"""


@click.group(help=_HELP, invoke_without_command=True)
@config_option
@click.option("--all", "everything", is_flag=True, help="Acknowledged alarms too.")
@click.option(
    "--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the streams into this file (the extra `plot`).",
)  # fmt: skip
@json_option
@click.pass_context
def command(
    context: click.Context, config_path: Path, everything: bool, plot_path: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """The noun."""
    if context.invoked_subcommand is not None:
        return
    with open_workspace(config_path) as workspace:
        _show(workspace, everything=everything, as_json=as_json)
        if plot_path is not None:
            from pointsman.cli.drift_plot import plot_drift

            plot_drift(workspace.watched(), [each.alarm for each in workspace.alarms()], plot_path)
            note(f"drawn into {plot_path}")


@command.command("check", help=_CHECK)
@config_option
@json_option
def check(config_path: Path, as_json: bool) -> None:
    """Look now."""
    with open_workspace(config_path) as workspace:
        for sentence in workspace.check_drift():
            note(printable(sentence))
        _show(workspace, everything=False, as_json=as_json)
        waiting = [each for each in workspace.alarms() if each.acknowledged is None]
    if waiting:
        raise CheckFailed(
            f"{len(waiting)} alarm{'s' if len(waiting) > 1 else ''} not acknowledged",
            next=f"pointsman drift acknowledge {waiting[-1].alarm.id}",
        )


@command.command("acknowledge", help=_ACKNOWLEDGE)
@click.argument("alarm")
@click.option("--by", help="Who takes note; else the user of this machine.")
@click.option("--note", "said", default="", help="What is said about it.")
@config_option
@json_option
def acknowledge(alarm: str, by: str | None, said: str, config_path: Path, as_json: bool) -> None:
    """Take note."""
    with open_workspace(config_path) as workspace:
        record = workspace.acknowledge(alarm, by=by or f"cli:{_user()}", note=said[:1000])
    if as_json:
        print_json(record)
    else:
        click.echo(printable(f"{record.alarm} acknowledged by {record.by}"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _show(workspace: "Workspace", *, everything: bool, as_json: bool) -> None:
    told, streams = workspace.alarms(), workspace.watched().standing()
    shown = [each for each in told if everything or each.acknowledged is None]
    if as_json:
        print_json({"alarms": [_plain(each) for each in shown], "streams": streams})
        return
    for each in shown:
        click.echo(printable("\n".join(_lines(each))))
    if not shown:
        click.echo("no alarm" if not told else "every alarm is acknowledged; `--all` shows them")
    if not streams:
        note("nothing was looked at yet: the keeper does it, or `pointsman drift check` now")
        return
    rows = [
        (
            each.stream,
            str(each.n),
            "learning" if each.baseline is None else "watched",
            f"{100 * min(1.0, each.evidence):.2g} %",
            f"{each.run_length:,.0f}",
        )
        for each in streams
    ]
    click.echo("")
    click.echo(printable(table(("stream", "values", "", "evidence", "run length"), rows)))
    expected = sum(each.expected_false for each in streams)
    settings = workspace.config.drift
    click.echo(
        f"false alarms expected in {settings.per_days:g} days, of all streams together:"
        f" {expected:.2g} at most"
    )


def _plain(told: "Told") -> dict[str, Any]:
    return {"alarm": told.alarm, "acknowledged": told.acknowledged, "alerts": told.alerts}


def _lines(told: "Told") -> list[str]:
    from pointsman.analytics.drift.explaining import sentence
    from pointsman.analytics.formats import moment

    alarm = told.alarm
    lines = [f"{alarm.id}  {sentence(alarm)}", f"  noticed {moment(alarm.at_us)} UTC"]
    for each in alarm.moved:
        before = "" if each.before is None else f"from {100 * each.before:.1f} % "
        lines.append(f"  moved   {each.where}: {before}to {100 * each.after:.1f} %, n={each.n}")
    lines += [f"  change  {each}" for each in alarm.changes]
    if alarm.detail:
        lines.append(f"  detail  {alarm.detail}")
    if told.acknowledged is not None:
        words = f"  noted   by {told.acknowledged.by}"
        lines.append(f"{words}: {told.acknowledged.note}" if told.acknowledged.note else words)
    failed = [each for each in told.alerts if each.status in ("failed", "given up")]
    lines += [f"  alert   {each.channel}: {each.status}, {each.detail}" for each in failed[-3:]]
    return lines
