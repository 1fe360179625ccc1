"""`pointsman eval list`: the runs that there are."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pointsman.cli.eval_common import config_option, open_store, run_document, runs_option
from pointsman.cli.output import fitted, json_option, print_lines, printable

_HELP = """The runs that there are, newest first.

\b
Examples:
  pointsman eval list
  pointsman eval list --suite tickets --limit 5 --json
"""


@click.command(help=_HELP)
@config_option
@runs_option
@click.option("--suite", help="Only runs of this suite.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000))
@json_option
def command(
    config_path: Path, runs: Path | None, suite: str | None, limit: int, as_json: bool
) -> None:
    """One line each; with --json one object a line."""
    from pointsman.evaluating.baselines import marked_baselines

    store = open_store(runs, config_path)
    found = store.list(limit=limit, suite=suite)
    if as_json:
        return print_lines([run_document(run) for run in found])
    if not found:
        click.echo("no run yet: pointsman eval run SUITE")
        return None
    baselines = set(marked_baselines(store.root).values())
    rows = [
        [
            run.id,
            datetime.fromtimestamp(run.started_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M"),
            f"{run.suite}@{run.suite_digest[:8]}",
            run.subject.name,
            f"{run.samples if run.samples is not None else '?'}/{run.planned}",
            run.status if run.sealed else "not finished",
            ", ".join(filter(None, ("baseline" if run.id in baselines else "", run.note))),
        ]
        for run in found
    ]
    headings = ["run", "began (UTC)", "suite", "subject", "samples", "state", "note"]
    click.echo(printable(fitted(headings, rows, elastic=(2, 3, 6))))
    return None
