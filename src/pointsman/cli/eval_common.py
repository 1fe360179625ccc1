"""What the verbs of `pointsman eval` share: where runs lie, how one is judged and told."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import DEFAULT_CONFIG, load_config, print_json, printable
from pointsman.domain.errors import CheckFailed

if TYPE_CHECKING:
    from pointsman.domain.task import Configuration
    from pointsman.evals.sample import Run
    from pointsman.evaluating.store import RunStore

runs_option = click.option(
    "--runs",
    "runs",
    envvar="POINTSMAN_RUNS",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of runs (or POINTSMAN_RUNS); default: `evals` beside the journal.",
)
config_option = click.option(
    "--config",
    "-c",
    "config_path",
    envvar="POINTSMAN_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file (or POINTSMAN_CONFIG).",
)
against_option = click.option(
    "--against", metavar="RUN", help="The run that the gate's `not_worse_than` means here."
)


def open_store(runs: Path | None, config_path: Path) -> "RunStore":
    """The runs of a folder, or of a configuration. Raises: ConfigurationError."""
    from pointsman.evaluating.store import RunStore

    return RunStore(runs or runs_of(load_config(config_path)))


def runs_of(config: "Configuration") -> Path:
    """Where the runs of a configuration lie."""
    return Path(config.journal_path) / "evals"


def run_document(run: "Run") -> dict[str, Any]:
    """The run with every field, those at their default as well."""
    return {name: msgspec.to_builtins(getattr(run, name)) for name in run.__struct_fields__}


def tell(store: "RunStore", run: "Run", against: str | None, *, as_json: bool) -> None:
    """The summary and the gate, from the samples. Raises: CheckFailed where the gate says no."""
    from pointsman.cli.eval_page import page
    from pointsman.evals.summary import summarise
    from pointsman.evaluating.judging_runs import held

    samples = list(store.samples(run.id))
    said = summarise(run, samples)
    verdict = held(store, run, samples, against)
    if as_json:
        document: dict[str, Any] = {
            "run": run_document(run),
            "summary": msgspec.to_builtins(said),
            "gate": msgspec.to_builtins(verdict),
        }
        print_json(document)
    else:
        click.echo(printable(page(run, said, verdict)))
    if verdict is not None and not verdict.passed:
        failed = [check.bound for check in verdict.checks if not check.passed]
        raise CheckFailed(
            f"the gate of {run.suite} is not passed: {', '.join(failed)}",
            next=f"pointsman eval show {run.id} --samples failed",
        )
