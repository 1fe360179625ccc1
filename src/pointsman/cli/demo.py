"""`pointsman demo`: the main job, end to end, on the models that come with the package."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from pointsman.cli.output import Progress, note, print_json, width
from pointsman.domain.errors import UsageError

_HELP = """Serve the embedded portfolio, ask it fresh cases every way, and report what was accepted
at what cost. Needs the `local` extra and nothing else; under two minutes.

\b
Examples:
  pointsman demo
  DEMO_SEED=7 DEMO_JSON=result.json pointsman demo --cases 200
"""


@click.command(help=_HELP)
@click.option("--cases", default=300, show_default=True, type=click.IntRange(20, 5000))
@click.option("--seed", type=int, envvar="DEMO_SEED", help="Other cases (or DEMO_SEED).")
@click.option(
    "--dir",
    "folder",
    default="pointsman-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Configuration and journal.",
)
@click.option(
    "--json-to",
    envvar="DEMO_JSON",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result as one JSON object (or DEMO_JSON).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")  # fmt: skip
def command(
    cases: int, seed: int | None, folder: Path, json_to: Path | None, as_json: bool
) -> None:
    """Exit 0 when every case was asked every way."""
    from pointsman.analytics.compare import compare_arms
    from pointsman.analytics.text import render_comparison
    from pointsman.client import Workspace
    from pointsman.demo.asking import WAYS, Result, ask_all
    from pointsman.demo.gateway import GatewayProcess
    from pointsman.demo.result import arms_of, summary
    from pointsman.embedded.cases import cases as draw

    chosen = seed if seed is not None else int.from_bytes(os.urandom(3), "big")
    config = _prepare(folder)
    drawn = draw(chosen, cases)
    note(f"{len(drawn)} fresh cases of five tasks, seed {chosen}; each asked {len(WAYS)} ways")
    total = len(drawn) * len(WAYS)
    results: list[Result] = []
    with GatewayProcess(config) as gateway:
        progress = Progress(total, "asking")
        for result in ask_all(gateway.url, drawn, progress=progress.update, stop=threading.Event()):
            results.append(result)
        progress.close("over HTTP, every second case streamed")
    workspace = Workspace.open(config)
    traces = {row["trace"]: row for row in workspace.traces(limit=total * 2)}
    arms = arms_of(results, traces)
    comparison = compare_arms(arms, baseline="large")
    outcome = {**summary(comparison), "seed": chosen}
    if json_to is not None:
        json_to.write_bytes(msgspec.json.encode(outcome) + b"\n")
    if as_json:
        print_json(outcome)
        return
    click.echo()
    click.echo(render_comparison(comparison, width=width()), nl=False)
    click.echo()
    click.echo("\n".join(_next_steps(config, results, traces)))


def _prepare(folder: Path) -> Path:
    """Write the portfolio's configuration, as a file to keep and change."""
    from pointsman.demo.portfolio import configuration

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pointsman.yaml"
    text = configuration(path=str(path), journal=str((folder / "journal").resolve()))
    if path.exists() and path.read_text() != text:
        old = path.with_suffix(".yaml.old")
        if old.exists() and old.read_text() != path.read_text():
            raise UsageError(
                f"{path} was changed by hand and {old} is in the way",
                next="move them, or choose another --dir",
            )
        path.rename(old)
        note(f"your {path.name} is kept as {old.name}")
    path.write_text(text)
    return path


def _next_steps(
    config: Path, results: Sequence[Any], traces: dict[str, dict[str, Any]]
) -> list[str]:
    """How to keep it serving, how to read one escalated request, what to try."""
    escalated = next(
        (
            item.trace
            for item in results
            if item.way == "cascade" and traces[item.trace]["attempt_count"] > 1
        ),
        None,
    )
    program = _program()
    lines = [
        "All ways saw the same cases; answers were scored against references that no gate saw.",
        "",
        f"keep it serving    {program} serve -c {config}",
        f"the whole report   {program} report -c {config}",
    ]
    if escalated is not None:
        lines.append(f"one escalation     {program} trace show {escalated} -c {config}")
    return [
        *lines,
        f"ask it yourself    {program} ask -m task:sums --no-stream $'12\\n7\\n30'   "
        "(while it serves)",
        f"what to try next   set `gate: {{min_logprob: -0.05}}` for a task in {config}, or the",
        "                   prompt label `live` to v1, and run the demonstration again with --dir",
    ]


def _program() -> str:
    """The command as it can be typed here: the one on the path, or the environment's own."""
    import shutil
    import sys

    if shutil.which("pointsman"):
        return "pointsman"
    own = Path(sys.executable).parent / "pointsman"
    try:
        return str(own.relative_to(Path.cwd()))
    except ValueError:
        return str(own)
