"""Watching the journal for drift: what is new is looked at once, alarms are written down."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pointsman.analytics.daily import Range, daily
from pointsman.analytics.drift.explaining import alarm_of, sentence
from pointsman.analytics.drift.streams import Judges, values_of
from pointsman.analytics.drift.watch import FORM, Budget, Found, Standing, Watch, WatchState
from pointsman.analytics.report import judged_requests
from pointsman.analytics.trend import marks_of
from pointsman.domain.records import AcknowledgementRecord, AlarmRecord, AlertRecord
from pointsman.domain.task import DriftSettings, Task
from pointsman.journal import JournalReader, JournalWriter
from pointsman.journal.disk import replace_file, try_lock
from pointsman.journal.fresh import fresh_requests
from pointsman.journal.layout import layout

DAY_US = 86_400_000_000
_SEED_US = 30 * DAY_US  # of history that a first look learns from
_MOST = 50_000  # ends and outcomes of one look
_EXPLAINED = 20_000  # requests that slices are looked for in
_EXPLAINED_US = 30 * DAY_US
_MEMORY_MB = 256
_Any = AlarmRecord | AcknowledgementRecord | AlertRecord
_decode = msgspec.json.Decoder(_Any).decode
_read_state = msgspec.msgpack.Decoder(WatchState).decode


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm with what became of it."""

    alarm: AlarmRecord
    acknowledged: AcknowledgementRecord | None
    alerts: tuple[AlertRecord, ...]


def watch(
    root: str | os.PathLike[str],
    tasks: Mapping[str, Task],
    settings: DriftSettings,
    *,
    now_us: int,
    allowed: Callable[[], bool] = lambda: True,
) -> Iterator[str]:
    """Look at what was appended since the last look; a sentence for each alarm.

    Nothing happens while another process looks. May be killed at any point: an alarm that was
    written is known by its id when its values are looked at again.
    Raises: ConfigurationError, JournalUnavailable, CheckFailed, OSError, duckdb.Error.
    """
    where = layout(root).create()
    with _alone(where.home / "drift.lock") as alone:
        if not alone:
            return
        path = where.home / "drift.state"
        state = _state(path)
        judges = Judges(tasks)
        with JournalReader(root, memory_mb=_MEMORY_MB) as reader:
            last_us = state.now_us or now_us - _SEED_US
            rows, cursor, passed = fresh_requests(
                reader,
                state.cursor,
                since_us=now_us - _SEED_US,
                most=_MOST,
                closing=judges.closing(last_us, now_us) if state.now_us else (),
            )
            seen = Watch(state, _budget(settings))
            found = seen.take(values_of(rows, judges, last_us=last_us, now_us=now_us))
            known = {told.alarm.id for told in alarms(reader)} if found else set()
            made = [_explained(reader, tasks, each, now_us) for each in found]
        if not allowed():
            return
        new = [each for each in made if each.id not in known]
        if new:
            with JournalWriter(root) as journal:
                for each in new:
                    journal.append(each)
        replace_file(path, msgspec.msgpack.encode(seen.dump(now_us=now_us, cursor=cursor)))
        if passed:
            yield f"passed over {passed} records: more than one look takes"
        for each in new:
            yield sentence(each)


def alarms(reader: JournalReader, *, since_us: int = 0) -> list[Told]:
    """Every alarm since a time, oldest first, with who took note and who was told."""
    found: dict[str, AlarmRecord] = {}
    noted: dict[str, AcknowledgementRecord] = {}
    alerts: dict[str, list[AlertRecord]] = {}
    for row in reader.query("alarms", {"since_us": since_us}):
        record = _decode(row["payload"])
        if isinstance(record, AlarmRecord):
            found.setdefault(record.id, record)
        elif isinstance(record, AcknowledgementRecord):
            noted.setdefault(record.alarm, record)
        else:
            alerts.setdefault(record.alarm, []).append(record)
    return [
        Told(each, noted.get(each.id), tuple(alerts.get(each.id, ()))) for each in found.values()
    ]


def standing(root: str | os.PathLike[str], settings: DriftSettings) -> tuple[Standing, ...]:
    """How each stream stood at the last look."""
    return watched(root, settings).standing()


def watched(root: str | os.PathLike[str], settings: DriftSettings) -> Watch:
    """What is kept of the last look, to read."""
    return Watch(_state(layout(root).home / "drift.state"), _budget(settings))


def _budget(settings: DriftSettings) -> Budget:
    return Budget(
        alarms=settings.false_alarms, days=settings.per_days, reference=settings.reference
    )


def _state(path: Path) -> WatchState:
    """What is kept; nothing, where it is of another form: it is learned anew then."""
    try:
        state = _read_state(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return WatchState()
    return state if state.form == FORM else WatchState()


def _explained(
    reader: JournalReader, tasks: Mapping[str, Task], found: Found, now_us: int
) -> AlarmRecord:
    since_us = max(found.reference_us, found.began_us - _EXPLAINED_US)
    until_us = now_us + 1
    span = {"since_us": since_us, "until_us": until_us, "tenant": None, "limit": _EXPLAINED}
    requests = judged_requests(reader, tasks, span, now_us, task=found.task or None)
    requests = [each for each in requests if (each.task or "") == found.task]
    asked = Range(since_us=found.began_us - 3 * DAY_US, until_us=until_us, now_us=now_us)
    rows, _ = daily(reader, tasks, asked, parts=("models",))
    return alarm_of(found, requests, marks_of(reader, rows, asked), at_us=now_us)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)
