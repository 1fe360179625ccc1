"""An alarm as a record: when it began, which slice moved most, what else changed then."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from statistics import median

from pointsman.analytics.drift.watch import DAY_US, Found
from pointsman.analytics.figures import JudgedRequest
from pointsman.analytics.formats import moment
from pointsman.analytics.marks import Mark, around
from pointsman.domain.ids import alarm_id
from pointsman.domain.records import AlarmRecord, Moved
from pointsman.stats.moved import moved_slices

_BEFORE_US, _AFTER_US = 2 * DAY_US, DAY_US  # of the beginning: its date has an error too
_MOST_CHANGES = 8
_MOST_SLICES = 4
_COLUMNS = ("tenant", "principal", "route", "prompt", "deployment", "asked", "policy")


def alarm_of(
    found: Found, requests: Sequence[JudgedRequest], marks: Sequence[Mark], *, at_us: int
) -> AlarmRecord:
    """The record of what was found; the same for the same facts.

    Args: requests of the task since `found.reference_us`, in the order they came.
    """
    near = around(marks, found.began_us, before_us=_BEFORE_US, after_us=_AFTER_US)
    mark = sha256(f"{found.stream}|{found.count}|{found.noticed_us}".encode()).digest()
    return AlarmRecord(
        id=alarm_id(found.noticed_us // 1000, mark[:10]),
        at_us=at_us,
        stream=found.stream,
        what=found.what,
        task=found.task or None,
        began_us=found.began_us,
        direction="fell" if found.after < found.before else "rose",
        before=found.before,
        after=found.after,
        n=found.n,
        run_length=round(found.run_length),
        moved=moved(found, requests),
        changes=tuple(
            f"{moment(mark.at_us)} {mark.kind} {mark.name}: {mark.what}"
            for mark in near[:_MOST_CHANGES]
        ),
    )


def moved(found: Found, requests: Sequence[JudgedRequest]) -> tuple[Moved, ...]:
    """Slices whose rate changed by more than that of the other requests, the largest first."""
    good = _GOOD.get(found.what)
    if good is None:
        return ()
    before = [each for each in requests if each.at_us < found.began_us]
    after = [each for each in requests if each.at_us >= found.began_us]
    middle = median([_cost(each) for each in before]) if before else 0.0
    yes_before = _known([(each, good(each, middle)) for each in before])
    yes_after = _known([(each, good(each, middle)) for each in after])
    names = _columns([each for each, _ in yes_after])
    slices = moved_slices(
        [yes for _, yes in yes_before],
        {name: [_value(each, name) for each, _ in yes_before] for name in names},
        [yes for _, yes in yes_after],
        {name: [_value(each, name) for each, _ in yes_after] for name in names},
    )
    return tuple(
        Moved(where=f"{each.column} = {each.value}", n=each.n, before=each.before, after=each.after)
        for each in slices[:_MOST_SLICES]
    )


def sentence(alarm: AlarmRecord) -> str:
    """`support/accepted fell from 88.1 % to 70.2 % since 2026-11-14 12:00 UTC`."""
    began = f"since {moment(alarm.began_us)} UTC"
    if alarm.before is None or alarm.after is None:
        return f"{alarm.stream} {alarm.direction} {began}"
    if alarm.what == "cost":
        shift = f"from ${alarm.before:.3g} to ${alarm.after:.3g}"
        return f"{alarm.stream} {alarm.direction} {shift} {began}"
    return (
        f"{alarm.stream} {alarm.direction} from {100 * alarm.before:.1f} % "
        f"to {100 * alarm.after:.1f} % {began}"
    )


def _good_accepted(request: JudgedRequest, middle: float) -> bool | None:
    return None if request.acceptance == "unknown" else request.acceptance == "accepted"


def _good_answered(request: JudgedRequest, middle: float) -> bool | None:
    return None if request.status in (None, "cancelled") else request.status == "delivered"


def _good_cost(request: JudgedRequest, middle: float) -> bool | None:
    return None if request.status != "delivered" else _cost(request) <= middle


_GOOD: Mapping[str, Callable[[JudgedRequest, float], bool | None]] = {
    "accepted": _good_accepted,
    "answered": _good_answered,
    "cost": _good_cost,
}


def _cost(request: JudgedRequest) -> float:
    return float(request.columns["cost_usd_picos"] or 0)


def _known(
    pairs: Sequence[tuple[JudgedRequest, bool | None]],
) -> list[tuple[JudgedRequest, bool]]:
    return [(each, yes) for each, yes in pairs if yes is not None]


def _columns(requests: Sequence[JudgedRequest]) -> list[str]:
    """What requests differ in: names, and each tag by itself."""
    tags = sorted({key for each in requests for key in _tags(each)})
    names = [*_COLUMNS, *tags]
    return [name for name in names if len({_value(each, name) for each in requests}) > 1]


def _value(request: JudgedRequest, name: str) -> str:
    if name in _COLUMNS:
        return str(request.columns[name] or "(none)")
    return _tags(request).get(name, "(none)")


def _tags(request: JudgedRequest) -> dict[str, str]:
    text = request.columns["segment"]
    pairs = [part.partition("=") for part in (text or "").split(", ") if "=" in part]
    return {key: value for key, _, value in pairs}
