"""A fixture for pytest: a test that runs a suite of cases and fails with its verdict.

Installed with Pointsman; it does nothing, and loads nothing, until a test asks for the fixture.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pointsman.evals.sample import Run

_MOST_LINES = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where runs are kept, and which gateway is asked, unless a test says so."""
    group = parser.getgroup("pointsman")
    group.addoption("--pointsman-config", default=None, metavar="FILE",
                    help="configuration for pointsman_eval (default: pointsman.yaml)")  # fmt: skip
    group.addoption("--pointsman-runs", default=None, metavar="DIR",
                    help="the folder of runs (default: beside the journal)")  # fmt: skip
    group.addoption("--pointsman-gateway", default=None, metavar="URL",
                    help="ask this gateway; its key is POINTSMAN_API_KEY")  # fmt: skip


@pytest.fixture
def pointsman_eval(request: pytest.FixtureRequest) -> Callable[..., "Run"]:
    """Runs a suite file; the test fails with the verdict where its gate says no.

    pointsman_eval(suite, *, subject=None, epochs=None, against=None, margin=None, config=None,
    runs=None, gateway=None) gives the run. `against` is a run, or `baseline`: the new run must not
    be worse than it by `margin`.
    """

    def evaluate(suite: str | Path, **wanted: Any) -> "Run":
        return _evaluate(request.config, Path(suite), **wanted)

    return evaluate


def _evaluate(
    options: pytest.Config,
    suite: Path,
    *,
    subject: str | None = None,
    epochs: int | None = None,
    against: str | None = None,
    margin: float | None = None,
    config: str | Path | None = None,
    runs: str | Path | None = None,
    gateway: str | None = None,
    fresh: bool = False,
) -> "Run":
    import asyncio
    import os

    from pointsman.config import load
    from pointsman.evaluator import Evaluator, Gateway, Wanted

    path = Path(config or options.getoption("pointsman_config") or "pointsman.yaml")
    url = gateway or options.getoption("pointsman_gateway")
    folder = runs or options.getoption("pointsman_runs")
    evaluator = Evaluator(
        load(path, env=os.environ) if url is None or path.exists() else None,
        root=Path(folder) if folder else None,
        gateway=Gateway(url=url, api_key=os.environ.get("POINTSMAN_API_KEY")) if url else None,
    )
    wanted = Wanted(subject=subject, epochs=epochs, fresh=fresh)
    run = asyncio.run(evaluator.run(evaluator.load(suite), wanted))
    said = _verdict(evaluator, run, against, margin)
    if said:
        pytest.fail("\n".join(said), pytrace=False)
    return run


def _verdict(evaluator: Any, run: "Run", against: str | None, margin: float | None) -> list[str]:
    """Why the test fails; empty where it passes."""
    from pointsman.evaluating.exporting.bundle import bundle, why
    from pointsman.evaluating.judging_runs import held

    store = evaluator.store
    samples = list(store.samples(run.id))
    verdict = held(store, run, samples, against, margin=margin)
    if verdict is None or verdict.passed:
        return []
    lines = [f"{run.suite} on {run.subject.name}: the gate is not passed ({run.id})"]
    for check in verdict.checks:
        more = f"; {check.more} more cases could show it" if check.more else ""
        lines.append(f"  {'passed' if check.passed else 'FAILED'}  {check.says}{more}")
    made = bundle(run, store.cases(run.id), samples)
    failed = [sample for sample in made.samples if made.word(sample) != "accepted"]
    for sample in failed[:_MOST_LINES]:
        lines.append(f"  {made.word(sample)}  {sample.case}: {why(sample)[:160]}")
    if len(failed) > _MOST_LINES:
        lines.append(f"  and {len(failed) - _MOST_LINES} more")
    lines.append(f"  pointsman eval show {run.id} --samples failed")
    return lines
