"""`pointsman eval score`: the answers of a run, scored by the scorers as they are now."""

import os
import time
from pathlib import Path

import click
import msgspec

from pointsman.cli.eval_common import config_option, open_store, runs_option, tell
from pointsman.cli.output import Progress, json_option, note
from pointsman.domain.errors import UsageError

_HELP = """Score the answers of a run again, by a suite's scorers as they are now, as a run of its
own; nothing is asked. What a scorer that did not change said of them stands.

A case whose question is the same takes what the suite expects of it now; other cases stay as they
were. Scorers that ask a model, or a policy, are for `eval run`. The work goes to processes of this
machine, or to a Ray cluster (the extra `ray`); the scores are the same, and a worker that dies
costs none.

\b
Examples:
  pointsman eval score latest suite.yaml
  pointsman eval score run_01J... suite.yaml --on ray:auto
"""


@click.command(help=_HELP)
@click.argument("run")
@click.argument("suite_path", metavar="SUITE", type=click.Path(path_type=Path))
@config_option
@runs_option
@click.option("--on", default="processes", show_default=True,
              help="Where: here, processes, ray or ray:ADDRESS.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), help="At once; else one a processor.")
@json_option
def command(
    run: str, suite_path: Path, config_path: Path, runs: Path | None, on: str,
    workers: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Exit 0; 4 where the suite's gate says no of the new run."""
    from pointsman import __version__
    from pointsman.domain.ids import run_id
    from pointsman.evals.pairing import same_question
    from pointsman.evaluating.rescoring import rescored
    from pointsman.evaluating.suite_files import load_suite

    store = open_store(runs, config_path)
    old = store.read(run)
    if not old.sealed:
        raise UsageError(f"{old.id} is not finished", next=f"pointsman eval run --resume {old.id}")
    store.verify(old.id)
    suite = load_suite(suite_path)
    now = {case.id: case for case in suite.cases}
    cases = {
        case.id: now[case.id] if case.id in now and same_question(now[case.id], case) else case
        for case in store.cases(old.id)
    }
    samples = list(store.samples(old.id))
    progress = Progress(len(samples), "scoring")
    scored = rescored(
        cases, samples, suite.scorers, old.scorer_digests, on=on, workers=workers,
        progress=progress.update,
    )  # fmt: skip
    progress.close()
    now_us = time.time_ns() // 1000
    begun = msgspec.structs.replace(
        old,
        id=run_id(now_us // 1000, os.urandom(10)),
        suite=suite.name,
        suite_digest=msgspec.structs.replace(suite, cases=tuple(cases.values())).digest,
        version=__version__,
        scorers=suite.scorers,
        scorer_digests={spec.name: spec.digest for spec in suite.scorers},
        required=suite.required,
        primary=suite.primary,
        gate=suite.gate,
        started_us=now_us,
        origin=old.id,
        status="partial",
        ended_us=None,
        samples=None,
        missing=None,
    )
    writer = store.begin(begun, cases.values())
    try:
        writer.append(scored)
        writer.seal(status=old.status, ended_us=time.time_ns() // 1000)
    finally:
        writer.close()
    note(f"{begun.id}: the answers of {old.id}, scored again")
    tell(store, store.read(begun.id), None, as_json=as_json)
