"""`pointsman portfolio`: what can answer, at what price, and how it did."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from pointsman.cli.output import (
    config_option,
    fitted,
    json_option,
    open_workspace,
    print_json,
    printable,
    warn_of_faults,
)
from pointsman.cli.standing import in_words, standing_now
from pointsman.domain.money import usd

_EXAMPLES = """\b
Examples:
  pointsman portfolio show
  pointsman portfolio show --json
"""


_SHOW = """Each deployment with its price, its attempts in the journal, and how it stands now.

The last is asked of the gateway that runs by this file, and `-` where none answers: its health,
requests that run of those that may, and those that wait.

\b
Examples:
  pointsman portfolio show
  pointsman portfolio show --json
"""


@click.group(help="Deployments, prices and how they did.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("show", help=_SHOW)
@config_option
@json_option
def show_portfolio(config_path: Path, as_json: bool) -> None:
    """As a table, or as JSON."""
    workspace = open_workspace(config_path)
    seen = _attempts(workspace.attempts())
    now = standing_now(workspace.config)
    warn_of_faults(workspace)
    rows: list[dict[str, Any]] = []
    for item in workspace.config.deployments.values():
        price = item.price
        rows.append(
            {
                "deployment": item.name,
                "model": item.model,
                "engine": item.engine,
                "at": item.base_url or (item.embedded.gguf if item.embedded else "-"),
                "input_usd_per_mtok": price and price.input_usd_picos / 1e6,
                "output_usd_per_mtok": price and price.output_usd_picos / 1e6,
                **seen[item.name],
                "now": now.get(item.name),
            }
        )
    if as_json:
        print_json(rows)
        return
    headings = ["deployment", "model", "engine", "at", "$/Mtok in", "$/Mtok out", "tries",
                "failed", "spent", "now"]  # fmt: skip
    click.echo(printable(fitted(headings, [_cells(row) for row in rows], elastic=(1, 3))))


def _attempts(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"attempts": 0, "failed": 0, "cost_usd": 0.0}
    )
    for row in rows:
        entry = seen[row["deployment"]]
        entry["attempts"] += 1
        entry["failed"] += row["failure"] is not None
        entry["cost_usd"] += usd(row["cost_usd_picos"])
    return seen


def _cells(row: dict[str, Any]) -> list[str]:
    prices = ["-" if row[name] is None else f"{row[name]:g}"
              for name in ("input_usd_per_mtok", "output_usd_per_mtok")]  # fmt: skip
    return [row["deployment"], row["model"], row["engine"], row["at"], *prices,
            str(row["attempts"]), str(row["failed"]), f"${row['cost_usd']:.3g}",
            in_words(row["now"])]  # fmt: skip
