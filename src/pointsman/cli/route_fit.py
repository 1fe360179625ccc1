"""`pointsman route fit`: a router from recorded outcomes."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import Progress, json_option, note, print_json, several
from pointsman.domain.errors import UsageError
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.cascading import Cascade
    from pointsman.learning.choosing import Goal
    from pointsman.learning.outcomes import Outcomes, Split

_HELP = """Learn, from recorded outcomes, what each model would make of a prompt.

OUTCOMES is a Parquet, CSV or JSON-lines file, a row per prompt and model: prompt_id, prompt,
model, cost_usd, score or accepted; read where present: task, split, sample_idx, input_tokens,
output_tokens, answer, response. Of the rows, those of split 'train' are used. The operating point
is chosen by cross-validation on them: the least cost at which the goal holds. Where there are
answers, what a reply says of itself is learned too, for `route replay`.

--from-journal takes the journal's own traffic instead, as `route export` writes it. Where a file
has a column `propensity`, only the arm that ran is needed of a prompt: what the others would have
done is filled in without bias (doubly robust), as far as they were explored.

\b
Examples:
  pointsman route fit --outcomes logs.parquet --quality 0.99 --out my.router
  pointsman route fit --outcomes logs.parquet --models small,large --floor 0.9 --out my.router
  pointsman route fit --from-journal pointsman.yaml --value-usd 0.002 --out my.router
"""
_SHARE = click.FloatRange(0, 1, min_open=True)


@click.command("fit", help=_HELP)
@click.option("--outcomes", "path", type=click.Path(path_type=Path),
              help="The recorded outcomes.")  # fmt: skip
@click.option("--from-journal", "journal", type=click.Path(path_type=Path), metavar="CONFIGURATION",
              help="The journal of this configuration, instead of a file.")  # fmt: skip
@click.option("--models", help="Only these, with commas between them; by default all of the file.")
@click.option("--quality", type=_SHARE, help="Goal: share of the best single model's score.")
@click.option("--floor", type=_SHARE, help="Goal: accepted rate.")
@click.option("--value-usd", type=click.FloatRange(0, min_open=True),
              help="Goal: an accepted output is worth so much.")  # fmt: skip
@click.option("--no-task", is_flag=True, help="Do not use the task, only the prompt.")
@click.option("--split", type=click.Choice(["train", "all"]), default="train", show_default=True,
              help="Which rows to use.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Where the router goes.")  # fmt: skip
@json_option
def command(
    path: Path | None,
    journal: Path | None,
    models: str | None,
    quality: float | None,
    floor: float | None,
    value_usd: float | None,
    no_task: bool,
    split: "Split",
    out: Path,
    as_json: bool,
) -> None:
    """Read, fit, write."""
    need("numpy")
    need("sklearn")
    from pointsman.learning.fitting import STEPS, fit

    goal = _goal(quality, floor, value_usd)
    named = [name.strip() for name in models.split(",") if name.strip()] if models else None
    outcomes = _outcomes(path, journal, named, split)
    if outcomes.clashes:
        those = (
            "1 prompt_id stands"
            if outcomes.clashes == 1
            else (f"{outcomes.clashes} prompt_ids stand")
        )
        note(f"{those} for several texts: the first one counts")
    progress = Progress(STEPS, "fitting")
    router = fit(outcomes, goal, with_task=not no_task, progress=progress.update)
    router.save(out)
    progress.close(f"· {several(len(outcomes), 'prompt')}, {several(len(router.models), 'model')}")
    point = router.point()
    document = {
        "router": str(out), "models": list(router.models), "notes": router.notes,
        "chosen": {"value_usd": point.value_usd, "expected": point.expected},
        "cascade": _cascade(router.cascade),
    }  # fmt: skip
    if as_json:
        print_json(document)
        return
    found = point.expected
    click.echo(
        f"{out}: expects score {found['score']:.3f}, accepted {found['accepted']:.3f}, "
        f"{found['cost_usd']:.3g} USD a call (cross-validated)"
    )
    if router.cascade is not None and router.cascade.chosen is not None:
        found = router.cascade.expected[router.cascade.chosen]
        click.echo(
            f"replies looked at: score {found['score']:.3f}, accepted {found['accepted']:.3f}, "
            f"{found['cost_usd']:.3g} USD a prompt"
        )


def _cascade(cascade: "Cascade | None") -> dict[str, Any] | None:
    if cascade is None:
        return None
    at = cascade.chosen
    return {"expected": None if at is None else cascade.expected[at]}


def _outcomes(
    path: Path | None, journal: Path | None, models: list[str] | None, split: "Split"
) -> "Outcomes":
    if (path is None) == (journal is None):
        raise UsageError("give either --outcomes or --from-journal")
    if path is not None:
        return _whole(path, models, split)
    from pointsman.cli.output import open_workspace
    from pointsman.cli.route_export import export

    assert journal is not None, "one of the two was given"
    workspace = open_workspace(journal)
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "journal.jsonl"
        export(workspace, found)
        return _whole(found, models, split)


def _whole(path: Path, models: list[str] | None, split: "Split") -> "Outcomes":
    """The file's outcomes; of one with propensities what is missing is filled in."""
    from pointsman.learning.completing import completed, read_propensities
    from pointsman.learning.outcomes import read_outcomes

    outcomes = read_outcomes(path, models=models, split=split)
    if bool(outcomes.complete.all()):
        return outcomes
    chance = read_propensities(path, outcomes)
    return outcomes if chance is None else completed(outcomes, chance)


def _goal(quality: float | None, floor: float | None, value_usd: float | None) -> "Goal":
    from pointsman.learning.choosing import Goal

    if sum(x is not None for x in (quality, floor, value_usd)) > 1:
        raise UsageError("--quality, --floor and --value-usd exclude each other")
    if floor is not None:
        return Goal("floor", floor)
    if value_usd is not None:
        return Goal("value_usd", value_usd)
    return Goal("quality", 1.0 if quality is None else quality)
