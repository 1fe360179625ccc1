"""Where facts are kept and for how long; the master key of their bodies named, never opened."""

from collections.abc import Mapping

from pointsman.config.deployments import HIDDEN
from pointsman.config.schema import RawEncryption, RawJournal
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import EncryptionSettings, JournalSettings, Task

_PLACE: Place = ("journal",)


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
