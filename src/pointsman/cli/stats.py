"""`pointsman stats`: the statistics at the command line, on files of your own."""

from pathlib import Path
from typing import Any

import click
import msgspec

from pointsman.cli import stats_corrected, stats_planning, stats_testing
from pointsman.cli.output import json_option, note, print_json, table
from pointsman.cli.stats_columns import (
    bounded,
    cluster_option,
    columns_in,
    columns_option,
    complete,
    in_option,
    is_empty,
    level_option,
    names_of,
    no_column,
    numbers_of,
    plain,
    print_estimate,
    say,
    shares_of,
    stands_on,
    tell_missing,
    yes_no,
)  # fmt: skip
from pointsman.domain.errors import UsageError
from pointsman.stats.estimate import Estimate

_EXAMPLES = """\b
Examples:
  pointsman stats paired --in scores.csv --columns old,new --margin 0.02
  pointsman stats drift --stream outcomes.csv --column correct --arl 10000
  pointsman stats slices --in cases.parquet --columns accepted,language,surface --json

Data: paired, proportion, mean, ratio, epochs, slices. People and judges: ppi, judge. Live: ab, srm,
drift, offpolicy. Before and after: power, adjust. Files are .csv, .parquet or .jsonl. Every number
comes with its interval, or says that the data hold too little for one; --json adds the method and
what it assumes.
"""
_PAIRED = """Two versions on the same cases: the difference of their means, and a verdict.

\b
Examples:
  pointsman stats paired --in scores.csv --columns old,new
  pointsman stats paired --in scores.csv --columns old,new --cluster user --margin 0.02 --json

Scores may be yes/no or numbers. The interval is Student's t on the differences, with clustered
errors where --cluster names a column (Miller, arXiv 2411.00640); yes/no scores get McNemar's exact
test too. A verdict of "same" needs the whole interval within --margin.
"""
_PROPORTION = """A rate, with its interval.

\b
Examples:
  pointsman stats proportion --in outcomes.csv --columns accepted
  pointsman stats proportion --in outcomes.csv --columns accepted --cluster session --json

Wilson's interval; with --cluster Student's t on clustered errors.
"""
_MEAN = """The mean of scores, with its interval.

\b
Examples:
  pointsman stats mean --in scores.csv --columns score
  pointsman stats mean --in scores.csv --columns score --cluster document --json

Student's t; with --cluster on clustered errors (Miller, arXiv 2411.00640), which below 30 clusters
allow for how few they are and how unlike in size (CR2). Answers of one case are a cluster too.
"""
_RATIO = """Cost per accepted output: total cost over the number accepted, with its interval.

\b
Examples:
  pointsman stats ratio --in requests.csv --columns cost_usd,accepted
  pointsman stats ratio --in requests.csv --columns cost_usd,accepted --cluster session --json

Fieller's interval, corrected for the skewness of costs; open where too few are accepted. As second
opinions the delta method, and the bootstrap over clusters (seeded, so that it can be repeated).
"""
_PPI = """What people would say of every case, from few labels of theirs and many of a judge.

\b
Examples:
  pointsman stats ppi --in judged.parquet --columns human,judge
  pointsman stats ppi --in judged.parquet --columns human,judge --level 0.9 --json

The human column is empty where nobody looked; who was looked at must be a random draw. Method:
prediction-powered inference with tuned weight (PPI++, arXiv 2311.01453).
"""
_DRIFT = """Alarms on a stream of values in [0, 1], in the order of the file.

\b
Examples:
  pointsman stats drift --stream outcomes.csv --column correct --arl 10000
  pointsman stats drift --stream outcomes.csv --column correct --arl 40000 --reference 500 --json

Knows neither the baseline nor when it changes. --arl is how many values false alarms are apart on
average, at least; within n values one comes with probability n / arl at most. --reference is the
leading window from which the baseline is first learned. Method: e-detectors (arXiv 2203.03532).
"""
_SRM = """Whether cases went to the arms in the shares they were meant to.

\b
Examples:
  pointsman stats srm --in assignments.csv --columns arm
  pointsman stats srm --in assignments.csv --columns arm --expected a=0.9,b=0.1 --json

May be asked at any time, as often as one likes (arXiv 2011.03567). Without --expected the arms
are meant to be equal.
"""
_SLICES = """Slices of cases that do worse than the rest, false discoveries bounded.

\b
Examples:
  pointsman stats slices --in cases.csv --columns accepted,language,surface,length
  pointsman stats slices --in cases.csv --columns accepted --rate 0.1 --json

The first column is the outcome, yes/no; the others, or all others where none is named, describe the
cases. A slice is one or two conditions; half of the cases choose, the other half tests.
"""


@click.group(help="Statistics on files of your own.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("paired", help=_PAIRED)
@in_option
@columns_option("a,b")
@cluster_option
@click.option("--margin", type=click.FloatRange(min=0, min_open=True), default=0.02,
              show_default=True, help="The difference that does not matter.")  # fmt: skip
@level_option
@json_option
def paired(
    path: Path, columns: str, cluster: str | None, margin: float, level: float, as_json: bool
) -> None:
    """Two versions."""
    from pointsman.stats.means import compare, mcnemar
    from pointsman.stats.proportions import paired_difference

    names = names_of(columns, 2)
    data = columns_in(path, [*names, *([cluster] if cluster else [])])
    kept, missing = complete(data, names)
    a, b = (numbers_of(kept[name], name) for name in names)
    clusters = kept[cluster] if cluster else None
    said = compare(a, b, margin=margin, clusters=clusters, level=level)
    binary = set(a) | set(b) <= {0.0, 1.0}
    out: dict[str, Any] = {
        "n": len(a), "missing": missing, "mean_a": sum(a) / len(a) if a else None,
        "mean_b": sum(b) / len(b) if b else None, "difference": said.difference.as_dict(),
        "verdict": said.verdict, "margin": margin, "more_cases_needed": said.more,
        "more_cases_to_show_same": said.more_for_same,
        **stands_on("paired", enough=said.verdict != "not enough data"),
    }  # fmt: skip
    if binary and cluster is None:
        only_a = sum(1 for x, y in zip(a, b, strict=True) if x > y)
        only_b = sum(1 for x, y in zip(a, b, strict=True) if y > x)
        out["mcnemar_p"] = mcnemar(only_a, only_b)
        exact = paired_difference([x > 0 for x in a], [y > 0 for y in b], level=level)
        out["difference_of_rates"] = exact.as_dict()
    if as_json:
        print_json(out)
        return
    say([(f"{names[1]} less {names[0]}", said.difference)])
    click.echo(f"\n{said.verdict}" + (f": {said.more} more cases would show a difference of "
                                      f"{margin:g}" if said.more else ""))  # fmt: skip
    tell_missing(missing)


@command.command("proportion", help=_PROPORTION)
@in_option
@columns_option("success")
@cluster_option
@level_option
@json_option
def proportion(path: Path, columns: str, cluster: str | None, level: float, as_json: bool) -> None:
    """A rate."""
    from pointsman.stats.means import mean
    from pointsman.stats.proportions import wilson

    (name,) = names_of(columns, 1)
    kept, missing = complete(columns_in(path, [name, *([cluster] if cluster else [])]), [name])
    values = yes_no(kept[name], name)
    said = (
        mean([float(value) for value in values], clusters=kept[cluster], level=level)
        if cluster
        else wilson(sum(values), len(values), level=level)
    )
    print_estimate(name, said, missing, as_json, "mean" if cluster else "wilson")


@command.command("mean", help=_MEAN)
@in_option
@columns_option("score")
@cluster_option
@level_option
@json_option
def mean_of(path: Path, columns: str, cluster: str | None, level: float, as_json: bool) -> None:
    """A mean."""
    from pointsman.stats.means import mean

    (name,) = names_of(columns, 1)
    kept, missing = complete(columns_in(path, [name, *([cluster] if cluster else [])]), [name])
    clusters = kept[cluster] if cluster else None
    said = mean(numbers_of(kept[name], name), clusters=clusters, level=level)
    print_estimate(name, said, missing, as_json, "mean")


@command.command("ratio", help=_RATIO)
@in_option
@columns_option("cost,accepted")
@cluster_option
@click.option("--method", type=click.Choice(["fieller", "delta", "bootstrap"]), default="fieller",
              show_default=True, help="Of the interval.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--on", default="here", show_default=True,
              help="Where it is computed: here, processes, ray, ray:ADDRESS.")  # fmt: skip
@level_option
@json_option
def ratio(
    path: Path, columns: str, cluster: str | None, method: str, seed: int, on: str,
    level: float, as_json: bool,
) -> None:  # fmt: skip
    """Cost per accepted."""
    names = names_of(columns, 2)
    data = columns_in(path, [*names, *([cluster] if cluster else [])])
    kept, missing = complete(data, names)
    costs, accepted = numbers_of(kept[names[0]], names[0]), yes_no(kept[names[1]], names[1])
    if any(cost < 0 for cost in costs):
        raise UsageError(f"{names[0]} holds a negative cost", param="--columns")
    said = _ratio(costs, accepted, kept[cluster] if cluster else None, method, seed, level, on)
    print_estimate(f"{names[0]} per {names[1]}", said, missing, as_json, method)


def _ratio(
    costs: list[float], accepted: list[bool], clusters: list[Any] | None, method: str, seed: int,
    level: float, on: str,
) -> Estimate:  # fmt: skip
    if method == "delta":
        from pointsman.stats.delta import delta_ratio

        return delta_ratio(costs, [float(yes) for yes in accepted], clusters=clusters, level=level)
    if method == "bootstrap":
        from pointsman.cli.stats_bootstrap import bootstrapped_ratio

        return bootstrapped_ratio(costs, accepted, clusters, seed=seed, level=level, on=on)
    from pointsman.stats.ratios import clustered_cost_per_accepted, cost_per_accepted

    if clusters is not None:
        return clustered_cost_per_accepted(costs, accepted, clusters, level=level)
    return cost_per_accepted(costs, accepted, level=level)


@command.command("ppi", help=_PPI)
@in_option
@columns_option("human,judge")
@level_option
@json_option
def ppi(path: Path, columns: str, level: float, as_json: bool) -> None:
    """People and a judge."""
    from pointsman.stats.ppi import ppi_mean

    names = names_of(columns, 2)
    data = columns_in(path, names)
    kept, missing = complete(data, [names[1]])
    judged = numbers_of(kept[names[1]], names[1])
    human, scored, others = [], [], []
    for label, score in zip(kept[names[0]], judged, strict=True):
        if is_empty(label):
            others.append(score)
        else:
            human.append(numbers_of([label], names[0])[0])
            scored.append(score)
    said = ppi_mean(human, scored, others, level=level)
    if as_json:
        stands = stands_on("ppi", enough=bounded(said.corrected))
        print_json({"missing": missing, **msgspec.to_builtins(said), **stands})
        return
    say([("corrected", said.corrected), ("people alone", said.human), ("judge alone", said.judge)])
    note(f"{said.labelled} labels, {said.unlabelled} cases of the judge alone, weight of the judge "
         f"{said.weight:.2f}")  # fmt: skip
    if said.corrected.low is None:
        note("not enough labels: at least 10 are needed")
    tell_missing(missing)


@command.command("drift", help=_DRIFT)
@click.option("--stream", "path", required=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A .csv, .parquet or .jsonl file, oldest first.")  # fmt: skip
@click.option("--column", required=True, help="The column of values: yes/no, or in [0, 1].")
@click.option("--arl", default=10_000.0, show_default=True, type=click.FloatRange(min=10),
              help="Average run length between false alarms, in values.")  # fmt: skip
@click.option("--reference", type=click.IntRange(min=20),
              help="Values from which the baseline is first learned; else 200.")  # fmt: skip
@json_option
def drift(path: Path, column: str, arl: float, reference: int | None, as_json: bool) -> None:
    """Has it changed."""
    from pointsman.stats.detectors import DEFAULT_REFERENCE, DriftDetector

    values = numbers_of(columns_in(path, [column])[column], column)
    if any(not 0 <= value <= 1 for value in values):
        raise UsageError(f"{column} holds a value outside [0, 1]", param="--column")
    detector = DriftDetector(arl=arl, reference=reference or DEFAULT_REFERENCE)
    alarms = [alarm for value in values if (alarm := detector.add(value)) is not None]
    state = detector.state
    if as_json:
        print_json(
            {
                "alarms": [alarm.at for alarm in alarms],
                "started": [alarm.started for alarm in alarms],
                "before": [alarm.before for alarm in alarms],
                "after": [alarm.after for alarm in alarms],
                "n": state.n,
                "baseline": state.baseline,
                "evidence": state.evidence,
                "arl": arl,
                **stands_on("drift", enough=state.baseline is not None or bool(alarms)),
            }
        )
        return
    for alarm in alarms:
        click.echo(f"changed at about {alarm.started}, noticed at {alarm.at}: "
                   f"{alarm.before:.3f} became {alarm.after:.3f}")  # fmt: skip
    if not alarms:
        known = (
            "its baseline is still being learned"
            if state.baseline is None
            else (f"baseline {state.baseline:.3f}, evidence {state.evidence:.3g} of {arl:g}")
        )
        click.echo(f"no alarm in {state.n} values: {known}")


@command.command("srm", help=_SRM)
@in_option
@columns_option("arm")
@click.option("--expected", help="Shares: a=0.9,b=0.1.")
@click.option("--alpha", default=0.001, show_default=True, type=click.FloatRange(0, 1),
              help="Probability of ever calling a mismatch where there is none.")  # fmt: skip
@json_option
def srm(path: Path, columns: str, expected: str | None, alpha: float, as_json: bool) -> None:
    """As meant."""
    from pointsman.stats.sequences import sample_ratio

    (name,) = names_of(columns, 1)
    counts: dict[str, int] = {}
    for value in columns_in(path, [name])[name]:
        if not is_empty(value):
            counts[str(value)] = counts.get(str(value), 0) + 1
    shares = shares_of(expected) if expected else dict.fromkeys(sorted(counts), 1.0)
    try:
        said = sample_ratio(counts, shares, alpha=alpha)
    except ValueError as error:
        raise UsageError(
            f"{name} does not go with --expected", why=str(error),
            next=f"the file has {', '.join(sorted(counts)) or 'none'}", param="--expected",
        ) from error  # fmt: skip
    if as_json:
        print_json({**msgspec.to_builtins(said), **stands_on("srm", enough=bool(counts))})
        return
    n = max(1, sum(said.seen.values()))
    rows = [[arm, str(count), f"{count / n:.3f}", f"{said.expected[arm]:.3f}"]
            for arm, count in said.seen.items()]  # fmt: skip
    click.echo(table(["arm", "cases", "share", "meant"], rows))
    word = "a mismatch" if said.mismatch else "no mismatch"
    click.echo(f"\n{word} (p {said.p_value:.3g}, at any look)")


@command.command("slices", help=_SLICES)
@in_option
@columns_option("outcome[,column,...]")
@click.option("--rate", default=0.05, show_default=True, type=click.FloatRange(0.001, 0.5),
              help="Expected share of false discoveries.")  # fmt: skip
@click.option("--least-share", default=0.01, show_default=True, type=click.FloatRange(0, 0.5),
              help="Of all cases, that a slice has at least.")  # fmt: skip
@click.option("--rises", is_flag=True, help="Look for slices above the rest.")
@json_option
def slices(
    path: Path, columns: str, rate: float, least_share: float, rises: bool, as_json: bool
) -> None:
    """Where."""
    from pointsman.stats.slices import find_slices

    names = [name.strip() for name in columns.split(",") if name.strip()]
    if not names:
        raise UsageError("--columns names no outcome", param="--columns")
    data = columns_in(path, names if len(names) > 1 else None)
    if names[0] not in data:
        raise no_column(path, names[0], data)
    kept, missing = complete(data, names[:1])
    outcomes = yes_no(kept[names[0]], names[0])
    described = {name: [plain(value) for value in values] for name, values in kept.items()
                 if name != names[0]}  # fmt: skip
    found = find_slices(outcomes, described, least_share=least_share, rate=rate, rises=rises)
    if as_json:
        stands = stands_on("slices", enough=len(outcomes) >= 60)
        print_json({"n": len(outcomes), "missing": missing, "slices": msgspec.to_builtins(found),
                    **stands})  # fmt: skip
        return
    if not found:
        click.echo(f"no slice of {len(outcomes)} cases differs beyond chance")
        return
    rows = [
        [each.where, str(each.n), f"{each.rate:.3f}", f"{each.others:.3f}",
         f"{each.difference.low:+.3f} to {each.difference.high:+.3f}", f"{each.p_value:.2g}"]
        for each in found
    ]  # fmt: skip
    click.echo(table(["slice", "cases", "rate", "others", "difference", "p"], rows))
    tell_missing(missing)


for _module in (stats_planning, stats_testing, stats_corrected):
    for _verb in _module.VERBS:
        command.add_command(_verb)
