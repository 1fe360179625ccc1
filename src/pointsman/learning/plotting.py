"""The picture of a report: cost against score. Needs the extra `plot`."""

from pathlib import Path

from pointsman.domain.errors import ExtraMissing, UsageError
from pointsman.learning.report import Report
from pointsman.learning.scoring import hull


def plot(report: Report, path: Path) -> None:
    """Write the picture; the ending of the path says the kind (png, svg, pdf).

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
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in known:
        raise UsageError(
            f"cannot draw into {path}",
            why=f"no kind of picture ends in {path.suffix!r}",
            next=f"end it in one of {', '.join(known)}",
        )
    axes = figure.add_subplot()
    router = hull([p.point for p in report.policies])
    for name, points in (
        ("router", router),
        *((curve.name, hull(curve.points)) for curve in report.curves),
        ("random mix", hull([s.point for s in report.singles])),
    ):
        axes.plot(*zip(*points, strict=True), marker=".", label=name)
    for single in report.singles:
        axes.annotate(single.name, single.point, fontsize=7, color="0.4")
        axes.plot(*single.point, "k.", markersize=4)
    axes.plot(*report.chosen.point, "*", markersize=14, label="chosen")
    axes.plot(*report.oracle.point, "^", label="oracle")
    axes.set(xscale="log", xlabel="USD a prompt", ylabel="score",
             title=f"{len(report.outcomes)} prompts")  # fmt: skip
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
