"""`pointsman policy calibrate`: a detector's threshold from honest traffic of one's own."""

from pathlib import Path

import click

from pointsman.cli.output import Progress, json_option, print_json
from pointsman.cli.policy_scan import lines_of, made
from pointsman.domain.errors import CheckFailed, UsageError

_CALIBRATE = """Set a detector's threshold to a stated rate of false alarms on honest texts.

\b
Examples:
  pointsman policy calibrate --detector injection --in ours.jsonl --fpr 0.01
  pointsman policy calibrate --detector injection --in new.jsonl --against 0.52 --fpr 0.01

\b
The file has `id` and `text` (or `text_b64`) a line, texts that are known to be honest: your own
traffic is better than anybody's. The threshold is the lowest whose false-alarm rate stays below
--fpr with confidence --level (order statistics with an exact one-sided bound; the texts must be
independent). With --against, later traffic is compared with a threshold in use; exit 4 where it
passes more often than --fpr beyond chance, or where there is too little traffic to promise it.
"""


@click.command("calibrate", help=_CALIBRATE)
@click.option("--detector", "name", required=True, help="Its name.")
@click.option(
    "--in", "source", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Honest texts.",
)  # fmt: skip
@click.option("--fpr", "rate", type=float, default=0.01, show_default=True, help="The rate asked.")
@click.option("--level", type=float, default=0.95, show_default=True, help="The confidence.")
@click.option("--against", type=float, help="A threshold in use: has traffic moved?")
@json_option
def calibrate(
    name: str, source: Path, rate: float, level: float, against: float | None, as_json: bool
) -> None:
    """The threshold with its interval, or whether one in use still holds."""
    from pointsman.policy.detectors.calibrating import moved, threshold_for

    detector = made(name)
    lines = list(lines_of(source))
    progress = Progress(len(lines), f"score {name}")
    scores = []
    for done, line in enumerate(lines, 1):
        scores.append(detector.judge(line["text"], channel="content").score)
        progress.update(done)
    progress.close()
    try:
        if against is not None:
            _compared(
                moved(scores, against, rate=rate, level=level), scores, against, rate, as_json
            )
            return
        found = threshold_for(scores, rate=rate, level=level)
    except ValueError as error:
        raise UsageError(str(error), next="`pointsman policy calibrate --help`") from error
    low, high = found.passing.low, found.passing.high
    if as_json:
        print_json(
            {
                "detector": detector.name, "version": detector.version, "texts": len(scores),
                "threshold": found.value, "fpr": rate, "level": level, "enough": found.enough,
                "passing": {"value": found.passing.value, "low": low, "high": high},
                "needed": found.needed,
            }
        )  # fmt: skip
    else:
        click.echo(f"threshold {found.value:.4f}")
        click.echo(
            f"{100 * (found.passing.value or 0):.2f} % of {len(scores)} texts pass it "
            f"[{100 * (low or 0):.2f}, {100 * (1 if high is None else high):.2f}]"
        )
    if not found.enough:
        raise CheckFailed(
            f"{len(scores)} texts cannot promise a rate below {rate:g} at level {level:g}",
            why="too few texts, or too many of the highest score",
            next=f"bring at least {found.needed} honest texts, or ask for a higher --fpr",
        )


def _compared(
    has_moved: bool, scores: list[float], against: float, rate: float, as_json: bool
) -> None:
    passing = sum(score >= against for score in scores)
    if as_json:
        print_json({"texts": len(scores), "passing": passing, "fpr": rate, "moved": has_moved})
    else:
        click.echo(f"{passing} of {len(scores)} texts pass {against:g}")
    if has_moved:
        raise CheckFailed(
            f"honest texts pass {against:g} more often than {rate:g}",
            why="the traffic is another than the threshold was set on",
            next="set it again on recent honest traffic: `pointsman policy calibrate`",
        )
