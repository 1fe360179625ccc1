"""How commands speak: data to stdout, everything else to stderr; tables, JSON, progress."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.domain.errors import ConfigurationError, PointsmanError, UsageError

if TYPE_CHECKING:
    from pointsman.client import Workspace
    from pointsman.config.loading import Loaded
    from pointsman.domain.task import Configuration

DEFAULT_CONFIG = "pointsman.yaml"
_UNBOUNDED = 1 << 16  # columns
_LEAST_CELL = 12  # characters that a cut leaves of a cell

config_option = click.option(
    "--config",
    "-c",
    "config_path",
    envvar="POINTSMAN_CONFIG",
    default=DEFAULT_CONFIG,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file (or POINTSMAN_CONFIG).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def load_config(path: Path) -> "Configuration":
    """The configuration, or an error that says how to get one. Raises: ConfigurationError."""
    return load_config_placed(path).config


def load_config_placed(path: Path) -> "Loaded":
    """The same, with the places of everything the file says."""
    from pointsman.config.loading import load_placed

    if not path.exists():
        raise ConfigurationError(
            f"there is no {path}",
            why="a configuration names the deployments to ask",
            next="-c FILE names another; `pointsman init` writes one for what runs here",
        )
    return load_placed(path, env=os.environ)


def open_workspace(path: Path) -> "Workspace":
    """The journal that a configuration names."""
    from pointsman.client import Workspace

    return Workspace(load_config(path))


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_lines(rows: Sequence[Mapping[str, Any]]) -> None:
    """JSON lines on stdout."""
    for row in rows:
        click.echo(msgspec.json.encode(row).decode())


def width() -> int:
    """Columns to write for: those of the terminal, or COLUMNS; no bound in a pipe or file."""
    return shutil.get_terminal_size((_UNBOUNDED, 24)).columns


def note(text: str) -> None:
    """A remark for people, on stderr."""
    click.echo(text, err=True)


def several(count: int, noun: str) -> str:
    """A number and what is counted: `1 prompt`, `2 prompts`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def report_error(error: PointsmanError) -> None:
    """What, why and what next, on stderr."""
    click.echo(printable(f"error: {error}"), err=True)


def printable(text: str) -> str:
    """The text without what would steer a terminal; models and engines write what they like."""
    return "".join(c if c in "\n\t" or not _is_control(c) else "\ufffd" for c in text)


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def warn_of_faults(workspace: "Workspace") -> None:
    """Say where the journal could not be read further, so that nobody trusts a short answer."""
    for fault in workspace.faults:
        note(f"warning: not all of the journal could be read: {fault}; `pointsman journal verify`")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is not padded."""
    cells = [list(map(str, headings)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, elastic: Sequence[int] = ()
) -> str:
    """The table within `width()`: cells of the elastic columns are cut, the last of these first;
    where that is not enough, a line per cell. No line is broken within a column."""
    from pointsman.analytics.tables import Table, fitting

    cells = [list(map(str, row)) for row in rows]
    longest = [max(len(row[i]) for row in [headings, *cells]) for i in range(len(headings))]
    over = sum(longest) + 2 * (len(headings) - 1) - width()
    for column in reversed(elastic):
        least = max(len(headings[column]), _LEAST_CELL)
        size = max(least, longest[column] - max(0, over))
        over -= max(0, longest[column] - size)
        for row in cells:
            row[column] = cut(row[column], size)
    if over > 0:  # no cut would do: then all of each cell, on a line of its own
        cells = [list(map(str, row)) for row in rows]
    return "\n".join(fitting(Table(tuple(headings), tuple(map(tuple, cells))), width=width()))


def cut(text: str, size: int) -> str:
    """The text in at most `size` characters, `…` for what was taken out of its middle."""
    if len(text) <= size:
        return text
    end = (size - 1) // 2
    return f"{text[: size - 1 - end]}…{text[len(text) - end :]}"


def folded(lines: Iterable[str], *, hang: int) -> list[str]:
    """The lines within `width()`, broken between words; what goes on is indented by `hang`."""
    wrapper = textwrap.TextWrapper(
        width=max(width(), hang + 20),
        subsequent_indent=" " * hang,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part for line in lines for part in wrapper.wrap(line) or [""]]


def since_us(hours: float | None) -> int:
    """The start of a window of so many hours before now; None: the beginning."""
    if hours is None:
        return 0
    if not hours > 0:  # nan as well
        raise UsageError(f"--hours counts backwards from now: {hours:g} gives no time")
    return int(max(0.0, time.time() - hours * 3600) * 1e6)


class Progress:
    """Done, total, rate and time left on a terminal; one line at the end elsewhere."""

    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._started = time.monotonic()
        self._shown = 0.0
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def update(self, done: int, remark: str = "") -> None:
        """Show how far it is; at most ten times a second."""
        now = time.monotonic()
        if not self._live or (now - self._shown < 0.1 and done < self._total):
            return
        self._shown = now
        rate = done / max(1e-9, now - self._started)
        left = (self._total - done) / rate if rate else 0.0
        size = 24
        bar = "█" * round(size * done / max(1, self._total))
        line = (
            f"\r{self._what} {bar:░<{size}} {done}/{self._total} · {rate:.0f}/s · {left:.0f} s left"
        )
        click.echo(f"{line} {remark}\033[K", err=True, nl=False)

    def leave(self) -> None:
        """Stop where it is, on a line of its own."""
        if self._live:
            click.echo(err=True)

    def close(self, remark: str = "") -> None:
        """The last word."""
        took = time.monotonic() - self._started
        start = "\r\033[K" if self._live else ""
        click.echo(
            f"{start}{self._what}: {self._total} in {took:.1f} s {remark}".rstrip(), err=True
        )
