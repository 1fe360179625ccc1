"""What the audit log costs. Run: python benchmarks/audit.py [--records N]

Extending reads the records, flushes and writes: the figure is per record, whole. Appending alone
is the tree's own part. Proofs and verification are timed on the log that came of it.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from pointsman.audit import AuditLog, make_receipt, new_signer, verify_journal, verify_receipt
from pointsman.audit.entries import Place, entry_hash
from pointsman.audit.merkle import Frontier
from pointsman.domain.plan import Decision, Plan, Step
from pointsman.domain.records import Admission, BodyRef, End
from pointsman.journal import JournalWriter

NO_BODY = BodyRef(digest="0" * 64, size=9)


def facts(count):
    decision = Decision(plan=Plan(steps=(Step(deployment="small"),)), route="r", reason="steps")
    for at in range(count // 2):
        name = f"tr_{at:026d}"
        yield Admission(trace=name, at_us=at, tenant="t", principal="p", surface="chat",
                        asked="auto", decision=decision, request=NO_BODY)  # fmt: skip
        yield End(trace=name, at_us=at + 1, status="delivered", http_status=200)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    frontier, place = Frontier(), Place("01ARZ3NDEKTSV4RRFFQ69G5FAV-1", 0, 0)
    batches = []
    for _ in range(50):
        began = time.perf_counter()
        for _ in range(2_000):
            frontier.append(entry_hash(place, b"0" * 32))
        batches.append((time.perf_counter() - began) / 2_000 * 1e6)
    with tempfile.TemporaryDirectory() as folder:
        with JournalWriter(folder) as writer:
            for fact in facts(given.records):
                writer.append(fact)
        log, signer = AuditLog(folder), new_signer("bench")
        began = time.perf_counter()
        added = log.extend().added
        extend_us = (time.perf_counter() - began) / added * 1e6
        began = time.perf_counter()
        made = log.checkpoint(origin="bench", signer=signer)
        checkpoint_ms = (time.perf_counter() - began) * 1e3
        began = time.perf_counter()
        report = verify_journal(folder, checkpoints=[made], keys=[signer.public])
        verify_us = (time.perf_counter() - began) / added * 1e6
        assert report.ok
        receipt = make_receipt(log, folder, f"tr_{given.records // 4:026d}")
        began = time.perf_counter()
        verify_receipt(receipt, checkpoint=made, keys=[signer.public])
        receipt_ms = (time.perf_counter() - began) * 1e3
        size = sum(path.stat().st_size for path in log.files.directory.iterdir())
    said = {
        "records": added,
        "append_us": [round(min(batches), 2), round(statistics.median(batches), 2),
                      round(max(batches), 2)],
        "extend_us_per_record": round(extend_us, 2),
        "bytes_per_record": round(size / added, 2),
        "checkpoint_ms": round(checkpoint_ms, 2),
        "verify_us_per_record": round(verify_us, 2),
        "receipt_verify_ms": round(receipt_ms, 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }  # fmt: skip
    text = json.dumps(said, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
