"""`pointsman route certify`: prove how far below always-strong a router can fall."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import json_option, note, print_json, several
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.certifying import Certified
    from pointsman.learning.outcomes import Split

_HELP = """Certify the cheapest operating point whose accepted rate holds against always-strong.

OUTCOMES holds prompts that the router was not fitted on, with every model's outcome (`route fit`
says which columns); prompts it was fitted on are left out. They are parted at random into a
calibration and a test half. On the calibration half operating points are tested one after the
other, from next to always-strong down to the cheapest, by an exact test of paired rates, until one
fails: with confidence 1 - delta those that passed are accepted at most alpha less often than the
strongest model, and will be seen so over as many prompts as the test half has; the cheapest of
them is certified. The test half is only looked at. Thin evidence proves nothing: then every prompt
goes to the strong model, and that is said.

The certificate is kept beside the router, for `route show` and for serving.

\b
Examples:
  pointsman route certify --router my.router --outcomes logs.parquet --alpha 0.02 --delta 0.1
  pointsman route certify --router my.router --outcomes logs.parquet --split-seed 7 --json
"""


@click.command("certify", help=_HELP)
@click.option("--router", "path", required=True, type=click.Path(path_type=Path),
              help="What `route fit` wrote.")  # fmt: skip
@click.option("--outcomes", "outcomes_path", required=True, type=click.Path(path_type=Path),
              help="Recorded outcomes of the router's models.")  # fmt: skip
@click.option("--alpha", type=float, default=0.02, show_default=True,
              help="How far below always-strong the accepted rate may lie.")  # fmt: skip
@click.option("--delta", type=float, default=0.1, show_default=True,
              help="The chance of being wrong.")  # fmt: skip
@click.option("--split-seed", "seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="What parts the halves.")  # fmt: skip
@click.option("--split", type=click.Choice(["train", "test", "all"]), default=None,
              help="Which rows; by default test, or all where the file names none.")  # fmt: skip
@click.option("--ahead", type=click.IntRange(min=0), default=None,
              help="Later prompts over which the floor is to be seen to hold; 0: none, the rate "
                   "alone. By default the size of the test half.")  # fmt: skip
@click.option("--strong", help="The model of always-strong; by default the one expected best.")
@click.option("--task", help="Only this task.")
@click.option("--dry-run", is_flag=True, help="Keep no certificate.")
@json_option
def command(
    path: Path,
    outcomes_path: Path,
    alpha: float,
    delta: float,
    seed: int,
    split: "Split | None",
    ahead: int | None,
    strong: str | None,
    task: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read, part, prove, look, keep."""
    need("numpy")
    from pointsman.learning.certificates import read_certificates, with_added, write_certificates
    from pointsman.learning.certifying import certify, unseen
    from pointsman.learning.outcomes import read_outcomes
    from pointsman.learning.router import Router

    router = Router.load(path)
    held = read_certificates(path)
    outcomes = read_outcomes(
        outcomes_path, models=router.models, split=split or _split_of(outcomes_path), replies=False
    )
    if task is not None:
        import numpy as np

        outcomes = outcomes.rows(np.array([name == task for name in outcomes.tasks], dtype=bool))
    fresh = unseen(router, outcomes)
    if len(fresh) < len(outcomes):
        left = len(outcomes) - len(fresh)
        note(
            f"{left} of {several(len(outcomes), 'prompt')} {'is' if left == 1 else 'are'} left "
            "out: the router was fitted there, or a model has no outcome"
        )
    found = certify(
        router, fresh, alpha=alpha, delta=delta, seed=seed, made_at_us=int(time.time() * 1e6),
        ahead=ahead, reference=strong, task=task,
    )  # fmt: skip
    kept = None
    if found.certificate is not None and not dry_run:
        kept = write_certificates(path, with_added(held, found.certificate))
    if as_json:
        print_json(_document(found, path=path, kept=kept, seed=seed, alpha=alpha, delta=delta))
        return
    for line in _lines(found):
        click.echo(line)
    if kept is not None:
        note(f"kept in {kept}; `pointsman route show {path}` prints it")


def _split_of(path: Path) -> "Split":
    from pointsman.learning.outcomes import has_split

    return "test" if has_split(path) else "all"


def _document(
    found: "Certified", *, path: Path, kept: Path | None, seed: int, alpha: float, delta: float
) -> dict[str, Any]:
    from pointsman.cli.route_show import certificate_document

    made = found.certificate
    return {
        "router": str(path),
        "certified": made is not None,
        "lacking": found.lacking,
        "alpha": alpha,
        "delta": delta,
        "split_seed": seed,
        "reference": found.reference,
        "point": made.point if made else None,
        "value_usd": made.value_usd if made else None,
        "loyalty": made.loyalty if made else None,
        "cost_share": made.cost_share.as_dict() if made else None,
        "calibration_n": found.calibration_n,
        "points_tested": len(found.tested.p_values),
        "points_proven": found.tested.count,
        "test": {
            "n": found.seen.shortfall.n,
            "shortfall": found.seen.shortfall.as_dict(),
            "cost_share": found.seen.cost_share.as_dict(),
            "floor_held": found.seen.held,
            "statement_refuted": found.seen.refuted,
        },
        "certificate": certificate_document(made) if made else None,
        "kept": str(kept) if kept else None,
    }


def _lines(found: "Certified") -> list[str]:
    made, seen = found.certificate, found.seen
    if made is None:
        return [
            f"no certificate: {found.lacking}",
            f"every prompt goes to {found.reference}: cost ×1.00 of always-strong, "
            "the floor holds by itself",
        ]
    share = made.cost_share
    on_test = seen.cost_share
    return [
        made.statement,
        f"  point       {made.point}: an accepted answer is worth {made.value_usd:.3g} USD, less "
        f"{made.loyalty:g} of it times the chance to differ from {made.reference}",
        f"  cost        ×{share.value:.3f} [{share.low:.3f}, {share.high:.3f}] of always-strong, "
        f"on {made.n:,} calibration prompts",
        f"  shortfall   {_points(made.shortfall.value)}, at most {_points(made.shortfall.high)}; "
        f"lost {made.lost}, won {made.won}; p = {made.p_value:.3g}, {made.level:.3g} was needed",
        f"  tested      {made.points_tested} operating points, from next to always-strong down; "
        f"{found.tested.count} proven",
        f"  test half   the floor {'held' if seen.held else 'did not hold'}: shortfall "
        f"{_points(seen.shortfall.value)} on {seen.shortfall.n:,} prompts, cost "
        f"×{on_test.value:.3f}" + ("; the statement is refuted" if seen.refuted else ""),
    ]


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:+.2f} points"
