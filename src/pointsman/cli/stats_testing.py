"""`pointsman stats ab` and `adjust`: tests that may be looked at as they grow, and many at once."""

from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import json_option, note, print_json, table
from pointsman.cli.stats_columns import (
    columns_in,
    columns_option,
    complete,
    in_option,
    level_option,
    names_of,
    numbers_of,
    say,
    stands_on,
    tell_missing,
)
from pointsman.domain.errors import UsageError

_AB = """Two arms, case by case as they came: decided when the data decide, at any look.

\b
Examples:
  pointsman stats ab --in experiment.csv --columns arm,accepted
  pointsman stats ab --in experiment.csv --columns arm,accepted --arms control,new --json

Rows in order of arrival. The interval holds at every row at once, so that it may be watched and
ended at any time (asymptotic confidence sequence, arXiv 2103.06476); yes/no outcomes get exact
evidence too (safe test of two streams). `decided_at` is the first row at which the interval was
clear of zero.
"""
_ADJUST = """Many tests with one chance of error.

\b
Examples:
  pointsman stats adjust --in tests.csv --columns p
  pointsman stats adjust --in tests.csv --columns e --method e-fdr --rate 0.1 --json

holm bounds the chance of any false statement, fdr (Benjamini and Hochberg) the share of false ones
among those stated, e-fdr (e-BH) the same from e-values, however they depend on each other.
"""


@click.command("ab", help=_AB)
@in_option
@columns_option("arm,outcome")
@click.option("--arms", help="a,b: b is compared with a. Else the two there are, by name.")
@click.option("--least", default=50, show_default=True, type=click.IntRange(min=2),
              help="Cases in each arm before anything is decided.")  # fmt: skip
@level_option
@json_option
def ab(path: Path, columns: str, arms: str | None, least: int, level: float, as_json: bool) -> None:
    """Which arm."""
    from pointsman.stats.sequences import Moments, always_valid
    from pointsman.stats.two_streams import TwoStreams

    names = names_of(columns, 2)
    kept, missing = complete(columns_in(path, names), names)
    labels = [str(value) for value in kept[names[0]]]
    outcomes = numbers_of(kept[names[1]], names[1])
    first, second = _arms(arms, labels)
    seen = {first: Moments(), second: Moments()}
    exact = TwoStreams() if set(outcomes) <= {0.0, 1.0} else None
    decided_at = None
    for at, (arm, outcome) in enumerate(zip(labels, outcomes, strict=True)):
        if arm not in seen:
            continue
        seen[arm] = seen[arm].plus(outcome)
        if exact is not None:
            exact = exact.after(**{"in_a" if arm == first else "in_b": outcome == 1.0})
        if decided_at is None and min(seen[first].n, seen[second].n) >= least:
            now = always_valid(seen[first], seen[second], level=level, least=least)
            decided_at = at if now.verdict != "undecided" else None
    said = always_valid(seen[first], seen[second], level=level, least=least)
    if as_json:
        out: dict[str, Any] = {
            "arms": [first, second], "n": [seen[first].n, seen[second].n], "missing": missing,
            "verdict": said.verdict.replace("b is", f"{second} is"),
            "difference": said.difference.as_dict(), "decided_at": decided_at,
            "e_value": exact.e_value if exact else None,
            "p_value": exact.p_value if exact else None,
        }  # fmt: skip
        enough = said.difference.low is not None and min(out["n"]) >= least
        print_json({**out, **stands_on("ab", enough=enough)})
        return
    say([(f"{second} less {first}", said.difference)])
    click.echo("\n" + said.verdict.replace("b is", f"{second} is")
               + (f", first at row {decided_at}" if decided_at is not None else ""))  # fmt: skip
    if exact is not None:
        note(f"exact evidence of a difference: p {exact.p_value:.3g}, at any look")
    tell_missing(missing)


def _arms(arms: str | None, labels: list[str]) -> tuple[str, str]:
    there = sorted(set(labels))
    if arms is None:
        if len(there) != 2:
            raise UsageError(
                f"two arms are compared, and the file has {len(there)}",
                why=", ".join(there[:10]) or "no case", next="name two with --arms", param="--arms",
            )  # fmt: skip
        return there[0], there[1]
    named = [name.strip() for name in arms.split(",")]
    if len(named) != 2 or named[0] == named[1] or not set(named) <= set(there):
        raise UsageError(
            f"--arms {arms!r} does not name two arms of the file",
            why=f"it has {', '.join(there[:10]) or 'none'}", param="--arms",
        )  # fmt: skip
    return named[0], named[1]


@click.command("adjust", help=_ADJUST)
@in_option
@columns_option("p (or e, for e-fdr)")
@click.option("--method", type=click.Choice(["holm", "fdr", "e-fdr"]), default="holm",
              show_default=True)  # fmt: skip
@click.option("--rate", default=0.05, show_default=True, type=click.FloatRange(0.0001, 0.5),
              help="Of any false statement, or of false ones among those made.")  # fmt: skip
@json_option
def adjust(path: Path, columns: str, method: str, rate: float, as_json: bool) -> None:
    """Which hold."""
    from pointsman.stats.sequences import e_benjamini_hochberg
    from pointsman.stats.testing import false_discovery_adjusted, holm_adjusted

    (name,) = names_of(columns, 1)
    kept, missing = complete(columns_in(path, [name]), [name])
    values = numbers_of(kept[name], name)
    top = None if method == "e-fdr" else 1.0
    for at, value in enumerate(values):
        if value < 0 or (top is not None and value > top):
            raise UsageError(f"{name} holds {value:g}, which is no "
                             f"{'e' if top is None else 'p'}-value (case {at})",
                             param="--columns")  # fmt: skip
    adjusted: list[float] | None = None
    if method == "e-fdr":
        shown = e_benjamini_hochberg(values, rate=rate)
    else:
        adjusted = (holm_adjusted if method == "holm" else false_discovery_adjusted)(values)
        shown = [value <= rate for value in adjusted]
    if as_json:
        print_json({"n": len(values), "missing": missing, "rate": rate, "shown": shown,
                    "adjusted": adjusted, **stands_on(method, enough=bool(values))})  # fmt: skip
        return
    rows = [
        [
            str(at),
            f"{value:.4g}",
            f"{adjusted[at]:.4g}" if adjusted else "-",
            "yes" if holds else "",
        ]
        for at, (value, holds) in enumerate(zip(values, shown, strict=True))
    ]
    click.echo(table(["case", name, "adjusted", "shown"], rows))
    tell_missing(missing)


VERBS = (ab, adjust)
