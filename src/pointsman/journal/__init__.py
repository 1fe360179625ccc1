"""Facts on disk: segments, bodies, sealing and named queries; DuckDB is loaded by a query only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.journal.faults import Fault
    from pointsman.journal.queries import QUERIES, NamedQuery
    from pointsman.journal.reader import JournalReader, iter_records
    from pointsman.journal.recovery import (
        Recovery,
        SegmentReader,
        read_segment,
        recover,
        recover_all,
    )
    from pointsman.journal.sealing import SealReport, seal
    from pointsman.journal.verifying import VerifyReport, verify
    from pointsman.journal.writer import JournalWriter, open_journal

_HOMES = {
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
    "Fault",
    "JournalReader",
    "JournalWriter",
    "NamedQuery",
    "Recovery",
    "SealReport",
    "SegmentReader",
    "VerifyReport",
    "iter_records",
    "open_journal",
    "read_segment",
    "recover",
    "recover_all",
    "seal",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
