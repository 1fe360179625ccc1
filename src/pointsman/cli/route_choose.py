"""`pointsman route choose`: a model for each prompt of a file."""

import csv
from pathlib import Path

import click

from pointsman.cli.output import note, several
from pointsman.learning import need

_HELP = """Choose a model for each prompt, by the prompt alone.

PROMPTS is a Parquet, CSV or JSON-lines file with prompt_id, prompt and perhaps task. The choices
are a CSV: prompt_id, model, point; the operating point that the router was fitted for is named
'chosen', others along its curve carry the dollars that a unit of score is worth.

\b
Examples:
  pointsman route choose --router my.router --prompts new.parquet --out choices.csv
  pointsman route choose --router my.router --prompts new.jsonl --only chosen --out choices.csv
"""


@click.command("choose", help=_HELP)
@click.option("--router", "path", required=True, type=click.Path(path_type=Path),
              help="What `route fit` wrote.")  # fmt: skip
@click.option("--prompts", "prompts_path", required=True, type=click.Path(path_type=Path),
              help="The prompts to route.")  # fmt: skip
@click.option("--only", help="Write this operating point alone.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Where the choices go.")  # fmt: skip
def command(path: Path, prompts_path: Path, only: str | None, out: Path) -> None:
    """Read, estimate, write."""
    need("numpy")
    from pointsman.learning.outcomes import read_prompts
    from pointsman.learning.router import Router

    router = Router.load(path)
    prompts = read_prompts(prompts_path)
    points = [router.point(only)] if only else list(router.points)
    estimates = router.estimate_many(prompts.texts, prompts.tasks)
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt_id", "model", "point"])
        for point in points:
            chosen = router.choose(estimates, point)
            writer.writerows(
                (key, router.models[j], point.name)
                for key, j in zip(prompts.ids, chosen, strict=True)
            )
    strange = int((estimates.n_like == 0).sum())
    if strange:
        are = "is" if strange == 1 else "are"
        note(f"{several(strange, 'prompt')} {are} unlike the training: there length and plain "
             "means decide")  # fmt: skip
    note(f"{out}: {several(len(prompts), 'prompt')} at {several(len(points), 'operating point')}")
