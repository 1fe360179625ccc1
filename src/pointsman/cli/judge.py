"""`pointsman judge`: models as judges, and how far to trust each."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.judge_asking import agreement, run, try_
from pointsman.cli.judge_words import judge_of, number
from pointsman.cli.output import (
    config_option,
    fitted,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    since_us,
)
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.domain.judges import JudgeSpec
    from pointsman.evals.judging.card import Card
    from pointsman.stats.estimate import Estimate

_HELP = """Models as judges: who they are, and how they do against people.

\b
Examples:
  pointsman judge list
  pointsman judge calibrate polite
  pointsman judge card polite
"""
_LIST = """The judges of the configuration, and how their cards stand.

\b
Examples:
  pointsman judge list --json
"""
_CARD = """A judge's card: sensitivity, specificity, kappa, biases, by slice; and whether it stands.

Exit code 4 where there is no card, or where it is stale: old, of another judge than the one there
is now, or of other answers than those it looks at now.

\b
Examples:
  pointsman judge card polite
  pointsman judge card polite --json
"""
_CALIBRATE = """Hold a judge against people's labels, and keep the card.

Without --in the labels are those of `pointsman label` on traffic that the judge looked at.

\b
Examples:
  pointsman judge calibrate polite
  pointsman judge calibrate polite --in verdicts.csv --tag language
  pointsman judge calibrate better --in pairs.parquet

\b
Columns of --in (CSV, Parquet, JSON lines): human (accept, reject, 1, 0) and judge (a number in
[0, 1], empty: it did not judge). Of a judge of pairs: human, as_given and swapped, each 1 for the
first answer or 2 for the second in the pair's own order. Where they are there: chars (length of
the answer; of pairs the first's less the second's), chance (with which it came to be labelled).
"""
_WEEK_H = 168.0


@click.group(help=_HELP)
def command() -> None:
    """The noun."""


for _verb in (try_, run, agreement):
    command.add_command(_verb)


@command.command("list", help=_LIST)
@config_option
@json_option
def list_(config_path: Path, as_json: bool) -> None:
    """All."""
    with open_workspace(config_path) as workspace:
        judges = workspace.config.judges
        cards = {name: workspace.judge_cards().latest(name) for name in judges}
        rows: list[dict[str, Any]] = [
            {
                "judge": name, "kind": spec.kind, "model": spec.model, "digest": spec.digest,
                "tasks": [t.name for t in workspace.config.tasks.values()
                          if t.online is not None and t.online.judge == name],
                "labels": each.n if (each := cards[name]) is not None else 0,
                "stale": _stale(each, spec) if each is not None else ["never calibrated"],
            }
            for name, spec in judges.items()
        ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("no judges")
        note("name one under `judges:` in the configuration")
        return
    cells = [
        [
            str(row["judge"]), str(row["kind"]), str(row["model"]), ", ".join(row["tasks"]) or "-",
            str(row["labels"]), "; ".join(row["stale"]) or "stands",
        ]
        for row in rows
    ]  # fmt: skip
    click.echo(fitted(["judge", "kind", "model", "looks at", "labels", "card"], cells,
                      elastic=(2, 5)))  # fmt: skip


@command.command("card", help=_CARD)
@config_option
@click.argument("name")
@click.option(
    "--hours", type=float, default=_WEEK_H, show_default=True,
    help="What it looked at lately is held against what it was calibrated on.",
)  # fmt: skip
@json_option
def card(config_path: Path, name: str, hours: float, as_json: bool) -> None:
    """One."""
    from pointsman.evals.judging.standing import why_stale

    with open_workspace(config_path) as workspace:
        spec = judge_of(workspace, name)
        found = workspace.judge_cards().latest(name)
        if found is None:
            raise CheckFailed(
                f"{name} was never calibrated", next=f"pointsman judge calibrate {name}"
            )
        lately = workspace.seen_lately(spec, since_us=since_us(hours))
        stale = why_stale(found, spec, now_us=_now_us(), lately=lately)
    if as_json:
        print_json({"card": found, "stale": stale})
    else:
        click.echo(printable("\n".join(card_lines(found))))
    if stale:
        raise CheckFailed(
            f"the card of {name} is stale", why="; ".join(stale),
            next="label more traffic, then calibrate it again",
        )  # fmt: skip


@command.command("calibrate", help=_CALIBRATE)
@config_option
@click.argument("name")
@click.option("--in", "source", type=click.Path(dir_okay=False, path_type=Path),
              help="Labels and verdicts of a file.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, help="A column that tells slices apart.")
@click.option("--hours", type=float, help="Only traffic of the last so many hours.")
@click.option("--dry-run", is_flag=True, help="Show the card, and keep none.")
@json_option
def calibrate(
    config_path: Path,
    name: str,
    source: Path | None,
    tags: tuple[str, ...],
    hours: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Against people."""
    from pointsman.cli.columns import read_columns
    from pointsman.evals.judging.card import judge_card
    from pointsman.evaluating.calibrating import labelled_columns

    with open_workspace(config_path) as workspace:
        spec = judge_of(workspace, name)
        older = 0
        if source is not None:
            rows = labelled_columns(spec, read_columns(source, None), tags=tags)
        else:
            rows, older = workspace.labelled_traffic(spec, since_us=since_us(hours))
        if not rows:
            raise UsageError(
                f"there are no labels to hold {name} against",
                why=f"{older} are of an earlier form of it" if older else "nobody labelled what "
                "it looked at",
                next="pointsman label next --task NAME, pointsman label start; or give --in",
            )  # fmt: skip
        made = judge_card(
            spec, rows, made_us=_now_us(), source=source.name if source else "the journal"
        )
        path = None if dry_run else workspace.judge_cards().save(made)
    if older:
        note(f"{older} labels left out: an earlier form of the judge looked at those")
    if as_json:
        print_json(made)
    else:
        click.echo(printable("\n".join(card_lines(made))))
        note(f"kept: {path}" if path else "not kept: --dry-run")


def card_lines(card: "Card") -> list[str]:
    """A card as text."""
    lines = [
        f"{card.judge} · {card.n} labels from {card.source} · "
        f"{time.strftime('%Y-%m-%d', time.gmtime(card.made_us / 1e6))} · {100 * card.level:g} % "
        "intervals",
        "",
    ]
    rows = [
        ["passes what people accept", _share(card.sensitivity)],
        ["fails what people reject", _share(card.specificity)],
        ["says as people do", _share(card.agreement)],
        ["kappa", number(card.kappa)],
        ["did not judge", _share(card.unjudged)],
    ]
    if card.brier is not None:
        rows.append(["Brier score", number(card.brier)])
    if card.consistency is not None:
        rows.append(["both orders agree", _share(card.consistency)])
    if card.first_preferred is not None:
        rows.append(["prefers what is shown first (half is fair)", _share(card.first_preferred)])
    if card.length_bias is not None:
        rows.append(["likes longer answers more than people do by", _points(card.length_bias)])
    if card.repeat_variance is not None:
        rows.append(["variance when asked again", f"{card.repeat_variance:.4f}"])
    if card.cost_usd_picos:
        rows.append(["cost of a verdict", f"${card.cost_usd_picos / 1e12:.3g}"])
    if card.latency_ms is not None:
        rows.append(["time of a verdict", f"{card.latency_ms:.0f} ms"])
    lines += fitted(["against people", ""], rows).split("\n")
    if card.slices:
        cells = [
            [f"{s.tag}={s.value}", str(s.n), _share(s.sensitivity), _share(s.specificity)]
            for s in card.slices
        ]
        lines += ["", *fitted(["slice", "n", "passes accepted", "fails rejected"], cells,
                              elastic=(0,)).split("\n")]  # fmt: skip
    return lines


def _stale(card: "Card", spec: "JudgeSpec") -> tuple[str, ...]:
    from pointsman.evals.judging.standing import why_stale

    return why_stale(card, spec, now_us=_now_us())


def _now_us() -> int:
    return time.time_ns() // 1000


def _share(estimate: "Estimate") -> str:
    from pointsman.analytics.formats import percent

    return percent(estimate)


def _points(estimate: "Estimate") -> str:
    from pointsman.analytics.formats import points

    return points(estimate)
