"""`pointsman label`: people look at drawn traffic, and say which answers they accept."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec

from pointsman.cli.output import (
    config_option,
    fitted,
    json_option,
    note,
    open_workspace,
    print_json,
    since_us,
)
from pointsman.domain.errors import CheckFailed, InvalidRequest, NotFound, UsageError

if TYPE_CHECKING:
    from pointsman.evals.sampling import Draw
    from pointsman.labelling.desk import LabelDesk
    from pointsman.stats.estimate import Estimate

_HELP = """Label traffic: draw requests, look at each without the judge's word, accept or not.

\b
Examples:
  pointsman label next --task support-reply -n 40
  pointsman label start
  pointsman label status --task support-reply
"""
_NEXT = """Draw the requests whose labels narrow the interval most, and write the draw down.

Where the judge was wrong before, or is unsure, requests are likelier; the chance of each is kept,
so that what is estimated from their labels is right on average. A draw is never undone; the next
one adds to it.

\b
Examples:
  pointsman label next --task support-reply
  pointsman label next --task support-reply -n 100 --hours 168 --dry-run
"""
_START = """Look at what was drawn, one after another, and press a key for each.

\b
a accepts, r rejects, e edits in your editor, s skips, u undoes the last one, q quits.

Every label is written down at once: stop when you like, and go on later.

\b
Examples:
  pointsman label start
  pointsman label start --task support-reply --by ann --second
"""
_EXPORT = """What waits for a rater, one JSON object a line: trace, task, asked, answer.

\b
Examples:
  pointsman label export --by ann -n 40 > to-label.jsonl
"""
_IMPORT = """Labels from a file with one JSON object a line (- for standard input).

Each has `trace` and `label` (accept, reject, edit, skip), with `edit` an `edited` text. A label
that this rater gave already is left as it is. Good lines are recorded, the others are named; the
exit code is then 4.

\b
Examples:
  pointsman label import labels.jsonl --by ann
"""
_STATUS = """How many were drawn and labelled, by whom, and how far raters agree.

\b
Examples:
  pointsman label status --task support-reply --json
"""
_by_option = click.option("--by", help="Who labels; else the user of this machine.")
_second_option = click.option(
    "--second", is_flag=True, help="What another rater labelled and you did not: for agreement."
)


@click.group(help=_HELP)
def command() -> None:
    """The noun."""


@command.command("next", help=_NEXT)
@config_option
@click.option("--task", required=True, help="Whose requests.")
@click.option("-n", "count", default=40, show_default=True, help="How many, at most 1000.")
@click.option("--hours", type=float, help="Only requests of the last so many hours.")
@click.option("--tenant", help="Only this tenant's.")
@_by_option
@click.option("--dry-run", is_flag=True, help="Say what would be drawn, and write nothing.")
@json_option
def next_(
    config_path: Path,
    task: str,
    count: int,
    hours: float | None,
    tenant: str | None,
    by: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Draw."""
    with _desk(config_path, writes=not dry_run) as desk:
        found = desk.draw(
            task, count, by=_rater(by), since_us=since_us(hours), tenant=tenant, write=not dry_run
        )
    if as_json:
        print_json(found)
        return
    fresh = [pick for pick in found.picks if not pick.again]
    taken: dict[str, int] = {}
    for pick in fresh:
        taken[pick.stratum] = taken.get(pick.stratum, 0) + 1
    rows = [[name, str(size), str(taken.get(name, 0))] for name, size in found.strata.items()]
    click.echo(fitted(["stratum", "requests", "drawn"], rows, elastic=(0,)))
    word = "would be drawn" if dry_run else "drawn"
    click.echo(f"\n{len(fresh)} of {found.pool} {word}; {_worth(found)}")
    if not dry_run:
        note("`pointsman label start` shows them, one after another")


@command.command("start", help=_START)
@config_option
@click.option("--task", help="Only this task's.")
@_by_option
@_second_option
@click.option("--skipped", is_flag=True, help="Also those you passed by.")
def start(config_path: Path, task: str | None, by: str | None, second: bool, skipped: bool) -> None:
    """Look."""
    from pointsman.cli.label_session import Session

    if not sys.stdin.isatty():
        raise UsageError(
            "labelling with keys needs a terminal",
            next="`pointsman label export` and `pointsman label import` need none",
        )
    with _desk(config_path) as desk:
        rater = _rater(by)
        queue = desk.queue(rater, task=task, second=second, skipped=skipped)
        if not queue:
            click.echo("nothing waits for you")
            note("`pointsman label next --task NAME` draws more")
            return
        Session(desk, rater, queue).run()


@command.command("export", help=_EXPORT)
@config_option
@click.option("--task", help="Only this task's.")
@click.option("-n", "count", type=click.IntRange(1, 100_000), help="At most so many.")
@_by_option
@_second_option
def export(
    config_path: Path, task: str | None, count: int | None, by: str | None, second: bool
) -> None:
    """Out."""
    gone = 0
    with _desk(config_path, writes=False) as desk:
        waiting = desk.queue(_rater(by), task=task, second=second)
        left = len(waiting) if count is None else count
        for trace in waiting:
            if left <= 0:
                break
            try:
                item = desk.read(trace)
            except (InvalidRequest, NotFound):
                gone += 1
                continue
            click.echo(msgspec.json.encode(item).decode())
            left -= 1
    if gone:
        note(f"{gone} left out: their words are erased, or were never kept")


@command.command("import", help=_IMPORT)
@config_option
@click.argument("file", type=click.File("r", encoding="utf-8"))
@_by_option
@click.option("--dry-run", is_flag=True, help="Check every line, and record none.")
@json_option
def import_(config_path: Path, file: IO[str], by: str | None, dry_run: bool, as_json: bool) -> None:
    """In."""
    from pointsman.labelling.batch import take_labels

    with _desk(config_path, writes=not dry_run) as desk:
        found = take_labels(desk, file, rater=_rater(by), write=not dry_run)
    if as_json:
        print_json(found)
    else:
        word = "would be recorded" if dry_run else "recorded"
        note(f"{found.recorded} {word}, {found.unchanged} unchanged, {len(found.refused)} refused")
        for each in found.refused[:20]:
            note(f"line {each.line}: {each.why}")
    if found.refused:
        raise CheckFailed(
            f"{len(found.refused)} lines were not recorded",
            next="correct them and import the file again: the others stay as they are",
        )


@command.command("status", help=_STATUS)
@config_option
@click.option("--task", required=True, help="Of which task.")
@json_option
def status(config_path: Path, task: str, as_json: bool) -> None:
    """How it stands."""
    with _desk(config_path, writes=False) as desk:
        found = desk.standing(task)
    if as_json:
        print_json(found)
        return
    click.echo(f"{task} · {found.drawn} drawn · {found.labelled} labelled")
    if found.raters:
        rows = [[rater, str(count)] for rater, count in found.raters.items()]
        click.echo("\n" + fitted(["rater", "labels"], rows))
    for pair in found.pairs:
        click.echo(
            f"\n{pair.first} and {pair.second}: agree on {_share(pair.agreed)} of "
            f"{pair.agreed.n}, kappa {_number(pair.kappa)}"
        )
    if found.alpha is not None and len(found.raters) > 2:
        click.echo(f"all raters: alpha {_number(found.alpha)}, {found.alpha.n} requests")


@contextmanager
def _desk(config_path: Path, *, writes: bool = True) -> Iterator["LabelDesk"]:
    with open_workspace(config_path) as workspace:
        yield workspace.label_desk(writes=writes)


def _rater(by: str | None) -> str:
    from pointsman.labelling.desk import check_rater

    name = by if by is not None else getpass.getuser()
    check_rater(name)
    return name


def _worth(found: "Draw") -> str:
    then = f"±{100 * found.half_width_then:.1f} points expected once they are labelled"
    if found.half_width_now is None:
        return then
    return f"±{100 * found.half_width_now:.1f} points now, {then}"


def _share(estimate: "Estimate") -> str:
    return "-" if estimate.value is None else f"{100 * estimate.value:.0f} %"


def _number(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
