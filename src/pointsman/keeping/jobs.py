"""What the keeper does, each in small steps: seal, compact, roll up, retain. Nothing here waits."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.analytics.daily import DayJudge, rule_digests
from pointsman.audit import AnchorFailed, AuditLog, anchor, read_signer
from pointsman.domain.alerts import AlertChannel
from pointsman.domain.errors import CheckFailed
from pointsman.domain.ports import SubjectKeys
from pointsman.domain.task import AuditSettings, DriftSettings, Task
from pointsman.journal import (
    JournalReader,
    Packs,
    compact,
    drop_records,
    roll_up,
    seal,
)
from pointsman.journal.layout import layout
from pointsman.keeping.alerting import alert
from pointsman.keeping.drifting import watch
from pointsman.keeping.erasure import Unfinished
from pointsman.keeping.trusted_clock import DAY_US, TrustedClock

SEAL_BYTES = 128 * 1024 * 1024  # of segments in one step
COMPACT_BYTES = 128 * 1024 * 1024
MEMORY_MB = 256


@dataclass(slots=True)
class Work:
    """What every job needs, and what is remembered between runs."""

    root: Path
    tasks: Mapping[str, Task]
    keys: SubjectKeys | None
    keep_records_days: int | None
    allowed: Callable[[], bool]  # asked before each change of the manifest
    wall_us: Callable[[], int]
    monotonic: Callable[[], float] = time.monotonic
    audit: AuditSettings = field(
        default_factory=AuditSettings
    )  # with paths as they are from anywhere
    drift: DriftSettings = field(default_factory=DriftSettings)
    alerts: Sequence[AlertChannel] = ()
    reached: Callable[[str], None] = lambda point: None
    packs: Packs = field(init=False)
    clock: TrustedClock = field(init=False)
    unfinished: Unfinished = field(init=False)

    def __post_init__(self) -> None:
        self.packs = Packs(self.root)
        self.clock = TrustedClock(layout(self.root))
        self.unfinished = Unfinished(self.root)


# Each yields once a step, with what it did; whoever runs it may stop between.
Job = Callable[[Work], Iterator[str]]


def sealing(work: Work) -> Iterator[str]:
    """Finished segments into Parquet."""
    while True:
        report = seal(
            work.root,
            max_bytes=SEAL_BYTES,
            memory_mb=MEMORY_MB,
            allowed=work.allowed,
            reached=work.reached,
        )
        if report.state != "sealed":
            return
        yield f"sealed {report.records} records"


def compacting(work: Work) -> Iterator[str]:
    """Small sealed files of a day into one."""
    while True:
        report = compact(
            work.root,
            max_bytes=COMPACT_BYTES,
            memory_mb=MEMORY_MB,
            allowed=work.allowed,
            reached=work.reached,
        )
        if report.state != "compacted":
            return
        yield f"made one of {report.files} files"


def rolling_up(work: Work) -> Iterator[str]:
    """The sums of days that have ended or changed."""
    judge, rules = DayJudge(work.tasks), rule_digests(work.tasks)
    while True:
        report = roll_up(
            work.root,
            judge=judge,
            rules=rules,
            today=work.wall_us() // DAY_US,
            memory_mb=MEMORY_MB,
            allowed=work.allowed,
            reached=work.reached,
        )
        if report.state != "rolled up":
            return
        yield f"summed up {report.requests} requests of one day"


def retaining(work: Work) -> Iterator[str]:
    """Erase what was kept long enough or was ordered erased, by a clock that is to be trusted."""
    newest_us = 0 if work.clock.begun else _newest_us(work)
    now_us = work.clock.now_us(work.wall_us(), work.monotonic(), newest_us=newest_us)
    done = work.packs.erase_due(now_us=now_us)
    if done.bodies:
        yield f"erased {done.bodies} bodies that were kept long enough"
    if work.keys is not None:
        with JournalReader(work.root, memory_mb=MEMORY_MB) as reader:
            late = work.unfinished.finish(reader, work.keys, now_us=work.wall_us())
        if late:
            yield f"finished erasing {late} bodies"
    if work.keep_records_days is not None:
        before_us = now_us - work.keep_records_days * DAY_US
        dropped = drop_records(
            work.root, before_us=before_us, allowed=work.allowed, reached=work.reached
        )
        if dropped.records:
            yield f"dropped {dropped.records} records"
    if done.unreadable:
        raise CheckFailed(
            f"bodies are kept too long in {', '.join(done.unreadable)}",
            why="the pack is damaged; what lies behind the damage is not found",
            next="restore that pack from a backup, or remove it: its bodies then read as erased",
        )
    if work.clock.doubt is not None:
        raise CheckFailed(work.clock.doubt, next="set the clock right, or wait if it is")


def _newest_us(work: Work) -> int:
    """The time of the latest record; 0 in an empty journal."""
    with JournalReader(work.root, memory_mb=MEMORY_MB) as reader:
        return max((row["last_us"] for row in reader.query("counts")), default=0)


def auditing(work: Work) -> Iterator[str]:
    """What was written since into the Merkle log, and a checkpoint of it to where it is kept.

    An anchor that is out of reach does not stop the others; it gets the next checkpoint.
    """
    said = work.audit
    if not said.enabled:
        return
    signer = read_signer(said.key_file) if said.key_file is not None else None
    log = AuditLog(work.root)
    known = len(log.files.kept_checkpoints())
    extension = log.extend()
    made = log.checkpoint(origin=said.origin, signer=signer)
    if len(log.files.kept_checkpoints()) == known:
        return
    yield f"took {extension.added} records into the audit log"
    failed = None
    for at, each in enumerate(said.anchors):
        try:
            anchor(made, each, work=log.files.directory / f"anchor-{at}")
        except AnchorFailed as error:
            failed = error
    if failed is not None:
        raise failed


def watching(work: Work) -> Iterator[str]:
    """Streams of outcomes looked at for change; what changed is a record."""
    if work.drift.enabled:
        yield from watch(
            work.root, work.tasks, work.drift, now_us=work.wall_us(), allowed=work.allowed
        )


def alerting(work: Work) -> Iterator[str]:
    """People told of alarms, each once on each channel."""
    yield from alert(work.root, work.alerts, now_us=work.wall_us(), allowed=work.allowed)


JOBS: Mapping[str, Job] = {
    "journal.audit": auditing,
    "journal.seal": sealing,
    "journal.compact": compacting,
    "journal.roll-up": rolling_up,
    "journal.retain": retaining,
    "drift.watch": watching,
    "drift.alert": alerting,
}
