"""`pointsman route explain`: one decision in words, and taken again from its record."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.output import (
    config_option,
    fitted,
    folded,
    json_option,
    open_workspace,
    print_json,
    printable,
    warn_of_faults,
)
from pointsman.domain.errors import CheckFailed

if TYPE_CHECKING:
    from pointsman.answering.replaying import Replay

_HELP = """Say why a request was answered as it was, and take the decision again from its record.

REFERENCE is a trace id or the answer's own id. Shown are the plan and its reason, what was believed
of each arm (acceptance with its 95 % interval, outcomes behind it, cost, what its gate lets
through), every plan that was weighed with the chance it had, and what else the decision read.
Replaying reads the record and the features kept beside the request's body, nothing of today.
Exit 4 if the decision taken again is another one.

\b
Examples:
  pointsman route explain tr_01J...
  pointsman route explain chatcmpl-71 --json
"""
_REPLAYED = {
    "same": "the same decision, bit for bit",
    "different": "ANOTHER decision",
    "erased": "cannot be: the features it read are erased",
    "not kept": "cannot be: the features it read were not kept",
    "unknown configuration": "cannot be: its configuration is in no record",
}


@click.command("explain", help=_HELP)
@config_option
@click.argument("reference")
@json_option
def command(config_path: Path, reference: str, as_json: bool) -> None:
    """In words, or as JSON."""
    workspace = open_workspace(config_path)
    found, replayed = workspace.trace(reference), workspace.replay(reference)
    warn_of_faults(workspace)
    if as_json:
        print_json(
            {
                "trace": found["trace"],
                "task": found["admission"].get("task"),
                "decision": replayed.recorded,
                "replay": {"status": replayed.status, "decision": replayed.recomputed},
            }
        )
    else:
        click.echo(printable("\n".join(_story(found["admission"], replayed))))
    if replayed.status == "different":
        raise CheckFailed(
            "the decision taken again is another one",
            why=f"now: {replayed.recomputed.reason if replayed.recomputed else '-'}",
            next="the version that took it is in the configuration's record",
        )


def _story(admission: dict[str, Any], replayed: "Replay") -> list[str]:
    from pointsman.routing import explaining

    decision = replayed.recorded
    told = [
        ("task", f"{admission.get('task') or '-'} by route {decision.route}"),
        ("plan", explaining.taken(decision)),
        ("why", decision.reason),
        ("chance", explaining.chance(decision)),
        *explaining.remarks(decision),
        ("replayed", _REPLAYED[replayed.status]),
    ]
    lines = [replayed.trace, *(f"  {name:<10}{text}" for name, text in told)]
    lines = folded(lines, hang=12)
    if decision.learned is not None:
        rows = explaining.beliefs(decision.learned)
        lines += ["", *fitted(explaining.BELIEFS, rows, elastic=(0,)).splitlines()]
    if decision.candidates:
        rows = explaining.candidates(decision.candidates)
        lines += ["", *fitted(explaining.CANDIDATES, rows, elastic=(0,)).splitlines()]
    return lines
