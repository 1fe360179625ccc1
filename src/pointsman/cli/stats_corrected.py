"""`pointsman stats judge` and `offpolicy`: what was seen, corrected for how it came to be seen."""

from pathlib import Path

import click
import msgspec

from pointsman.cli.output import json_option, note, print_json
from pointsman.cli.stats_columns import (
    bounded,
    columns_in,
    columns_option,
    complete,
    in_option,
    is_empty,
    level_option,
    names_of,
    numbers_of,
    say,
    stands_on,
    tell_missing,
    yes_no,
)
from pointsman.domain.errors import UsageError

_JUDGE = """The rate behind a yes/no judge, from how often it errs where people looked too.

\b
Examples:
  pointsman stats judge --in judged.csv --columns human,judge
  pointsman stats judge --in judged.csv --columns human,judge --level 0.9 --json

The human column is empty where nobody looked. Sensitivity and specificity come from the labelled
cases, which need not be a random draw of all, but of each truth (Rogan and Gladen). For a judge
with scores, or labels drawn at random, `ppi` is the better one.
"""
_OFFPOLICY = """What another way of choosing would have got, from logged choices with propensities.

\b
Examples:
  pointsman stats offpolicy --in log.csv --columns reward,propensity,target
  pointsman stats offpolicy --in log.csv --method dr --json \\
      --columns reward,propensity,target,predicted,promised

propensity is the chance with which the logged arm was drawn, target that with which the policy in
question would draw it; dr wants a model's reward for the logged arm and its expected one under the
policy too. Refused under an effective sample size of 50.
"""


@click.command("judge", help=_JUDGE)
@in_option
@columns_option("human,judge")
@level_option
@json_option
def judge(path: Path, columns: str, level: float, as_json: bool) -> None:
    """Behind the judge."""
    from pointsman.stats.ppi import rogan_gladen
    from pointsman.stats.proportions import wilson

    names = names_of(columns, 2)
    kept, missing = complete(columns_in(path, names), [names[1]])
    said = yes_no(kept[names[1]], names[1])
    labelled = [at for at, label in enumerate(kept[names[0]]) if not is_empty(label)]
    truth = yes_no([kept[names[0]][at] for at in labelled], names[0])
    right = [said[at] == true for at, true in zip(labelled, truth, strict=True)]
    positives, negatives = sum(truth), len(truth) - sum(truth)
    caught = sum(1 for true, fits in zip(truth, right, strict=True) if true and fits)
    cleared = sum(1 for true, fits in zip(truth, right, strict=True) if not true and fits)
    corrected = rogan_gladen(
        sum(said), len(said), caught=caught, positives=positives, cleared=cleared,
        negatives=negatives, level=level,
    )  # fmt: skip
    sensitivity = wilson(caught, positives, level=level)
    specificity = wilson(cleared, negatives, level=level)
    alone = wilson(sum(said), len(said), level=level)
    if as_json:
        stands = stands_on("rogan_gladen", enough=bounded(corrected))
        print_json({"missing": missing, "labelled": len(labelled), "corrected": corrected,
                    "judge": alone, "sensitivity": sensitivity, "specificity": specificity,
                    **stands})  # fmt: skip
        return
    say([("corrected", corrected), ("judge alone", alone), ("sensitivity", sensitivity),
         ("specificity", specificity)])  # fmt: skip
    if not bounded(corrected):
        note("not enough data: 10 labels of each truth at least, and a judge better than a coin")
    tell_missing(missing)


@click.command("offpolicy", help=_OFFPOLICY)
@in_option
@columns_option("reward,propensity,target[,predicted,promised]")
@click.option("--method", type=click.Choice(["ips", "snips", "dr"]), default="snips",
              show_default=True)  # fmt: skip
@level_option
@json_option
def offpolicy(path: Path, columns: str, method: str, level: float, as_json: bool) -> None:
    """The other policy."""
    from pointsman.stats.offpolicy import Drawn, doubly_robust, ips, snips

    names = names_of(columns, 5 if method == "dr" else 3)
    kept, missing = complete(columns_in(path, names), names)
    numbers = [numbers_of(kept[name], name) for name in names]
    cases = [Drawn(*values) for values in zip(*numbers, strict=True)]
    estimated = {"ips": ips, "snips": snips, "dr": doubly_robust}[method]
    try:
        said = estimated(cases, level=level)
    except ValueError as error:
        raise UsageError(f"{path} holds no log of draws", why=str(error),
                         param="--columns") from error  # fmt: skip
    if as_json:
        print_json({"missing": missing, "method": method, "enough_data": said.enough,
                    "estimate": msgspec.to_builtins(said.estimate),
                    "effective_n": said.effective_n, "largest_weight": said.largest_weight,
                    "assumptions": list(said.assumptions), "lacking": said.lacking})  # fmt: skip
        return
    say([(f"{names[0]} ({method})", said.estimate)])
    note(f"as much as {said.effective_n:.1f} evenly weighted cases; largest weight "
         f"{said.largest_weight:.3g}")  # fmt: skip
    if said.lacking:
        note(said.lacking)
    tell_missing(missing)


VERBS = (judge, offpolicy)
