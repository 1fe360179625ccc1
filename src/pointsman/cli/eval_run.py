"""`pointsman eval run`: ask every case of a suite, score the answers, ask the gate."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.eval_common import against_option, config_option, runs_option, tell
from pointsman.cli.output import Progress, json_option, load_config, note
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.evaluating.running import Standing
    from pointsman.evaluator import Evaluator

_HELP = """Ask every case of a suite and score the answers; exit 4 where the suite's gate says no.

Asks this process itself, as the configuration says, or a running gateway (--gateway). What a run
has is kept as it comes: after Ctrl-C, a kill or a spend limit, --resume goes on where it was.
Answers to the same question under the same configuration come from earlier runs, unless --fresh;
with several epochs every one is asked.

\b
Examples:
  pointsman eval run suite.yaml
  pointsman eval run suite.yaml --subject task:ticket@large --epochs 3 --spend-limit 0.50
  pointsman eval run suite.yaml --gateway http://127.0.0.1:4100/v1 --key sk-...
  pointsman eval run --resume latest
"""


@click.command(help=_HELP)
@click.argument("suite_path", metavar="SUITE", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--subject", "-s", help="What to ask: task:NAME, task:NAME@ROUTE, a route, a "
              "deployment; default: what the suite says.")  # fmt: skip
@click.option("--prompt", help="Another prompt version for the task: NAME@VERSION, or VERSION.")
@click.option("--epochs", type=click.IntRange(1, 1000), help="Ask each case so often.")
@click.option("--gateway", help="Ask a running gateway at this URL, as in http://host:4100/v1.")
@click.option("--key", envvar="POINTSMAN_API_KEY", help="Its key (or POINTSMAN_API_KEY).")
@click.option("--concurrency", default=32, show_default=True, type=click.IntRange(1, 1024),
              help="Requests at once, at most; fewer where something is full.")  # fmt: skip
@click.option("--retries", default=4, show_default=True, type=click.IntRange(0, 20),
              help="How often a request that found something full is asked again.")  # fmt: skip
@click.option("--spend-limit", type=click.FloatRange(min=0, min_open=True), metavar="USD",
              help="Stop before more is spent.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Take nothing from earlier runs.")
@click.option("--resume", metavar="RUN", help="Go on with a run that is not finished.")
@click.option("--note", "remark", default="", help="A word on this run, for people.")
@runs_option
@against_option
@json_option
def command(
    suite_path: Path | None,
    config_path: Path,
    subject: str | None,
    prompt: str | None,
    epochs: int | None,
    gateway: str | None,
    key: str | None,
    concurrency: int,
    retries: int,
    spend_limit: float | None,
    fresh: bool,
    resume: str | None,
    remark: str,
    runs: Path | None,
    against: str | None,
    as_json: bool,
) -> None:
    """Exit 0 when it ran and the gate passed, 4 where the gate says no, 5 where nobody answers."""
    from pointsman.domain.money import PICOS_PER_USD
    from pointsman.evaluating.running import Settings
    from pointsman.evaluator import Evaluator, Gateway, Wanted

    if (suite_path is None) == (resume is None):
        raise UsageError(
            "name a suite file, or a run to --resume", next="pointsman eval run --help"
        )
    needed = gateway is None or config_path.exists()
    evaluator = Evaluator(
        load_config(config_path) if needed else None,
        root=runs,
        gateway=Gateway(url=gateway, api_key=key) if gateway is not None else None,
    )
    settings = Settings(
        ceiling=concurrency,
        retries=retries,
        spend_limit_usd_picos=None if spend_limit is None else round(spend_limit * PICOS_PER_USD),
    )
    if resume is not None:
        reference = evaluator.store.find(resume)
        _refuse_changes(subject, prompt, epochs)
    else:
        assert suite_path is not None, "there is a suite or a run"
        wanted = Wanted(subject=subject, prompt=prompt, epochs=epochs, note=remark)
        reference = evaluator.begin(evaluator.load(suite_path), wanted).id
    _finish(evaluator, reference, settings, fresh=fresh)
    tell(evaluator.store, evaluator.store.read(reference), against, as_json=as_json)


def _refuse_changes(*said: object) -> None:
    if any(each is not None for each in said):
        raise UsageError(
            "a run goes on as it began", next="leave --subject, --prompt and --epochs out"
        )


def _finish(evaluator: "Evaluator", reference: str, settings: object, *, fresh: bool) -> None:
    """Raises: KeyboardInterrupt, CheckFailed at the spend limit; the run can be resumed."""
    from pointsman.evaluating.running import Settings, Stopped

    assert isinstance(settings, Settings), "they were made above"
    run = evaluator.store.read(reference)
    note(f"{run.id} · {run.suite} on {run.subject.name} · {run.planned} samples")
    progress = Progress(run.planned, "asking")
    shown = _Shown(progress)
    try:
        asyncio.run(
            evaluator.finish(reference, settings=settings, fresh=fresh, progress=shown.update)
        )
    except BaseException as error:
        progress.leave()
        note(f"{shown.done} of {run.planned} samples are kept; go on with:")
        note(f"  pointsman eval run --resume {run.id}")
        if isinstance(error, Stopped):
            raise CheckFailed(
                f"the spend limit is reached: ${shown.spent_usd:.4g} spent",
                next="resume the run with a higher --spend-limit",
            ) from None
        raise
    progress.close(shown.remark)


class _Shown:
    """The progress line: missing, spend, how many at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.done = 0
        self.spent_usd = 0.0
        self.remark = ""

    def update(self, standing: "Standing") -> None:
        from pointsman.domain.money import usd

        self.done = standing.done
        self.spent_usd = usd(standing.spent_usd_picos)
        parts = [f"${self.spent_usd:.3g}"]
        if standing.missing:
            parts.append(f"{standing.missing} missing")
        if standing.cached:
            parts.append(f"{standing.cached} from earlier runs")
        self.remark = "· " + " · ".join(parts)
        self._progress.update(standing.done, f"{self.remark} · {standing.at_once} at once")
