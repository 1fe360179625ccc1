"""`pointsman budgets`: how the budgets of keys, teams and tenants stand."""

from pathlib import Path

import click

from pointsman.admitting.standing import as_data
from pointsman.cli.output import (
    config_option,
    json_option,
    note,
    open_workspace,
    print_json,
    printable,
    table,
)
from pointsman.domain.money import usd

_EXAMPLES = """\b
Examples:
  pointsman budgets list
  pointsman budgets list --json
"""
_LIST = """Every budget in its present day and month (UTC): spent, held by gateways, left.

\b
Examples:
  pointsman budgets list
  pointsman budgets list --json

Gateways hold slices ahead of need; what they spent of them is known within a third of
`budgets.lease_s`. The journal has every cost: `pointsman report`.
"""


@click.group(help="Budgets.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("list", help=_LIST)
@config_option
@json_option
def list_budgets(config_path: Path, as_json: bool) -> None:
    """As a table, or as JSON."""
    with open_workspace(config_path) as workspace:
        found = workspace.budgets()
    if as_json:
        print_json([as_data(each) for each in found])
        return
    if not found:
        return note("no key, team or tenant has a budget: see `limits:` in the configuration")
    rows = [
        (
            each.scope,
            each.period,
            f"${usd(each.limit):,.6g}",
            f"${usd(each.spent):,.6g}",
            f"${usd(each.held):,.6g}",
            f"${usd(each.left):,.6g}",
        )
        for each in found
    ]
    click.echo(printable(table(("whose", "period", "limit", "spent", "held", "left"), rows)))
    for each in found:
        if each.late:
            note(
                f"{each.scope} {each.period}: {each.late} of {each.holders} gateways that hold "
                "some of it have not spoken in time; what they hold counts as spent until one "
                "beside the same journal settles it"
            )
