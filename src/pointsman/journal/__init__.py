"""Facts on disk: segments, bodies, sealing and named queries; DuckDB is loaded by a query only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.journal.backups import BackupReport, backup, restore
    from pointsman.journal.compacting import CompactReport, compact
    from pointsman.journal.dropping import DropReport, drop_records
    from pointsman.journal.encryption import Cipher, MasterKey, open_cipher, open_master_key
    from pointsman.journal.envelopes import Content
    from pointsman.journal.erasing import Erased, Packs, erase_due, erase_keys, erase_refs
    from pointsman.journal.faults import Fault
    from pointsman.journal.holders import identity, is_writing
    from pointsman.journal.manifest import Manifest, Superseded, read_manifest
    from pointsman.journal.planning import CompactPlan, SealPlan, plan_compact, plan_seal
    from pointsman.journal.queries import QUERIES, NamedQuery
    from pointsman.journal.reader import JournalReader, iter_records
    from pointsman.journal.recovery import (
        Recovery,
        SegmentReader,
        read_segment,
        recover,
        recover_all,
    )
    from pointsman.journal.rolling import RollReport, roll_up
    from pointsman.journal.sealing import SealReport, seal
    from pointsman.journal.verifying import VerifyReport, verify
    from pointsman.journal.writer import JournalWriter, open_journal

_HOMES = {
    "identity": "holders",
    "is_writing": "holders",
    "Manifest": "manifest",
    "read_manifest": "manifest",
    "restore": "backups",
    "backup": "backups",
    "BackupReport": "backups",
    "Superseded": "manifest",
    "roll_up": "rolling",
    "RollReport": "rolling",
    "drop_records": "dropping",
    "DropReport": "dropping",
    "compact": "compacting",
    "plan_seal": "planning",
    "plan_compact": "planning",
    "SealPlan": "planning",
    "CompactPlan": "planning",
    "CompactReport": "compacting",
    "Content": "envelopes",
    "erase_refs": "erasing",
    "erase_keys": "erasing",
    "erase_due": "erasing",
    "Packs": "erasing",
    "Erased": "erasing",
    "open_master_key": "encryption",
    "open_cipher": "encryption",
    "MasterKey": "encryption",
    "Cipher": "encryption",
    "Fault": "faults",
    "JournalReader": "reader",
    "JournalWriter": "writer",
    "NamedQuery": "queries",
    "QUERIES": "queries",
    "Recovery": "recovery",
    "SealReport": "sealing",
    "SegmentReader": "recovery",
    "VerifyReport": "verifying",
    "iter_records": "reader",
    "open_journal": "writer",
    "read_segment": "recovery",
    "recover": "recovery",
    "recover_all": "recovery",
    "seal": "sealing",
    "verify": "verifying",
}

__all__ = [
    "QUERIES",
    "BackupReport",
    "Cipher",
    "CompactPlan",
    "CompactReport",
    "Content",
    "DropReport",
    "Erased",
    "Fault",
    "JournalReader",
    "JournalWriter",
    "Manifest",
    "MasterKey",
    "NamedQuery",
    "Packs",
    "Recovery",
    "RollReport",
    "SealPlan",
    "SealReport",
    "SegmentReader",
    "Superseded",
    "VerifyReport",
    "backup",
    "compact",
    "drop_records",
    "erase_due",
    "erase_keys",
    "erase_refs",
    "identity",
    "is_writing",
    "iter_records",
    "open_cipher",
    "open_journal",
    "open_master_key",
    "plan_compact",
    "plan_seal",
    "read_manifest",
    "read_segment",
    "recover",
    "recover_all",
    "restore",
    "roll_up",
    "seal",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
