"""Where facts are kept and for how long; the master key of their bodies named, never opened."""

import re
from collections.abc import Mapping

from pointsman.config.deployments import HIDDEN
from pointsman.config.schema import RawAudit, RawEncryption, RawJournal
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import (
    AnchorSettings,
    AuditSettings,
    EncryptionSettings,
    JournalSettings,
    Task,
)

_PLACE: Place = ("journal",)
_ORIGIN = re.compile(r"^[^\s+]{1,200}$")
_BRANCH = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,100}$")


def resolve_journal(raw: RawJournal, tasks: Mapping[str, Task], scope: Scope) -> JournalSettings:
    """The settings, every problem with them kept."""
    kept = raw.keep_records_days
    for name, task in tasks.items() if kept is not None else ():
        if kept is not None and task.retention_days > kept:
            scope.problem(
                (*_PLACE, "keep_records_days"),
                f"bodies go before records: task {name} keeps its bodies for "
                f"{task.retention_days} days",
            )
    return JournalSettings(
        path=raw.path,
        durability=raw.durability,
        fsync_window_s=raw.fsync_window_s,
        segment_bytes=raw.segment_mb * 2**20,
        keep_records_days=kept,
        encryption=_encryption(raw.encryption, scope),
        audit=_audit(raw.audit, scope),
    )


def _audit(raw: RawAudit, scope: Scope) -> AuditSettings:
    place: Place = (*_PLACE, "audit")
    if not _ORIGIN.match(raw.origin):
        scope.problem(
            (*place, "origin"), "a name without blanks or plus signs, of at most 200 characters"
        )
    for at, each in enumerate(raw.anchors):
        if (each.file is None) == (each.git is None):
            scope.problem((*place, "anchors", at), "needs exactly one of file, git")
        if each.git is not None and each.git.startswith("-"):
            scope.problem((*place, "anchors", at, "git"), "a remote does not begin with a dash")
        if not _BRANCH.match(each.branch):
            scope.problem((*place, "anchors", at, "branch"), "not the name of a branch")
    return AuditSettings(
        enabled=raw.enabled,
        origin=raw.origin,
        key_file=raw.key_file,
        anchors=tuple(
            AnchorSettings(file=each.file, git=each.git, branch=each.branch) for each in raw.anchors
        ),
    )


def _encryption(raw: RawEncryption | None, scope: Scope) -> EncryptionSettings | None:
    if raw is None:
        return None
    place: Place = (*_PLACE, "encryption")
    if (raw.key is None) == (raw.key_file is None):
        scope.problem(place, "needs exactly one of key_file, key")
    if raw.key == HIDDEN:
        scope.problem((*place, "key"), "a hidden secret: write ${NAME} and set the variable")
    return EncryptionSettings(key_file=raw.key_file, key=raw.key)
