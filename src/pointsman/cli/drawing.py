"""Pictures into files: what every `--plot` shares. Needs the extra `plot`."""

from pathlib import Path
from typing import Any

from pointsman.domain.errors import ExtraMissing, UsageError

# Okabe and Ito's colours, which colour-blind readers tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")


def new_figure(path: Path, *, width: float, height: float) -> Any:
    """An empty figure for a file of that name.

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
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in known:
        raise UsageError(
            f"cannot draw into {path}",
            why=f"no kind of picture ends in {path.suffix!r}",
            next=f"end it in one of {', '.join(known)}",
        )
    return figure
