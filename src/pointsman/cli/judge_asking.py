"""Judges that are asked from the command line: on one request, on traffic that was; agreement."""

import asyncio
import os
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from pointsman.cli.judge_words import judge_of, number
from pointsman.cli.output import (
    Progress,
    config_option,
    fitted,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    since_us,
)
from pointsman.domain.errors import UsageError

_TRY = """Ask a judge about one request, and show what it says. Nothing is written down.

\b
Examples:
  pointsman judge try polite --trace tr_01J...
"""
_RUN = """Have a judge look at traffic that was and that it did not look at yet.

Verdicts are outcomes, as those of `online`. Run it again after a stop: it goes on.

\b
Examples:
  pointsman judge run polite --task support-reply --hours 24
  pointsman judge run polite --task support-reply --sample 0.2 --usd 3
"""
_AGREEMENT = """How far judges agree with each other: kappa of each two, alpha of all.

Without --in, of requests that several judges looked at; passing is what is compared.

\b
Examples:
  pointsman judge agreement --task support-reply
  pointsman judge agreement --in verdicts.csv --column qwen --column llama --json
"""


@click.command("try", help=_TRY)
@config_option
@click.argument("name")
@click.option("--trace", required=True, help="The request.")
@json_option
def try_(config_path: Path, name: str, trace: str, as_json: bool) -> None:
    """Once."""
    from pointsman.evaluating.backfill import consult_material
    from pointsman.evaluator import Evaluator

    with open_workspace(config_path) as workspace:
        spec = judge_of(workspace, name)
        material = workspace.material(trace)
        evaluator = Evaluator(workspace.config)

        async def ask() -> Any:
            async with evaluator.asking(capture="digests") as answerer:
                return await consult_material(spec, material, answerer)

        found = asyncio.run(ask())
    if as_json:
        print_json(found)
        return
    verdict = found.verdict
    word = "unjudged" if verdict.unjudged else "pass" if verdict.passed else "fail"
    value = "" if verdict.value is None else f" · {verdict.value:.2f}"
    click.echo(printable(f"{word}{value} · {verdict.why}"))
    note(f"${found.cost_usd_picos / 1e12:.3g}, {found.latency_ms:.0f} ms, {verdict.asked} asked")


@click.command("run", help=_RUN)
@config_option
@click.argument("name")
@click.option("--task", required=True, help="Whose requests.")
@click.option("--hours", type=float, help="Only of the last so many hours.")
@click.option("--sample", type=click.FloatRange(0, 1, min_open=True),
              help="Share of the requests; else the task's own, or all.")  # fmt: skip
@click.option("--usd", type=click.FloatRange(0), help="The most that it may cost.")
@click.option("--dry-run", is_flag=True, help="Say how many there are, and ask nobody.")
@json_option
def run(
    config_path: Path,
    name: str,
    task: str,
    hours: float | None,
    sample: float | None,
    usd: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Many."""
    from pointsman.evaluating.backfill import Judged, judge_traffic
    from pointsman.evaluator import Evaluator

    with open_workspace(config_path) as workspace:
        spec = judge_of(workspace, name)
        if spec.kind == "pairwise":
            raise UsageError(f"{name} compares two answers, and traffic has one")
        own = workspace.config.tasks.get(task)
        if own is None:
            known = ", ".join(workspace.config.tasks) or "none"
            raise UsageError(f"no task {task!r}", next=f"tasks: {known}")
        online = own.online if own.online is not None and own.online.judge == name else None
        share = sample if sample is not None else online.sample if online is not None else 1.0
        waiting = workspace.unjudged_traffic(task, spec, sample=share, since_us=since_us(hours))
        if dry_run or not waiting:
            found = Judged(wanted=len(waiting))
        else:
            evaluator = Evaluator(workspace.config)
            progress = Progress(len(waiting), f"judge {name}")

            async def ask() -> Judged:
                async with evaluator.asking(capture="digests") as answerer:
                    return await judge_traffic(
                        spec, waiting, answerer, reports=workspace.reports,
                        record=workspace.record, now_us=lambda: time.time_ns() // 1000,
                        entropy=os.urandom, most_usd=usd,
                        progress=lambda done, picos: progress.update(done, f"${picos / 1e12:.3g}"),
                    )  # fmt: skip

            try:
                found = asyncio.run(ask())
            except KeyboardInterrupt:
                progress.leave()
                note("what was judged is kept; the same command goes on")
                raise
            progress.close()
    if as_json:
        print_json(found)
        return
    if dry_run or not found.wanted:
        click.echo(f"{found.wanted} wait to be judged")
        return
    click.echo(
        f"{found.judged} judged, {found.unjudged} unjudged, {found.gone} without words, "
        f"{found.left} left: ${found.cost_usd_picos / 1e12:.3g}"
    )


@click.command("agreement", help=_AGREEMENT)
@config_option
@click.option("--task", help="Only requests of this task.")
@click.option("--in", "source", type=click.Path(dir_okay=False, path_type=Path),
              help="Verdicts of a file, a column each judge.")  # fmt: skip
@click.option("--column", "columns", multiple=True, help="A judge's column; repeatable.")
@json_option
def agreement(
    config_path: Path,
    task: str | None,
    source: Path | None,
    columns: tuple[str, ...],
    as_json: bool,
) -> None:
    """With each other."""
    from pointsman.cli.columns import read_columns
    from pointsman.stats.agreement import cohen_kappa, krippendorff_alpha

    if source is not None:
        if len(columns) < 2:
            raise UsageError("name two columns or more with --column")
        read = read_columns(source, columns)
        missing = [name for name in columns if name not in read]
        if missing:
            raise UsageError(f"{source} has no column {', '.join(missing)}")
        said: dict[str, list[Any]] = {name: read[name] for name in columns}
    else:
        with open_workspace(config_path) as workspace:
            said = workspace.verdicts(task)
    if len(said) < 2:
        raise UsageError("fewer than two judges looked at the same", next="see --help for --in")
    pairs: list[dict[str, Any]] = []
    for first, second in combinations(said, 2):
        both = [
            (a, b)
            for a, b in zip(said[first], said[second], strict=True)
            if a is not None and b is not None
        ]
        kappa = cohen_kappa([a for a, _ in both], [b for _, b in both])
        pairs.append({"first": first, "second": second, "n": len(both), "kappa": kappa})
    found = {each for column in said.values() for each in column if each is not None}
    words = {word: float(place) for place, word in enumerate(sorted(found, key=str))}
    units = [
        [words[each] for each in row if each is not None]
        for row in zip(*said.values(), strict=True)
    ]
    alpha = krippendorff_alpha(units)
    if as_json:
        print_json({"pairs": pairs, "alpha": alpha})
        return
    rows = [[str(p["first"]), str(p["second"]), str(p["n"]), number(p["kappa"])] for p in pairs]
    click.echo(fitted(["judge", "and", "n", "kappa"], rows, elastic=(0, 1)))
    click.echo(f"\nall: alpha {number(alpha)}, {alpha.n} looked at by two or more")
