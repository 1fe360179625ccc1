"""`pointsman route value`: what other choices would have got, by traffic that explored."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import fitted, json_option, note, print_json
from pointsman.domain.errors import UsageError
from pointsman.learning import need

if TYPE_CHECKING:
    from pointsman.learning.valuing import Traffic, Value
    from pointsman.stats.estimate import Estimate
    from pointsman.stats.offpolicy import OffPolicy

_HELP = """Say what each arm alone, or a router, would have got on traffic answered otherwise.

OUTCOMES is what `route export` writes: one answer a request, with the propensity it was drawn
with. A request counts where the arm that answered is the one that would have been asked, by one
over that chance: IPS is unbiased, SNIPS has less spread, DR starts from a router's estimates and
corrects them (requests the router was fitted on are left out). Where too few cases count, or an
arm had no chance, there is no number, and the reason is told.

\b
Examples:
  pointsman route value --outcomes traffic.parquet
  pointsman route value --outcomes traffic.parquet --router my.router --json
"""


@click.command("value", help=_HELP)
@click.option("--outcomes", "outcomes_path", required=True, type=click.Path(path_type=Path),
              help="Traffic with propensities.")  # fmt: skip
@click.option("--router", "path", type=click.Path(path_type=Path),
              help="A router whose choices are judged as well.")  # fmt: skip
@click.option("--point", default="chosen", show_default=True, help="At this operating point.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the intervals.")
@json_option
def command(
    outcomes_path: Path, path: Path | None, point: str, level: float, as_json: bool
) -> None:
    """Read, weigh, print."""
    need("numpy")
    import numpy as np

    from pointsman.learning.completing import read_propensities
    from pointsman.learning.outcomes import read_outcomes
    from pointsman.learning.router import Router, marks
    from pointsman.learning.valuing import traffic_of, value

    if not 0.0 < level < 1.0:
        raise UsageError(f"--level {level:g} is out of range", why="it lies between 0 and 1")
    router = Router.load(path) if path is not None else None
    outcomes = read_outcomes(
        outcomes_path, models=router.models if router else None, split="all", replies=False
    )
    chance = read_propensities(outcomes_path, outcomes)
    if chance is None:
        raise UsageError(
            f"{outcomes_path} has no column 'propensity'",
            why="without the chances of the choices made nothing can be said of others",
            next="`pointsman route export` writes them; `route score` needs every arm's outcome",
        )
    if router is not None:
        fresh = ~np.isin(marks(outcomes.prompts), router.seen)
        if not fresh.all():
            note(f"{int((~fresh).sum())} of {len(fresh)} requests are left out: the router was "
                 "fitted on them")  # fmt: skip
            outcomes, chance = outcomes.rows(fresh), chance[fresh]
    traffic, at = traffic_of(outcomes, chance)
    estimates = None
    values = []
    if router is not None:
        of = outcomes.rows(at)
        estimates = router.estimate_many(of.prompts, of.tasks)
        chosen = router.choose(estimates, router.point(point))
        values.append(value(f"router at {point}", chosen, traffic, estimates, level=level))
    for j, model in enumerate(traffic.models):
        always = np.full(len(traffic), j, dtype=np.intp)
        values.append(value(f"always {model}", always, traffic, estimates, level=level))
    if as_json:
        print_json(_document(traffic, values, level))
        return
    for line in _lines(traffic, values, level):
        click.echo(line)


def _document(traffic: "Traffic", values: "list[Value]", level: float) -> dict[str, Any]:
    from pointsman.learning.valuing import as_it_was

    accepted, cost = as_it_was(traffic, level=level)
    return {
        "requests": len(traffic),
        "as_it_was": {"accepted": accepted.as_dict(), "cost_usd": cost.as_dict()},
        "policies": [
            {
                "policy": each.policy,
                "accepted": [_figure(found) for found in each.accepted],
                "cost_usd": [_figure(found) for found in each.cost_usd],
                "matched": each.matched,
                "mean_weight": each.mean_weight,
                "unsupported": each.unsupported,
                "lacking": each.lacking,
            }
            for each in values
        ],
    }


def _figure(found: "OffPolicy") -> dict[str, Any]:
    return {
        "method": found.method,
        "estimate": found.estimate.as_dict(),
        "effective_n": found.effective_n,
        "largest_weight": found.largest_weight,
        "assumptions": list(found.assumptions),
    }


def _lines(traffic: "Traffic", values: "list[Value]", level: float) -> list[str]:
    from pointsman.learning.valuing import as_it_was

    accepted, cost = as_it_was(traffic, level=level)
    rows = [["as it was", "", _share(accepted), _dollars(cost), f"{len(traffic):,}", "1"]]
    reasons = []
    for each in values:
        if each.lacking is not None:
            reasons.append(f"{each.policy}: {each.lacking}")
        if each.lacking is not None or not each.accepted:
            rows.append([each.policy, "", "-", "-", "", f"{each.mean_weight:.2f}"])
            continue
        for i, (got, paid) in enumerate(zip(each.accepted, each.cost_usd, strict=True)):
            rows.append([
                each.policy if i == 0 else "", got.method, _share(got.estimate),
                _dollars(paid.estimate), f"{got.effective_n:,.0f}",
                f"{each.mean_weight:.2f}" if i == 0 else "",
            ])  # fmt: skip
    percent = f"{100 * level:g} %"
    headings = ["policy", "by", f"accepted, {percent}", f"$ per M calls, {percent}",
                "effective n", "mean weight"]  # fmt: skip
    return [*fitted(headings, rows).splitlines(), *reasons]


def _share(found: "Estimate") -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _dollars(found: "Estimate") -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{1e6 * found.value:.4g} [{1e6 * found.low:.4g}, {1e6 * found.high:.4g}]"
