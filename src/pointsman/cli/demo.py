"""`pointsman demo`: the main job, end to end, on the models that come with the package."""

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import Progress, json_option, note, print_json, width
from pointsman.domain.errors import UsageError

if TYPE_CHECKING:
    from pointsman.demo.asking import Result

_MARK = "# as written by `pointsman demo`: "
_HELP = """Serve the embedded portfolio, ask it fresh cases every way, and report what was accepted
at what cost. Needs the `local` extra and nothing else; well under two minutes.

\b
Examples:
  pointsman demo
  DEMO_SEED=7 DEMO_JSON=result.json pointsman demo --cases 200
  pointsman demo --learn 1000
  pointsman demo --files-only

--learn asks more cases of the route `learned`, which is told of no task: from what is accepted it
learns which model does which.

A pointsman.yaml in the folder that was changed by hand is used as it is.
"""


@click.command(help=_HELP)
@click.option("--cases", default=400, show_default=True, type=click.IntRange(20, 5000))
@click.option("--learn", "learn", default=0, type=click.IntRange(0, 5000), metavar="CASES",
              help="Then let a route learn on so many.")  # fmt: skip
@click.option("--files-only", is_flag=True, help="Write the files and ask nothing.")
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
@json_option
def command(
    cases: int,
    learn: int,
    files_only: bool,
    seed: int | None,
    folder: Path,
    json_to: Path | None,
    as_json: bool,
) -> None:
    """Exit 0 when every case was asked every way."""
    from pointsman.analytics.compare import compare_arms
    from pointsman.client import Workspace
    from pointsman.demo.asking import require_extra
    from pointsman.demo.learning import as_document, learning_page, settled
    from pointsman.demo.page import page
    from pointsman.demo.result import arms_of, summary, tasks_of

    require_extra()
    if json_to is not None and not json_to.absolute().parent.is_dir():
        raise UsageError(f"there is no folder for {json_to}", next="make it, or choose another")
    if files_only:
        config = _prepare(folder)
        click.echo(f"{config}\n{folder / 'suites'}: a suite for each task; try")
        click.echo(f"  {_program()} eval run {folder / 'suites' / 'ticket.yaml'} -c {config}")
        return
    chosen = seed if seed is not None else int.from_bytes(os.urandom(3), "big")
    config = _prepare(folder)
    with Workspace.open(config) as workspace:
        results, learned = _ask(config, chosen, cases, learn)
        traces = {row["trace"]: row for row in workspace.traces(limit=2 * len(results) + learn)}
        told = settled(learned, workspace.decisions(limit=2 * len(learned)))
    comparison = compare_arms(arms_of(results, traces), baseline="large")
    outcome = {**summary(comparison), "seed": chosen}
    if told:
        outcome["learned"] = as_document(told)
    if json_to is not None:
        json_to.write_bytes(msgspec.json.encode(outcome) + b"\n")
    if as_json:
        print_json(outcome)
        return
    columns = min(width(), 120)
    click.echo()
    click.echo(page(comparison, tasks_of(results, traces), width=columns))
    if told:
        click.echo(learning_page(told, width=columns))
    click.echo("\n".join(_next_steps(config, results, traces)))


def _ask(config: Path, seed: int, cases: int, learn: int) -> "tuple[list[Result], list[Result]]":
    """Serve, ask everything, stop serving; what was asked before Ctrl-C stays in the journal.

    Returns: the answers of every way, and those of the route that learns.
    """
    from pointsman.demo.asking import WAYS, ask_all
    from pointsman.demo.gateway import GatewayProcess
    from pointsman.demo.learning import LEARNED, draw_evenly
    from pointsman.demo.mix import draw

    drawn = draw(seed, cases)
    total = len(drawn) * len(WAYS)
    note(f"{len(drawn)} fresh cases of five tasks, seed {seed}, each asked {len(WAYS)} ways")
    note("starting the gateway and its three models …")
    results: list[Result] = []
    with GatewayProcess(config) as gateway:
        progress = Progress(total, "asking")
        try:
            with closing(ask_all(gateway.url, drawn, progress=progress.update)) as answers:
                results.extend(answers)
        except KeyboardInterrupt:
            progress.leave()
            note(f"stopped after {len(results)} of {total} answers; they are in the journal:")
            note(f"  {_program()} report -c {config}")
            raise
        progress.close("· over HTTP, every second case streamed")
        learned: list[Result] = []
        if learn:
            progress = Progress(learn, "learning")
            more = draw_evenly(seed, learn)
            with closing(
                ask_all(gateway.url, more, ways=(LEARNED,), progress=progress.update)
            ) as answers:
                learned.extend(answers)
            progress.close("· each answer told accepted or not, and nothing else")
    return results, learned


def _prepare(folder: Path) -> Path:
    """The portfolio's configuration as a file to keep and change; a changed one is used as it is.

    The last line holds the digest of the lines before it: a file that fits its digest is ours,
    and follows the package.
    """
    from pointsman.demo.portfolio import configuration
    from pointsman.demo.suites import write_suites

    folder.mkdir(parents=True, exist_ok=True)
    write_suites(folder)
    path = folder / "pointsman.yaml"
    if path.exists() and not _is_ours(path.read_text()):
        note(f"{path} was changed by hand and is used as it is; delete it to have it back")
        return path
    text = configuration(path=str(path), journal=str((folder / "journal").resolve()))
    path.write_text(f"{text}{_MARK}{_digest(text)}\n")
    return path


def _is_ours(text: str) -> bool:
    body, mark, digest = text.rpartition(_MARK)
    return bool(mark) and digest.strip() == _digest(body)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _next_steps(
    config: Path, results: "Sequence[Result]", traces: dict[str, dict[str, Any]]
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
        "All ways saw the same cases; no gate saw the references that scored them.",
        "",
        "keep it serving",
        f"  {program} serve -c {config}",
        "ask it yourself, while it serves",
        f"  {program} ask -m task:sums $'12\\n7\\n30'",
        "a suite of cases with a gate; other ways by --subject task:ticket@small",
        f"  {program} eval run {config.parent / 'suites' / 'ticket.yaml'} -c {config}",
        "the whole report",
        f"  {program} report --full -c {config}",
    ]
    if escalated is not None:
        lines += ["one escalation", f"  {program} trace show {escalated} -c {config}"]
    return [
        *lines,
        "what to try",
        "  set `gate: {min_logprob: -0.05}` for a task, or a prompt's label `live: v1`,",
        f"  in {config} and run the demonstration again",
    ]


def _program() -> str:
    """The command as it can be typed here: the one on the path, or the environment's own."""
    if shutil.which("pointsman"):
        return "pointsman"
    own = Path(sys.executable).parent / "pointsman"
    try:
        return str(own.relative_to(Path.cwd()))
    except ValueError:
        return str(own)
