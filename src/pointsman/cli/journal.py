"""`pointsman journal`: the record of everything."""

from pathlib import Path

import click
import msgspec

from pointsman.cli.output import config_option, json_option, note, open_workspace, print_json
from pointsman.domain.errors import CheckFailed

_EXAMPLES = """\b
Examples:
  pointsman journal verify
  pointsman journal seal
"""


_VERIFY = """Walk every record: checksums, the hash chain, the sealed files. Exit 4 at a fault.

\b
Examples:
  pointsman journal verify
  pointsman journal verify --json
"""
_SEAL = """Turn closed segments into Parquet, and erase bodies that are past their retention.

\b
Examples:
  pointsman journal seal
  pointsman journal seal -c portfolio.yaml --json

May run beside a gateway; what is still being written stays as it is. Erased is erased.
"""


@click.group(help="The record of everything.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("verify", help=_VERIFY)
@config_option
@json_option
def verify_journal(config_path: Path, as_json: bool) -> None:
    """Is it whole."""
    workspace = open_workspace(config_path)
    report = workspace.verify()
    if not workspace.root.exists():
        note(f"there is no journal yet at {workspace.root}")
    if as_json:
        print_json({"ok": report.ok, **msgspec.to_builtins(report)})
    elif report.ok:
        click.echo(f"{report.records} records in {report.segments} segments and "
                   f"{report.sealed_files} sealed files: whole")  # fmt: skip
    for name in (*report.unclosed, *report.cuts):
        note(f"{name}: its writer was killed; what it had not finished was set aside")
    if report.fault is not None:
        raise CheckFailed(
            f"the journal is not whole: {report.fault}",
            next="keep the files as they are and compare them with a backup",
        )


@command.command("seal", help=_SEAL)
@config_option
@json_option
def seal_journal(config_path: Path, as_json: bool) -> None:
    """Make it small."""
    workspace = open_workspace(config_path)
    report = workspace.seal()
    erased = workspace.expire()
    if as_json:
        print_json({**msgspec.to_builtins(report), "bodies_erased": erased})
        return
    ratio = f" · {report.raw_bytes} bytes became {report.sealed_bytes}" if report.file else ""
    click.echo(f"{report.state}: {report.records} records of {report.segments} segments{ratio}")
    if report.live:
        note(f"{report.live} segments are still being written and stay as they are")
    note(f"{erased} bodies were past their retention and are erased")
