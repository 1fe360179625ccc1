"""`pointsman audit`: proof that the journal is what it was."""

import getpass
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pointsman.cli.output import config_option, json_option, load_config, note, print_json
from pointsman.domain.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from pointsman.audit import AuditLog, Checkpoint, Signer
    from pointsman.domain.task import Configuration

_EXAMPLES = """\b
Examples:
  pointsman audit status
  pointsman audit verify --checkpoint kept-elsewhere.txt
  pointsman audit prove tr_01J... --out receipt.json

Every record is an entry of a Merkle tree (RFC 6962). A checkpoint, one root and one number, kept
where nobody who can change this machine can change it, shows any later change of what came before.
"""
_KEY = """Make the key that signs checkpoints; print its public half, for those who verify.

\b
Examples:
  pointsman audit key --name audit.example.org --out audit.key
"""
_STATUS = """How far the log goes, and its latest checkpoint.

\b
Examples:
  pointsman audit status --json
"""
_CHECKPOINT = """Take in what was written since, and print a checkpoint of everything.

\b
Examples:
  pointsman audit checkpoint
  pointsman audit checkpoint --out /mnt/other-host/monday.txt
"""
_VERIFY = """Check the journal, or a receipt, against checkpoints. Exit 4 where something is wrong.

\b
Examples:
  pointsman audit verify
  pointsman audit verify --checkpoint kept-elsewhere.txt --key "audit.example.org+1f...+AS..."
  pointsman audit verify --receipt receipt.json --checkpoint kept-elsewhere.txt

With a receipt nothing else is needed: no journal, no network.
"""
_PROVE = """The receipt of one answer: its records, and the proof that they are in the log.

\b
Examples:
  pointsman audit prove tr_01J... --out receipt.json
  pointsman audit prove tr_01J... --checkpoint kept-elsewhere.txt

Whom it was given to is a record too.
"""
_EXPORT = """Every record and every checkpoint, in files that others can check without Pointsman.

\b
Examples:
  pointsman audit export --to audit-2026-11
"""
_ANCHOR = """Put the latest checkpoint where it is to be kept, now; the keeper does it by itself.

\b
Examples:
  pointsman audit anchor
  pointsman audit anchor --file /mnt/other-host/checkpoints.txt
  pointsman audit anchor --git git@example.org:audit/checkpoints.git
"""

_checkpoint_option = click.option(
    "--checkpoint", "checkpoint_path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one or more checkpoints that were kept elsewhere.",
)  # fmt: skip
_key_option = click.option(
    "--key", "keys", multiple=True,
    help="A public key, as text or in a file: a checkpoint from elsewhere must bear its signature.",
)  # fmt: skip


@click.group(help="Proof that the journal is what it was.\n\n" + _EXAMPLES)
def command() -> None:
    """The noun."""


@command.command("key", help=_KEY)
@click.option("--name", required=True, help="What the key is called in signatures; no blank.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def make_key(name: str, out: Path) -> None:
    """A signer."""
    from pointsman.audit import new_signer

    signer = new_signer(name)
    try:
        fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(
            f"The key cannot be written to {out}", why=str(error), next="name a new file"
        ) from error
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(signer.private + "\n")
    click.echo(signer.public)
    note(f"the private key is in {out}: name it as journal.audit.key_file; give the line above to "
         "whoever verifies")  # fmt: skip


@command.command("status", help=_STATUS)
@config_option
@json_option
def status(config_path: Path, as_json: bool) -> None:
    """How far it goes."""
    config, log = _open(config_path)
    head, kept = log.files.head(), log.files.kept_checkpoints()
    latest = kept[-1] if kept else None
    if as_json:
        print_json(
            {
                "enabled": config.journal.audit.enabled,
                "origin": config.journal.audit.origin,
                "entries": head.size,
                "root": head.root,
                "checkpoints": len(kept),
                "latest": latest.text if latest else None,
                "signed": bool(latest and latest.signatures),
                "anchors": len(config.journal.audit.anchors),
            }
        )
        return
    click.echo(f"{head.size} entries · {len(kept)} checkpoints · "
               f"{len(config.journal.audit.anchors)} anchors")  # fmt: skip
    if latest is not None:
        click.echo("\n" + latest.text, nl=False)
    if not config.journal.audit.anchors:
        note("no anchor: whoever can change this machine can change the log and its checkpoints; "
             "keep checkpoints elsewhere (journal.audit.anchors)")  # fmt: skip


@command.command("checkpoint", help=_CHECKPOINT)
@config_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Add it to a file.")
@json_option
def checkpoint(config_path: Path, out: Path | None, as_json: bool) -> None:
    """Now."""
    config, log = _open(config_path)
    extension = log.extend()
    made = log.checkpoint(origin=config.journal.audit.origin, signer=_signer(config))
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.write(made.text + "\n")
    if as_json:
        print_json({"added": extension.added, "size": made.size, "checkpoint": made.text})
    else:
        click.echo(made.text, nl=False)
        note(f"{extension.added} records were added")


@command.command("verify", help=_VERIFY)
@config_option
@click.option("--journal", "journal_path", type=click.Path(file_okay=False, path_type=Path),
              help="The folder of a journal, where there is no configuration.")  # fmt: skip
@click.option("--receipt", "receipt_path",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A receipt; then nothing else is read.")  # fmt: skip
@_checkpoint_option
@_key_option
@json_option
def verify(
    config_path: Path, journal_path: Path | None, receipt_path: Path | None,
    checkpoint_path: Path | None, keys: Sequence[str], as_json: bool,
) -> None:  # fmt: skip
    """Is it what it was."""
    from pointsman.audit import NoteError, verify_journal

    trusted = _keys(keys)
    given = _checkpoints(checkpoint_path)
    if receipt_path is not None:
        _verify_receipt(receipt_path, given, trusted, as_json)
        return
    root = journal_path or Path(load_config(config_path).journal_path)
    try:
        report = verify_journal(root, checkpoints=given, keys=trusted)
    except NoteError as error:
        raise UsageError("That is no public key", why=str(error), param="--key") from error
    if as_json:
        print_json({"ok": report.ok, **msgspec.to_builtins(report)})
    else:
        click.echo(f"{report.records} records, {report.entries} entries, "
                   f"{len(report.checkpoints)} checkpoints agree")  # fmt: skip
        for fault in report.faults:
            click.echo(f"  {fault}")
    if report.later:
        note(f"{report.later} records were written after the last extension and are in no entry")
    if report.dropped:
        note(f"{report.dropped} entries are of records that retention took")
    if not given:
        note("no checkpoint from elsewhere: a forger who wrote everything here anew is not seen")
    if not report.ok:
        raise CheckFailed(
            f"the journal is not what it was: {report.fault_count} faults, the first: "
            f"{report.faults[0]}",
            next="keep the files as they are and compare them with a backup",
        )


@command.command("prove", help=_PROVE)
@config_option
@click.argument("trace")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Else to stdout.")
@_checkpoint_option
def prove(config_path: Path, trace: str, out: Path | None, checkpoint_path: Path | None) -> None:
    """A receipt."""
    from pointsman.audit import make_receipt

    config, log = _open(config_path)
    given = _checkpoints(checkpoint_path)
    receipt = make_receipt(log, config.journal_path, trace, checkpoint=given[-1] if given else None)
    _record_access(config, "audit.prove", (trace,), len(receipt.records))
    data = msgspec.json.format(msgspec.json.encode(receipt), indent=1)
    if out is None:
        click.echo(data.decode())
    else:
        out.write_bytes(data + b"\n")
        note(f"{len(receipt.records)} records of {trace}, proven, in {out}")


@command.command("export", help=_EXPORT)
@config_option
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="A new or empty directory.")  # fmt: skip
@json_option
def export(config_path: Path, to: Path, as_json: bool) -> None:
    """For others."""
    from pointsman.audit.exporting import export_log

    config, log = _open(config_path)
    said = export_log(log, config.journal_path, to)
    _record_access(config, "audit.export", (), said.records)
    if as_json:
        print_json(said)
    else:
        click.echo(f"{said.records} records and {said.checkpoints} checkpoints in {to}")


@command.command("anchor", help=_ANCHOR)
@config_option
@click.option("--file", "file", help="A file on another machine's disk.")
@click.option("--git", "git", help="A git remote.")
@click.option("--branch", default="checkpoints", show_default=True, help="Of the remote.")
@json_option
def anchor_now(
    config_path: Path, file: str | None, git: str | None, branch: str, as_json: bool
) -> None:
    """Out of reach."""
    from pointsman.audit import anchor
    from pointsman.domain.task import AnchorSettings

    config, log = _open(config_path)
    if file is not None and git is not None:
        raise UsageError("give --file or --git, one of them")
    asked = AnchorSettings(file=file, git=git, branch=branch)
    anchors = (asked,) if file or git else config.audit.anchors
    if not anchors:
        raise UsageError(
            "there is no anchor", next="give --file or --git, or journal.audit.anchors"
        )
    log.extend()
    made = log.checkpoint(origin=config.journal.audit.origin, signer=_signer(config))
    for at, each in enumerate(anchors):
        name = "anchor-cli" if file or git else f"anchor-{at}"
        anchor(made, each, work=log.files.directory / name)
    if as_json:
        print_json({"anchored": len(anchors), "checkpoint": made.text})
    else:
        click.echo(made.text, nl=False)
        note(f"kept in {len(anchors)} places")


def _verify_receipt(
    path: Path, given: "list[Checkpoint]", keys: Sequence[str], as_json: bool
) -> None:
    from pointsman.audit import parse_receipt, verify_receipt

    receipt = parse_receipt(path.read_bytes())
    believed, statement = verify_receipt(
        receipt, checkpoint=_fitting(given, receipt.checkpoint), keys=keys
    )
    if as_json:
        whole = not statement.missing
        print_json({"ok": whole, "size": believed.size, **msgspec.to_builtins(statement)})
        _check_whole(statement.trace, statement.missing)
        return
    click.echo(f"{statement.trace}: {len(receipt.records)} records are under the checkpoint of "
               f"{believed.size} entries")  # fmt: skip
    for name, value in msgspec.to_builtins(statement).items():
        click.echo(f"  {name}: {_short(value)}")
    if not given:
        note("only the receipt's own checkpoint was believed: compare it with one kept elsewhere "
             "(--checkpoint), or check its signature (--key)")  # fmt: skip
    _check_whole(statement.trace, statement.missing)


def _check_whole(trace: str, missing: str) -> None:
    if missing:
        raise CheckFailed(
            f"what the receipt of {trace} holds is proven, and it is not the whole story",
            why=missing,
            next="`pointsman trace show` says what the journal knows",
        )


def _fitting(given: "list[Checkpoint]", own: str) -> "Checkpoint | None":
    """The one among those given that the receipt is under, else the latest."""
    from pointsman.audit import NoteError, parse_checkpoint

    try:
        size = parse_checkpoint(own).size
    except NoteError as error:
        raise CheckFailed("The receipt does not hold", why=str(error)) from error
    same = [each for each in given if each.size == size]
    return same[-1] if same else given[-1] if given else None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else text[:197] + "..."


def _open(config_path: Path) -> "tuple[Configuration, AuditLog]":
    from pointsman.audit import AuditLog

    config = load_config(config_path)
    return config, AuditLog(config.journal_path)


def _signer(config: "Configuration") -> "Signer | None":
    from pointsman.audit import read_signer

    path = config.audit.key_file
    return read_signer(path) if path is not None else None


def _keys(given: Sequence[str]) -> list[str]:
    """Public keys as text: those given, or the lines of files that are."""
    found: list[str] = []
    for each in given:
        is_file = len(each) < 4096 and "\n" not in each and Path(each).is_file()
        found += Path(each).read_text().split() if is_file else [each]
    return found


def _checkpoints(path: Path | None) -> "list[Checkpoint]":
    from pointsman.audit import NoteError, parse_notes

    if path is None:
        return []
    try:
        found = list(parse_notes(path.read_text(encoding="utf-8")))
    except (NoteError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} holds no checkpoint", why=str(error)) from error
    if not found:
        raise UsageError(f"{path} holds no checkpoint", why="it is empty")
    return found


def _record_access(
    config: "Configuration", action: str, traces: tuple[str, ...], records: int
) -> None:
    from pointsman.app import SystemClock
    from pointsman.domain.ids import ulid
    from pointsman.domain.records import AccessRecord
    from pointsman.journal import open_journal

    clock = SystemClock()
    now_us = clock.now_us()
    with open_journal(config.journal, path=config.journal_path) as journal:
        journal.append(
            AccessRecord(
                id=f"ac_{ulid(now_us // 1000, clock.entropy(10))}",
                at_us=now_us,
                by=f"cli:{_user(getpass.getuser)}",
                action=action,
                traces=traces,
                records=records,
            )
        )


def _user(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())
