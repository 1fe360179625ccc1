"""`pointsman route learn`: a learner on JSON lines, for trials on outcomes that it may not see."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
import msgspec

from pointsman.cli.output import note, several
from pointsman.domain.errors import UsageError

_HELP = """Learn while answering, from the score of what was returned and nothing else.

JSON lines on standard input and output. It reads {"prompt", "task"}; writes {"call": model} and
reads {"answer", "cost_usd"} for it, as often as it likes; writes {"return": model} and reads
{"score"}. A call is paid whether it is returned or not.

Method: beliefs per model and task on top of what ROUTER expects, the plan of least cost at a price
of quality that keeps the expected loss against the best single model within --loss over 500
outcomes. With a share of the spend, --looking, a second model is paid while the best single one is
returned; equal answers have equal scores. A shift in the residuals makes all beliefs doubtful.

\b
Examples:
  pointsman route learn --router my.router --models small,large --log steps.jsonl
  drive.py learn --outcomes D.parquet --models small,large --log L.csv -- \\
      pointsman route learn --models small,large
"""


@click.command("learn", help=_HELP)
@click.option("--router", "path", type=click.Path(path_type=Path),
              help="What `route fit` wrote; else learning starts from nothing.")  # fmt: skip
@click.option("--models", required=True, help="The models, with commas between them.")
@click.option("--loss", type=click.FloatRange(-1.0, 1.0), default=0.002, show_default=True,
              help="Mean score that may be expected to be lost to the best model.")  # fmt: skip
@click.option("--looking", type=click.FloatRange(0.0, 1.0), default=0.06, show_default=True,
              help="Share of the spend for replies that are not returned.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@click.option("--log", "log_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write every step here: reason, calls, propensity, draw, price.")  # fmt: skip
def command(
    path: Path | None, models: str, loss: float, looking: float, seed: int, log_path: Path | None
) -> None:
    """Read, answer, learn, until the input ends."""
    from pointsman.learning import need

    need("numpy")
    from pointsman.learning.online import Done, Settings
    from pointsman.learning.online_wire import conversation
    from pointsman.learning.router import Router

    named = tuple(name.strip() for name in models.split(",") if name.strip())
    if len(set(named)) != len(named) or not named:
        raise UsageError("--models names each model once, and at least one")
    router = Router.load(path) if path is not None else None
    if router is not None and (unknown := [name for name in named if name not in router.models]):
        raise UsageError(
            f"{path} was fitted without {', '.join(unknown)}",
            why=f"it knows {', '.join(router.models)}",
            next="name models that it knows, or leave --router out",
        )
    log: TextIO | None = log_path.open("w") if log_path is not None else None
    steps = looks = shifts = 0
    try:
        for said in conversation(_lines(), named, router=router,
                                 settings=Settings(loss, looking), seed=seed):  # fmt: skip
            if isinstance(said, Done):
                steps += 1
                looks += said.reason != "plan"
                shifts += said.shift
                if log is not None:
                    log.write(msgspec.json.encode(said).decode() + "\n")
            else:
                sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
                sys.stdout.flush()
    finally:
        if log is not None:
            log.close()
    note(", ".join(several(n, of) for n, of in ((steps, "outcome"), (looks, "look"),
                                                 (shifts, "shift"))))  # fmt: skip


def _lines() -> Iterator[str]:
    yield from sys.stdin
