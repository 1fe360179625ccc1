"""`pointsman journal`: the record of everything."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from pointsman.cli.output import (
    config_option,
    json_option,
    note,
    open_workspace,
    print_json,
    table,
)
from pointsman.domain.errors import CheckFailed, UsageError

_EXAMPLES = """\b
Examples:
  pointsman journal status
  pointsman journal verify
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
  pointsman journal seal --dry-run
  pointsman journal seal --yes -c portfolio.yaml --json

May run beside a gateway; what is still being written stays as it is. Erased is erased.
"""
_COMPACT = """Make one of small sealed files, day by day. The keeper does this while serving.

\b
Examples:
  pointsman journal compact --dry-run
  pointsman journal compact --json
"""
_STATUS = """What there is of segments, sealed files, bodies and sums, and how keeping them goes.

\b
Examples:
  pointsman journal status
  pointsman journal status --json
"""
_BACKUP = """Copy the journal as it stands to a new or empty directory, and verify the copy.

\b
Examples:
  pointsman journal backup /backups/monday
  pointsman journal backup /backups/monday --json

A gateway may go on writing meanwhile. The state (subject keys) is not in the copy.
"""
_RESTORE = """Verify a backup and put it where a journal is to be; never over another.

\b
Examples:
  pointsman journal restore /backups/monday --to .pointsman
  pointsman journal restore /backups/monday --to /srv/pointsman --json
"""
_ERASE = """Erase what one person said and was told, or one request, for good.

\b
Examples:
  pointsman journal erase --subject ada@example.org --tenant acme --dry-run
  pointsman journal erase --trace tr_01J... --yes

Records of it stay, without the text: costs, times and decisions. Backups made before still hold
plain bodies; encrypted ones cannot be read any more.
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
@click.option("--dry-run", is_flag=True, help="Only say what would be sealed and erased.")
@click.option("--yes", is_flag=True, help="Do not ask before bodies are erased.")
@json_option
def seal_journal(config_path: Path, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make it small."""
    workspace = open_workspace(config_path)
    plan = workspace.plan_seal()
    if dry_run:
        if as_json:
            print_json(plan)
        else:
            click.echo(
                f"would seal {plan.segments} segments ({_size(plan.raw_bytes)}) and erase "
                f"{plan.due_bodies} bodies ({_size(plan.due_bytes)}) past their retention"
            )
        return
    if plan.due_bodies:
        _agreed(f"{plan.due_bodies} bodies ({_size(plan.due_bytes)}) past their retention", yes)
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


@command.command("compact", help=_COMPACT)
@config_option
@click.option("--dry-run", is_flag=True, help="Only say which files would become fewer.")
@json_option
def compact_journal(config_path: Path, dry_run: bool, as_json: bool) -> None:
    """Fewer files."""
    if dry_run:
        plan = open_workspace(config_path).plan_compact()
        if as_json:
            print_json(plan)
        else:
            click.echo(f"{plan.files} files ({_size(plan.raw_bytes)}) would become {plan.into}")
        return
    fewer = open_workspace(config_path).compact()
    if as_json:
        print_json({"files_fewer": fewer})
    else:
        click.echo(f"{fewer} files fewer")


@command.command("status", help=_STATUS)
@config_option
@json_option
def journal_status(config_path: Path, as_json: bool) -> None:
    """How it is."""
    workspace = open_workspace(config_path)
    status = workspace.journal_status()
    if as_json:
        print_json(status)
        return
    rows = [
        ["segments", str(status.segments), _size(status.segment_bytes)],
        ["sealed files", str(status.sealed_files),
         f"{_size(status.sealed_bytes)} · {status.sealed_records} records"],
        ["packs of bodies", str(status.packs), _size(status.pack_bytes)],
        ["days summed up", str(status.rolled_days),
         f"last {status.last_rolled_day or '-'} · {status.waiting_days} waiting"],
    ]  # fmt: skip
    click.echo(table(["what", "how many", ""], rows))
    jobs = [[job.name, _time(job.last_us), _time(job.next_us), job.error or "-"]
            for job in status.jobs]  # fmt: skip
    if jobs:
        click.echo("\n" + table(["job", "last (UTC)", "next (UTC)", "error"], jobs))
    else:
        note(f"state: {status.state}")


@command.command("backup", help=_BACKUP)
@config_option
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@json_option
def backup_journal(config_path: Path, dest: Path, as_json: bool) -> None:
    """A copy that verifies."""
    report = open_workspace(config_path).backup(dest)
    if as_json:
        print_json(report)
        return
    click.echo(f"{report.records} records in {report.files} files at {report.to}: whole")
    note("keep a backup of the state as well (state.url): without its keys bodies are not verified,"
         " and encrypted ones not read")  # fmt: skip


@command.command("restore", help=_RESTORE)
@click.argument("src", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where journal.path will point; new or empty.")  # fmt: skip
@json_option
def restore_journal(src: Path, to: Path, as_json: bool) -> None:
    """A journal from a copy."""
    from pointsman.journal import restore

    report = restore(src, to)
    if as_json:
        print_json(report)
    else:
        click.echo(f"{report.records} records in {report.files} files at {report.to}: whole")


@command.command("erase", help=_ERASE)
@config_option
@click.option("--subject", help="The person, as `user`, `safety_identifier` or the header said.")
@click.option("--tenant", default="default", show_default=True, help="Whose data it is.")
@click.option("--trace", help="Only this request.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(
    config_path: Path, subject: str | None, tenant: str, trace: str | None, dry_run: bool,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """For good."""
    if (not subject) == (not trace):
        raise UsageError("give --subject or --trace, one of them", next="see --help")
    eraser = open_workspace(config_path).eraser()
    report = eraser.plan_subject(tenant, subject) if subject else eraser.plan_trace(trace or "")
    who = f"a person of {tenant}" if subject else f"{trace}"
    if not dry_run:
        what = f"{report.bodies} bodies ({_size(report.bytes)}) of {who}"
        _agreed(what, yes)
        report = (
            eraser.erase_subject(tenant, subject) if subject else eraser.erase_trace(trace or "")
        )
    if as_json:
        print_json(report)
    else:
        verb = "erased" if report.done else "would erase"
        click.echo(f"{verb} {report.bodies} bodies ({_size(report.bytes)}) of {who}")
    if report.unreadable:
        raise CheckFailed(
            f"not all was reached: {', '.join(report.unreadable)}",
            why="the pack is damaged; what lies behind the damage is not found",
            next="remove that pack: its bodies then read as erased",
        )


def _agreed(what: str, yes: bool) -> None:
    """Ask on a terminal. Raises: UsageError where nobody can be asked and --yes is not there."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"this erases {what} for good", next="add --yes, or --dry-run to look")
    if not yes:
        click.confirm(f"erase {what} for good?", abort=True, err=True)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _time(at_us: int | None) -> str:
    if at_us is None:
        return "-"
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
