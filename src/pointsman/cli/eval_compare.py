"""`pointsman eval compare`: one verdict of two runs, or of several against the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pointsman.cli.eval_common import config_option, open_store, runs_option
from pointsman.cli.output import fitted, json_option, note, print_json, printable
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.evals.comparing import RunComparison
    from pointsman.evals.measured import Measured
    from pointsman.evaluating.store import RunStore

_HELP = """Hold runs against a first one: better, worse, the same within a margin, or how many more
cases it takes.

Cases are joined word for word, epochs averaged, clusters honoured. The interval is that of the
paired differences; where several runs are held against the first, all of them hold together. Other
scorers are corrected among themselves (Holm). What is missing bounds the difference: where it could
turn the verdict, there is none. With --gate exit 4 unless each run is shown not to be worse by the
margin.

\b
Examples:
  pointsman eval compare run_01J... latest
  pointsman eval compare baseline latest --margin 0.03 --gate
  pointsman eval compare run_01J... run_01K... --measure json_schema --plot out.png
"""
_MOST_RUNS = 20
_SHOWN = 10  # flips and slices


@click.command(help=_HELP)
@click.argument("references", metavar="A B...", nargs=-1, required=True)
@config_option
@runs_option
@click.option("--margin", type=click.FloatRange(min=0, min_open=True), default=0.02,
              show_default=True, help="What does not matter: 0.02 is two points.")  # fmt: skip
@click.option("--measure", help="What is compared: `accepted` or a scorer; else the suite's own.")
@click.option("--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.9999),
              help="Coverage of intervals.")  # fmt: skip
@click.option("--gate", is_flag=True, help="Exit 4 unless none is worse by the margin.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw the differences into this file (the extra `plot`).")  # fmt: skip
@json_option
def command(
    references: tuple[str, ...], config_path: Path, runs: Path | None, margin: float,
    measure: str | None, level: float, gate: bool, plot_path: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Exit 0 whatever the verdict; 4 with --gate."""
    if not 2 <= len(references) <= _MOST_RUNS:
        raise UsageError(
            f"{len(references)} run cannot be compared" if len(references) == 1
            else f"{len(references)} runs are more than are compared at once",
            next=f"name a first run and 1 to {_MOST_RUNS - 1} others; `pointsman eval list`",
        )  # fmt: skip
    store = open_store(runs, config_path)
    said = compare_stored(store, references, margin=margin, measure=measure, level=level)
    if plot_path is not None:
        from pointsman.evaluating.exporting.picture import draw

        draw(said, plot_path)
        note(f"drawn into {plot_path}")
    if as_json:
        print_json({"comparisons": [_document(each) for each in said]})
    else:
        click.echo(printable("\n\n".join("\n".join(_page(each)) for each in said)))
    failed = [each for each in said if not each.not_worse]
    if gate and failed:
        raise CheckFailed(
            f"not shown to be no worse than {said[0].a} by {100 * margin:g} points: "
            + ", ".join(each.b for each in failed),
            why="; ".join(each.primary.lacking or each.verdict for each in failed),
            next="a larger margin, more cases, or the answers that are missing "
            "(`pointsman eval run --resume`)",
        )


def compare_stored(
    store: "RunStore", references: tuple[str, ...], *, margin: float, measure: str | None = None,
    level: float = 0.95,
) -> "list[RunComparison]":  # fmt: skip
    """Each run against the first. Raises: NotFound, UsageError, CheckFailed for a changed run."""
    from pointsman.evals.comparing import Arm, compare_runs
    from pointsman.evals.pairing import overlap

    first, *others = (_found(store, each, references) for each in references)
    if first in others or len(set(others)) < len(others):
        raise UsageError("a run cannot be compared with itself", next="name two runs")
    arms = []
    for name in (first, *others):
        run = store.read(name)
        if run.sealed:
            store.verify(name)
        arms.append(Arm(run=run, samples=tuple(store.samples(name))))
    cases = {case.id: case for case in store.cases(first)}
    return [
        compare_runs(
            arms[0], arm, margin=margin, cases=cases, measure=measure, level=level,
            shared=overlap(cases.values(), store.cases(arm.run.id)), candidates=len(others),
        )
        for arm in arms[1:]
    ]  # fmt: skip


def _found(store: "RunStore", reference: str, references: tuple[str, ...]) -> str:
    """The id of a run; `baseline` is that of the suite of another run that is named."""
    from pointsman.evaluating.baselines import baseline_of

    if reference != "baseline":
        return store.find(reference)
    other = next((each for each in references if each != "baseline"), None)
    if other is None:
        raise UsageError("two baselines are one run", next="name another run")
    return baseline_of(store.root, store.read(other).suite)


def _document(said: "RunComparison") -> dict[str, object]:
    import msgspec

    from pointsman.stats.methods import METHODS

    method = METHODS["paired"]
    return {
        "verdict": said.verdict,
        "not_worse": said.not_worse,
        **msgspec.to_builtins(said),
        "method": method.does,
        "assumptions": list(method.assumes),
    }


def _page(said: "RunComparison") -> "Iterator[str]":
    from pointsman.evaluating.exporting.figures import points, times_of

    primary = said.primary
    grouped = f" in {said.clusters} clusters" if said.clusters < said.cases else ""
    yield f"{said.suite} · {said.cases} paired cases{grouped} · {primary.measure}"
    rows = [
        [said.a, said.subject_a, _share(primary, "a"), "", ""],
        [said.b, said.subject_b, _share(primary, "b"), points(primary.difference), _word(said)],
    ]
    yield fitted(["run", "subject", primary.measure, f"difference, {said.level:.0%}", "verdict"],
                 rows, elastic=(1,))  # fmt: skip
    if primary.bounds is not None:
        missing = primary.unknown_a + primary.unknown_b
        yield f"whatever the {missing} missing would have scored: {points(primary.bounds)}"
    if primary.lacking:
        yield f"undecided: {primary.lacking}"
    if primary.more is not None:
        unit = "clusters" if grouped else "cases"
        yield f"{primary.more} more {unit} would show a difference of {100 * said.margin:g} points"
        yield f"{primary.more_for_same} more that there is none so large"
    tests = [f"p {primary.p_value:.2g}" if primary.p_value is not None else ""]
    if primary.mcnemar_p is not None:
        tests.append(f"McNemar's exact p {primary.mcnemar_p:.2g}")
    yield " · ".join([f"{primary.lost} cases lost, {primary.gained} gained", *filter(None, tests)])
    cost, latency = said.resources.cost_per_accepted_ratio, said.resources.latency_ratio
    yield f"cost per accepted {times_of(cost)} · latency {times_of(latency)}"
    if said.others:
        rows = [[each.measure, points(each.difference), each.verdict] for each in said.others]
        yield ""
        yield fitted(["other measures, together", "difference", "verdict"], rows)
    if said.slices:
        rows = [[each.where, str(each.n), f"{100 * (1 - each.rate):.1f} %",
                 f"{100 * (1 - each.others):.1f} %"] for each in said.slices[:_SHOWN]]  # fmt: skip
        yield ""
        yield fitted(["where losses gather", "cases", "lost", "elsewhere"], rows)
    if said.lost:
        names = ", ".join(flip.case for flip in said.lost[:_SHOWN])
        more = f" and {primary.lost - _SHOWN} more" if primary.lost > _SHOWN else ""
        yield f"lost: {names}{more}"
    for remark in said.remarks:
        yield f"note: {remark}"


def _share(measured: "Measured", which: str) -> str:
    from pointsman.evaluating.exporting.figures import percent

    return percent(measured.a if which == "a" else measured.b)


def _word(said: "RunComparison") -> str:
    if said.verdict == "same":
        return f"the same within {100 * said.margin:g} points"
    return said.verdict
