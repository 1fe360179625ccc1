"""`pointsman route export`: the journal's traffic as a file of outcomes."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.output import (
    Progress,
    config_option,
    json_option,
    open_workspace,
    print_json,
    since_us,
    warn_of_faults,
)
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.client import Workspace

_HELP = """Write what came of the journal's requests as outcomes, for `route fit` and `route score`.

A row is a request whose first arm was accepted or not: by the task's rule over its outcomes, or
refused by its gate. Columns are those of every outcomes file, `model` being the arm, and
`propensity`, the chance that the arm was asked. Requests whose text is erased or was never kept
are left out; so are failures, and answers of which nobody knows yet.

\b
Examples:
  pointsman route export --out outcomes.parquet
  pointsman route export --task ticket --hours 720 --out outcomes.jsonl
"""


@click.command("export", help=_HELP)
@config_option
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The file: .parquet or .jsonl.")  # fmt: skip
@click.option("--task", help="Only this task's.")
@click.option("--hours", type=float, help="Only the latest so many hours.")
@json_option
def command(
    config_path: Path, out: Path, task: str | None, hours: float | None, as_json: bool
) -> None:
    """Read, write."""
    workspace = open_workspace(config_path)
    if task is not None and task not in workspace.config.tasks:
        known = ", ".join(workspace.config.tasks) or "none"
        raise UsageError(f"no task {task!r}", next=f"tasks: {known}")
    rows = export(workspace, out, task=task, since=since_us(hours))
    warn_of_faults(workspace)
    if as_json:
        print_json({"out": str(out), "rows": rows})
    else:
        click.echo(f"{out}: {rows} outcomes")


def export(workspace: "Workspace", out: Path, *, task: str | None = None, since: int = 0) -> int:
    """Write the file; how many rows it has.

    Raises: UsageError for an ending that is not known, or where there is nothing to write.
    """
    write = {".parquet": _parquet, ".jsonl": _lines}.get(out.suffix.lower())
    if write is None:
        raise UsageError(f"{out} is of no kind that is written here", next=".parquet or .jsonl")
    bar: Progress | None = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or Progress(total, "reading")
        bar.update(done)

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        lines = Path(folder) / "rows.jsonl"
        count = 0
        with lines.open("w", encoding="utf-8") as file:
            for row in workspace.experience(task=task, since_us=since, progress=progress):
                file.write(json.dumps(row) + "\n")
                count += 1
        if bar is not None:
            bar.close(f"· {count} with an outcome")
        if not count:
            raise UsageError(
                "no request of the journal has an outcome to learn from",
                why="answers need outcomes that the task's acceptance rule reads, and kept texts",
                next="`pointsman feedback add`, `capture: bodies`",
            )
        write(lines, out)
    return count


def _lines(rows: Path, out: Path) -> None:
    rows.replace(out)


_COLUMNS = {
    "source": "VARCHAR", "task": "VARCHAR", "prompt_id": "VARCHAR", "prompt": "VARCHAR",
    "model": "VARCHAR", "sample_idx": "BIGINT", "response": "VARCHAR", "answer": "VARCHAR",
    "score": "DOUBLE", "accepted": "BOOLEAN", "input_tokens": "BIGINT", "output_tokens": "BIGINT",
    "hidden_reasoning": "BOOLEAN", "cost_usd": "DOUBLE", "latency_ms": "BIGINT",
    "split": "VARCHAR", "propensity": "DOUBLE", "explored": "BOOLEAN", "at_us": "BIGINT",
}  # fmt: skip


def _parquet(rows: Path, out: Path) -> None:
    import duckdb

    partial = rows.with_suffix(".parquet")
    with duckdb.connect() as connection:
        table = connection.read_json(
            str(rows), format="newline_delimited", columns=_COLUMNS, maximum_object_size=1 << 28
        )
        table.write_parquet(str(partial))
    partial.replace(out)
