"""`pointsman eval export`: a run as a file for others, or as one page to look at."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.eval_common import config_option, open_store, runs_option
from pointsman.cli.output import note
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.evaluating.exporting.bundle import Bundle
    from pointsman.evaluating.store import RunStore

_HELP = """Write a run as a file: for a CI server, a pull request, a spreadsheet, another harness,
or as one HTML page that needs nothing else.

\b
  html       one page: every sample, light and dark, no request, readable without its script
  markdown   a summary for a pull request
  junit      a test for each sample and each bound of the gate
  csv, parquet          a row a sample
  inspect    Inspect's log: --out NAME.eval for its archive, else JSON
  lm-eval    samples as lm-evaluation-harness logs them

With --against the page and the summary hold the comparison, and the gate's word on it.

\b
Examples:
  pointsman eval export latest --format html --out run.html
  pointsman eval export latest --format markdown >> "$GITHUB_STEP_SUMMARY"
  pointsman eval export latest --format junit --out junit.xml --against baseline
"""
_FORMATS = ("junit", "markdown", "html", "csv", "parquet", "inspect", "lm-eval")


@click.command(help=_HELP)
@click.argument("run", default="latest")
@config_option
@runs_option
@click.option("--format", "kind", type=click.Choice(_FORMATS), required=True)
@click.option("--out", "-o", type=click.Path(dir_okay=False, path_type=Path),
              help="The file; else the standard output.")  # fmt: skip
@click.option("--against", metavar="RUN", help="Hold it against this run too, or `baseline`.")
@click.option("--margin", type=click.FloatRange(min=0, min_open=True), default=0.02,
              show_default=True, help="What does not matter, with --against.")  # fmt: skip
def command(
    run: str, config_path: Path, runs: Path | None, kind: str, out: Path | None,
    against: str | None, margin: float,
) -> None:  # fmt: skip
    """Exit 0 whatever the run showed."""
    store = open_store(runs, config_path)
    made = _bundle(store, run, against, margin)
    if kind == "parquet":
        from pointsman.evaluating.exporting.tables import write_parquet

        if out is None:
            raise UsageError("a Parquet file needs a name", next="--out run.parquet",
                             param="--out")  # fmt: skip
        with _writing(out) as new:
            write_parquet(made, new)
    elif out is None:
        sys.stdout.buffer.write(_written(made, kind, ""))
        sys.stdout.buffer.flush()
        return
    else:
        data = _written(made, kind, out.suffix)
        with _writing(out) as new:
            new.write_bytes(data)
    note(f"{made.run.id}: {len(made.samples)} samples in {out}")


def _bundle(store: "RunStore", reference: str, against: str | None, margin: float) -> "Bundle":
    from msgspec.structs import replace

    from pointsman.cli.eval_compare import compare_stored
    from pointsman.evals.comparing import Arm
    from pointsman.evals.gate import Gate
    from pointsman.evals.gating import judge_gate
    from pointsman.evaluating.exporting.bundle import bundle

    run = store.read(reference)
    if run.sealed:
        store.verify(run.id)
    samples = list(store.samples(run.id))
    gate, comparison = run.gate, None
    if against is None and gate is not None and gate.not_worse_than not in (None, "baseline"):
        against, margin = gate.not_worse_than, gate.margin
    if against is not None:
        (comparison,) = compare_stored(store, (against, run.id), margin=margin)
        gate = replace(gate or Gate(), not_worse_than=comparison.a, margin=margin)
    elif gate is not None:
        gate = replace(gate, not_worse_than=None)
    verdict = None
    if gate is not None:
        verdict = judge_gate(gate, Arm(run=run, samples=tuple(samples)), comparison)
    return bundle(run, store.cases(run.id), samples, verdict=verdict, comparison=comparison)


def _written(made: "Bundle", kind: str, suffix: str) -> bytes:
    if kind == "html":
        from pointsman.evaluating.exporting.viewer import viewer

        return viewer(made)
    if kind == "markdown":
        from pointsman.evaluating.exporting.markdown import markdown

        return markdown(made)
    if kind == "junit":
        from pointsman.evaluating.exporting.junit import junit

        return junit(made)
    if kind == "csv":
        from pointsman.evaluating.exporting.tables import as_csv

        return as_csv(made)
    if kind == "lm-eval":
        from pointsman.evaluating.exporting.lm_eval import lm_eval_samples

        return lm_eval_samples(made)
    from pointsman.evaluating.exporting.inspect_logs import inspect_archive, inspect_json

    return inspect_archive(made) if suffix == ".eval" else inspect_json(made)


class _writing:
    """A file beside the one that is wanted, which it becomes once it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")

    def __enter__(self) -> Path:
        return self._new

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None:
            os.replace(self._new, self._path)
            return
        self._new.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{self._path} cannot be written", why=str(error), param="--out")
