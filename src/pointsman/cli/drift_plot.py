"""The picture of what is watched: each stream's moving mean, and where it was found to change."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pointsman.analytics.drift.watch import Watch
from pointsman.cli.drawing import COLOURS, new_figure
from pointsman.domain.records import AlarmRecord

_MOST = 16  # streams, those with alarms first
_WINDOW = 50  # values of a moving mean


def plot_drift(watch: Watch, alarms: Sequence[AlarmRecord], path: Path) -> None:
    """A row for each stream. Raises: ExtraMissing, UsageError."""
    alarmed = {each.stream for each in alarms}
    names = [each.stream for each in watch.standing()]
    names = sorted(names, key=lambda name: (name not in alarmed, name))[:_MOST]
    figure = new_figure(path, width=10, height=1 + 2.0 * max(1, len(names)))
    axes = figure.subplots(max(1, len(names)), 1, squeeze=False)
    for (ax,), name in zip(axes, names, strict=False):
        times, values = watch.recent(name)
        pairs = sorted(zip(times, values, strict=True))
        window = min(_WINDOW, max(1, len(pairs) // 4))
        total, means = 0.0, []
        for at, (_, value) in enumerate(pairs):
            total += value - (pairs[at - window][1] if at >= window else 0.0)
            means.append(total / min(at + 1, window))
        dates = [_date(at_us) for at_us, _ in pairs]
        ax.plot(dates[window - 1 :], means[window - 1 :], color=COLOURS[0], lw=1.2)
        for alarm in alarms:
            if alarm.stream != name or not pairs or alarm.at_us < pairs[0][0]:
                continue
            ax.axvline(_date(alarm.began_us), color=COLOURS[1], lw=1.5)
            ax.axvline(_date(alarm.at_us), color=COLOURS[1], lw=1, ls=":")
            ax.annotate("began", (_date(alarm.began_us), 0.04), xycoords=("data", "axes fraction"),
                        fontsize=7, color=COLOURS[1], rotation=90, ha="right")  # fmt: skip
        if not name.endswith("/cost"):
            ax.set_ylim(-0.02, 1.02)
        ax.set_title(f"{name}: mean of {window} values", fontsize=9)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.25)
    figure.savefig(path, dpi=130)


def _date(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)
