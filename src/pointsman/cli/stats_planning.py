"""`pointsman stats power` and `epochs`: how many cases, and how often each, show how much."""

from pathlib import Path

import click

from pointsman.cli.output import json_option, note, print_json
from pointsman.cli.stats_columns import (
    bounded,
    cluster_option,
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

_POWER = """How many paired cases show a difference, or what a number of cases can show.

\b
Examples:
  pointsman stats power --shift 0.02 --spread 0.35
  pointsman stats power --shift 0.02 --in pilot.csv --columns old,new --cluster user --json
  pointsman stats power --n 400 --spread 0.35

--spread is the standard deviation of the differences case by case; a file with two columns of
scores gives it instead, per cluster where one is named. --within is the standard deviation of one
answer about its case's mean, averaged over --epochs answers. Method: normal power of a paired mean
(Miller, arXiv 2411.00640, section 5); two one-sided tests for "the same".
"""
_EPOCHS = """Cases that were asked several times: what repeats tell, and what only cases can.

\b
Examples:
  pointsman stats epochs --in samples.csv --columns case,score
  pointsman stats epochs --in samples.csv --columns case,score --cluster document --json

One row an answer. The variance of the mean is split into that over cases and that of one answer;
more epochs make only the second smaller.
"""
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("power", help=_POWER)
@click.option("--shift", type=_POSITIVE, help="The difference that is to be shown.")
@click.option("--n", "n", type=click.IntRange(min=2), help="Cases: what do these show?")
@click.option("--spread", type=click.FloatRange(min=0), help="Of differences over cases.")
@click.option("--within", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="Of one answer about its case's mean.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--power", "wanted", type=click.FloatRange(0.5, 0.999), default=0.8,
              show_default=True, help="The chance to show it where it is there.")  # fmt: skip
@click.option("--in", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file with scores of a first try, for the spread.")  # fmt: skip
@click.option("--columns", help="Names of columns in it: a,b.")
@cluster_option
@level_option
@json_option
def power(
    shift: float | None, n: int | None, spread: float | None, within: float, epochs: int,
    wanted: float, path: Path | None, columns: str | None, cluster: str | None, level: float,
    as_json: bool,
) -> None:  # fmt: skip
    """How many more."""
    from pointsman.stats.power import cases_needed, cases_to_show_same, power_of, smallest_shift

    if (shift is None) == (n is None) and shift is None:
        raise UsageError("neither --shift nor --n is given", next="say what is to be shown, or by "
                         "how many cases", param="--shift")  # fmt: skip
    if (path is None) == (spread is None):
        raise UsageError("the spread is wanted once", next="give --spread, or --in with --columns",
                         param="--spread")  # fmt: skip
    if path is not None:
        spread = _pilot(path, columns or "", cluster)
    assert spread is not None, "either was given"
    unit = "clusters" if cluster else "cases"
    kept = {"spread": spread, "within_a": within, "within_b": within}
    out: dict[str, object] = {"unit": unit, "spread": spread, "level": level, "power": wanted}
    if shift is not None:
        out["cases_needed"] = cases_needed(
            shift=shift, epochs=epochs, level=level, power=wanted, **kept
        )
        whole = (spread**2 + 2 * within**2 / epochs) ** 0.5
        out["cases_to_show_same"] = cases_to_show_same(
            margin=shift, spread=whole, level=level, power=wanted
        )
    if n is not None:
        out["smallest_shift"] = smallest_shift(n, epochs=epochs, level=level, power=wanted, **kept)
        if shift is not None:
            out["power_of_n"] = power_of(n, shift=shift, epochs=epochs, level=level, **kept)
    if as_json:
        print_json({**out, **stands_on("power", enough=True)})
        return
    if shift is not None:
        click.echo(f"{out['cases_needed']} {unit} show a difference of {shift:g}; "
                   f"{out['cases_to_show_same']} that there is none so large")  # fmt: skip
    if n is not None:
        click.echo(f"{n} {unit} show a difference of {out['smallest_shift']:.4g}")
        if shift is not None:
            click.echo(f"and one of {shift:g} with probability {out['power_of_n']:.3f}")
    note(f"with probability {wanted:g}, at {level:.0%} intervals")


def _pilot(path: Path, columns: str, cluster: str | None) -> float:
    from pointsman.stats.means import effective_spread

    names = names_of(columns, 2)
    kept, missing = complete(columns_in(path, [*names, *([cluster] if cluster else [])]), names)
    a, b = (numbers_of(kept[name], name) for name in names)
    spread = effective_spread(a, b, kept[cluster] if cluster else None)
    tell_missing(missing)
    if not spread:
        raise UsageError(
            f"{path} shows no spread", why=f"{len(a)} cases, and none differs from the others",
            next="give --spread, or a larger first try", param="--in",
        )  # fmt: skip
    return spread


@click.command("epochs", help=_EPOCHS)
@in_option
@columns_option("case,score")
@cluster_option
@level_option
@json_option
def epochs(path: Path, columns: str, cluster: str | None, level: float, as_json: bool) -> None:
    """What repeats tell."""
    import msgspec

    from pointsman.stats.epochs import split_variance

    names = names_of(columns, 2)
    kept, missing = complete(columns_in(path, [*names, *([cluster] if cluster else [])]), names)
    scores: dict[object, list[float]] = {}
    groups: dict[object, object] = {}
    numbers = numbers_of(kept[names[1]], names[1])
    for at, (case, score) in enumerate(zip(kept[names[0]], numbers, strict=True)):
        scores.setdefault(case, []).append(score)
        groups.setdefault(case, kept[cluster][at] if cluster else case)
    clusters = [str(group) for group in groups.values()]
    said = split_variance(list(scores.values()), clusters=clusters, level=level)
    if as_json:
        stands = stands_on("epochs", enough=said.items is not None and bounded(said.mean))
        print_json({"missing": missing, **msgspec.to_builtins(said),
                    "worthwhile_epochs": said.worthwhile, **stands})  # fmt: skip
        return
    say([(names[1], said.mean)])
    if said.items is None or said.within is None:
        note("not enough data: no case was asked twice")
    else:
        click.echo(f"\nover cases {said.items:.4g}, of one answer {said.within:.4g} (variances); "
                   f"{said.flaky:.1%} of repeated cases did not always score the same")  # fmt: skip
        click.echo(f"beyond {said.worthwhile} epochs only more cases help")
    tell_missing(missing)


VERBS = (power, epochs)
