"""`pointsman route score`: choices against recorded outcomes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import fitted, json_option, note, print_json, several
from pointsman.domain.errors import UsageError
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.report import Report

_HELP = """Score choices against recorded outcomes, beside every simple baseline.

CHOICES is a CSV: prompt_id, model, point and, for cascades, calls (';' between all that were
paid). OUTCOMES is as `route fit` reads it. Prompts without an outcome of every compared model are
left out and counted. Prompt length and task mean are learned from rows of split 'train' that were
not chosen for, else from other folds of the scored prompts; they and the random mix are read off
at the chosen point's own cost and score, which is hindsight in their favour. Intervals: 95 %,
paired by prompt. Definitions stand in `src/pointsman/learning/scoring.py`.

\b
Examples:
  pointsman route score --outcomes logs.parquet --choices choices.csv
  pointsman route score --outcomes logs.parquet --choices choices.csv --plot out.png --json
"""


@click.command("score", help=_HELP)
@click.option("--outcomes", "path", required=True, type=click.Path(path_type=Path),
              help="The recorded outcomes.")  # fmt: skip
@click.option("--choices", "choices_path", required=True, type=click.Path(path_type=Path),
              help="What `route choose` or `route replay` wrote.")  # fmt: skip
@click.option("--models", help="Compare with these; by default all that the choices call.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw cost against score into this file (the extra `plot`).")  # fmt: skip
@json_option
def command(
    path: Path, choices_path: Path, models: str | None, plot_path: Path | None, as_json: bool
) -> None:
    """Read both, join, print."""
    need("numpy")
    from pointsman.learning.outcomes import read_outcomes
    from pointsman.learning.report import Report, models_of, read_choices

    rows = read_choices(choices_path)
    called = models_of(rows)
    named = [m.strip() for m in models.split(",") if m.strip()] if models else list(called)
    if not set(called) <= set(named):
        raise UsageError(f"the choices call {', '.join(sorted(set(called) - set(named)))} too",
                         next="name every model they call in --models")  # fmt: skip
    outcomes = read_outcomes(path, models=named, split="all", replies=False)
    in_train = [i for i, split in enumerate(outcomes.split) if split == "train"]
    import numpy as np

    train = outcomes.rows(np.array(in_train, dtype=np.intp)) if in_train else None
    report = Report(outcomes, rows, train)
    if plot_path is not None:
        from pointsman.learning.plotting import plot

        plot(report, plot_path)
    if as_json:
        print_json(report.as_dict())
        return
    _print(report)
    if report.left_out:
        were = "was" if report.left_out == 1 else "were"
        note(f"{several(report.left_out, 'prompt')} {were} left out: not every model has an "
             "outcome there")  # fmt: skip


def _print(report: "Report") -> None:
    found = report.as_dict()
    rows = [_row(found["chosen"])]
    for name in ("best single", "cheapest", "oracle"):
        each = found["baselines"][name]
        label = f"{name} ({next(iter(each['shares']))})" if name != "oracle" else name
        rows.append(_row(each | {"point": label}))
    headings = ("policy", "score", "accepted", "USD a prompt", "USD per accepted", "x cost",
                "score - best", "gap closed")  # fmt: skip
    click.echo(fitted(headings, rows))
    click.echo()
    curves = [("router", found["curve"] | found["strong_share"])]
    curves += [(n, found["baselines"][n]) for n in ("random mix", "prompt length", "task mean")]
    names = ("curve", "AIQ", "x cost at best score", "score at chosen's cost", "APGR", "CPT50",
                "CPT80")  # fmt: skip
    click.echo(fitted(
        names,
        [(name, _plain(c["aiq"]), _plain(c["cost_at_best_single_score"]),
          _plain(c.get("score_at_chosen_cost", found["chosen"]["score"]["value"])),
          _plain(c["apgr"]), _plain(c["cpt50"]), _plain(c["cpt80"])) for name, c in curves],
    ))  # fmt: skip
    click.echo(f"\nn = {found['n']}; x: against the best single model; intervals 95 %, paired")


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    difference, times = each["score_less_best_single"], each["cost_of_best_single"]
    return (
        str(each["point"]),
        f"{each['score']['value']:.4f}",
        f"{each['accepted']['value']:.4f}",
        f"{each['cost_usd']:.3g}",
        _plain(each["cost_per_accepted_usd"]["value"], 3),
        f"{_plain(times['value'])} {_range(times)}",
        f"{difference['value']:+.4f} {_range(difference)}",
        _plain(each["gap_closed"]),
    )


def _range(estimate: dict[str, Any]) -> str:
    if estimate["low"] is None or estimate["high"] is None:
        return ""
    return f"[{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _plain(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}g}"
