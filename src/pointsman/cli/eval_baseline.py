"""`pointsman eval baseline`: the run that later ones of its suite are held against."""

from pathlib import Path

import click

from pointsman.cli.eval_common import config_option, open_store, runs_option
from pointsman.cli.output import note
from pointsman.domain.errors import UsageError

_HELP = """Mark a finished run as its suite's baseline: what `not_worse_than: baseline` means.

\b
Examples:
  pointsman eval baseline latest
  pointsman eval baseline run_01J...
"""


@click.command(help=_HELP)
@click.argument("run")
@config_option
@runs_option
def command(run: str, config_path: Path, runs: Path | None) -> None:
    """Exit 0 when it is marked."""
    from pointsman.evaluating.baselines import mark_baseline

    store = open_store(runs, config_path)
    found = store.read(run)
    if not found.sealed:
        raise UsageError(
            f"{found.id} is not finished", next=f"pointsman eval run --resume {found.id}"
        )
    store.verify(found.id)
    before = mark_baseline(store.root, found.suite, found.id)
    note(f"{found.suite}: the baseline is {found.id}" + (f", was {before}" if before else ""))
