"""Everything in the log, in files that any program can check: records, entries, checkpoints."""

import os
from pathlib import Path

import msgspec

from pointsman.audit.head import Run, run_of
from pointsman.audit.log import AuditLog
from pointsman.audit.receipts import kept_records
from pointsman.domain.errors import UsageError
from pointsman.journal.layout import layout

_README = """What this is
------------
records.ndjson   one record a line: writer, seq and ordinal say where it stands in the journal,
                 `before` is the chain hash before it (hex), `record` its exact JSON, `index` the
                 number of its entry.
entries          the SHA-256 hashes of the entries, 32 bytes each, by number.
checkpoints.txt  signed notes (C2SP tlog-checkpoint): origin, size, root.

How to check it
---------------
chain  = SHA-256(before || record)
entry  = SHA-256(0x00 || "pointsman record 1\\n" || writer || " " || seq || " " || ordinal ||
         "\\n" || chain)
root   = the Merkle tree hash of RFC 6962 over the entries; inner nodes are
         SHA-256(0x01 || left || right)
A checkpoint of size n is right when the root over the first n entries is the one it names.
"""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    to: str
    records: int
    entries: int
    checkpoints: int


def export_log(log: AuditLog, root: str | os.PathLike[str], to: Path) -> Exported:
    """Write the log and the records it covers to a new or empty directory.

    Raises: UsageError where something is there; CheckFailed where the log cannot be read; OSError.
    """
    if to.exists() and any(to.iterdir()):
        raise UsageError(f"{to} is not empty", next="name a directory that is new or empty")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    head = log.files.head()
    tree = log.tree(head)
    runs: dict[tuple[str, int], list[Run]] = {}
    for run in log.files.runs(head):
        runs.setdefault((run.writer, run.seq), []).append(run)
    count = 0
    with (to / "records.ndjson").open("wb") as out:
        for each in kept_records(layout(root)):
            its = run_of(runs, each.place)
            if its is None:
                continue
            line = {
                "index": its.first + each.place.ordinal - its.ordinal,
                "writer": each.place.writer,
                "seq": each.place.seq,
                "ordinal": each.place.ordinal,
                "before": each.before.hex(),
                "record": each.payload.decode(),
            }
            out.write(msgspec.json.encode(line) + b"\n")
            count += 1
    with (to / "entries").open("wb") as out:
        for start in range(0, head.size, 4096):
            out.write(b"".join(tree.read(0, start, min(4096, head.size - start))))
    kept = log.files.kept_checkpoints()
    text = "".join(each.text + "\n" for each in kept)
    (to / "checkpoints.txt").write_text(text, encoding="utf-8")
    (to / "README.txt").write_text(_README, encoding="utf-8")
    return Exported(to=str(to), records=count, entries=head.size, checkpoints=len(kept))
