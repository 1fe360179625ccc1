"""`pointsman eval import`: another harness's log as a run of ours."""

import os
import time
from pathlib import Path

import click

from pointsman.cli.eval_common import config_option, open_store, runs_option
from pointsman.cli.output import json_option, note, print_json
from pointsman.domain.errors import UsageError

_HELP = """Keep a run that another harness made: it is then shown, compared and exported like any
other.

Reads Inspect's logs (.eval, or .json) and the samples of lm-evaluation-harness (.jsonl, written by
its --log_samples). A scorer whose every number is 0 or 1 passes or fails; all of these together
are what `accepted` means there.

\b
Examples:
  pointsman eval import logs/2026-05-01_sums.eval
  pointsman eval import results/org__model/samples_gsm8k_2026-05-01T10-00-00.jsonl
"""


@click.command(help=_HELP)
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False,
                                                        path_type=Path))  # fmt: skip
@config_option
@runs_option
@click.option("--suite", help="Name the suite so; else as the file does.")
@click.option("--subject", help="Name what was asked so; else as the file does.")
@json_option
def command(
    path: Path, config_path: Path, runs: Path | None, suite: str | None, subject: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Prints the id of the run."""
    import msgspec

    from pointsman.domain.ids import run_id
    from pointsman.evaluating.foreign.imported import keep
    from pointsman.evaluating.foreign.inspect_logs import read_inspect
    from pointsman.evaluating.foreign.lm_eval import read_lm_eval

    readers = {".eval": read_inspect, ".json": read_inspect, ".jsonl": read_lm_eval}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path} is of no kind that is read here",
            why=f"known are {', '.join(readers)}",
            next="an Inspect log, or samples of lm-evaluation-harness",
        )
    found = reader(path)
    found = msgspec.structs.replace(
        found, suite=suite or found.suite, subject=subject or found.subject
    )
    store = open_store(runs, config_path)
    now_us = time.time_ns() // 1000
    run = keep(store, found, run_id(now_us // 1000, os.urandom(10)), origin=path.name,
               now_us=now_us)  # fmt: skip
    note(f"{run.samples} samples of {run.cases} cases, {run.missing} without an answer; "
         f"accepted means {' and '.join(run.required) or 'nothing here'}")  # fmt: skip
    if as_json:
        print_json(run)
        return
    click.echo(run.id)
