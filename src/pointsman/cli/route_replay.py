"""`pointsman route replay`: cascades on recorded replies, each paid before it is looked at."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.output import Progress, note
from pointsman.domain.errors import UsageError
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.outcomes import Split

_HELP = """Replay recorded replies through a cascade: after each paid reply, stop or call another.

CANDIDATES is a Parquet, CSV or JSON-lines file, a row per prompt and model: prompt_id, prompt,
model, cost_usd; read where present: task, response, answer, output_tokens. Scores are not read. A
reply counts for nothing before it was paid. The choices are a CSV: prompt_id, model (whose reply is
returned), calls (every paid one, in order, with ; between), point. The point that the router was
fitted for is named 'chosen'; where the prompt alone serves it best, it pays one call each.

Method: backward induction over which models were paid, with the agreement of their answers, whether
they can be read, their length, hedging and repetition (see `route fit`).

\b
Examples:
  pointsman route replay --router my.router --candidates replies.parquet --out choices.csv
  pointsman route score --outcomes outcomes.parquet --choices choices.csv
"""


@click.command("replay", help=_HELP)
@click.option("--router", "path", required=True, type=click.Path(path_type=Path),
              help="What `route fit` wrote.")  # fmt: skip
@click.option("--candidates", "candidates_path", required=True, type=click.Path(path_type=Path),
              help="Recorded replies of the router's models.")  # fmt: skip
@click.option("--split", type=click.Choice(["train", "test", "all"]), default="all",
              show_default=True, help="Which rows to replay.")  # fmt: skip
@click.option("--only", help="Write this operating point alone.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Where the choices go.")  # fmt: skip
def command(path: Path, candidates_path: Path, split: "Split", only: str | None, out: Path) -> None:
    """Read, play, write."""
    need("numpy")
    import numpy as np

    from pointsman.learning.outcomes import read_outcomes
    from pointsman.learning.replaying import replay
    from pointsman.learning.router import Router

    router = Router.load(path)
    candidates = read_outcomes(
        candidates_path,
        models=router.models,
        split=split,
        scored=False,
    )
    if np.isnan(candidates.cost_usd).all(axis=1).any():
        raise UsageError("a prompt has no reply with a known cost", why="there is nothing to pay")
    names = [point.name for point in router.points]
    if router.cascade is None:
        note("the router knows nothing of replies: each prompt gets the one call it chooses")
    else:
        names = router.cascade.names
    if only is not None and only not in names:
        raise UsageError(f"the router has no operating point '{only}'",
                         why=f"it has: {', '.join(names)}")  # fmt: skip
    wanted = [only] if only is not None else names
    progress = Progress(len(wanted), "replaying")
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt_id", "model", "calls", "point"])
        for done, (name, rows) in enumerate(replay(router, candidates, wanted), 1):
            writer.writerows(
                (key, router.models[back], ";".join(router.models[j] for j in calls), name)
                for key, (back, calls) in zip(candidates.prompt_ids, rows, strict=True)
            )
            progress.update(done)
    progress.close(f"· {len(candidates)} prompts, {out}")
