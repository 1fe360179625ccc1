"""The picture of comparisons: each difference with its interval, and the margin. Extra `plot`."""

from collections.abc import Sequence
from pathlib import Path

from pointsman.domain.errors import ExtraMissing, UsageError
from pointsman.evals.comparing import RunComparison
from pointsman.evals.measured import Measured

_COLOURS = {"better": "#0b6b3a", "worse": "#a8201a", "same": "#0b57d0"}
_UNDECIDED = "#5b636d"
_MOST_ROWS = 60


def draw(comparisons: Sequence[RunComparison], path: Path) -> None:
    """Write it; the ending of the path says the kind (png, svg, pdf).

    Raises: ExtraMissing without matplotlib; UsageError for an ending that it cannot write.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissing(
            "a plot needs matplotlib, which is not installed",
            why=str(error),
            next="pip install 'pointsman[plot]'",
        ) from error
    rows = [
        (f"{said.subject_b}: {each.measure}" if len(comparisons) > 1 else each.measure, each)
        for said in comparisons
        for each in (said.primary, *said.others)
        if each.difference.low is not None
    ][:_MOST_ROWS]
    figure = Figure(figsize=(8, 1.6 + 0.4 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in known:
        raise UsageError(
            f"cannot draw into {path}",
            why=f"no kind of picture ends in {path.suffix!r}",
            next=f"end it in one of {', '.join(known)}",
        )
    axes = figure.add_subplot()
    margin = 100 * comparisons[0].margin
    axes.axvspan(-margin, margin, color="0.92", label=f"within {margin:g} points")
    axes.axvline(0, color="0.6", linewidth=1)
    for at, (_, each) in enumerate(rows):
        _interval(axes, at, each)
    axes.set_yticks(range(len(rows)), [_plain(name) for name, _ in rows])
    axes.invert_yaxis()
    first = comparisons[0]
    axes.set_xlabel(f"difference to {first.a}, points")
    axes.set_title(f"{_plain(first.suite)}, {first.cases} paired cases")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)


def _interval(axes: object, at: int, each: Measured) -> None:
    colour = _COLOURS.get(each.verdict, _UNDECIDED)
    plot = axes.plot  # type: ignore[attr-defined]
    if each.bounds is not None and each.bounds.low is not None and each.bounds.high is not None:
        plot([100 * each.bounds.low, 100 * each.bounds.high], [at, at], color=colour, linewidth=1,
             linestyle=":")  # fmt: skip
    assert each.difference.low is not None, "rows without an interval were left out"
    assert each.difference.high is not None, "an interval has two ends"
    assert each.difference.value is not None, "and a middle"
    plot([100 * each.difference.low, 100 * each.difference.high], [at, at], color=colour,
         linewidth=2)  # fmt: skip
    plot([100 * each.difference.value], [at], "o", color=colour, markersize=5)


def _plain(text: str) -> str:
    """As it stands: a dollar would begin a formula."""
    return text.replace("$", "\\$")[:60]
