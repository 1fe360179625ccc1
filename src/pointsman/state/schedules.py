"""Schedules: when a recurring job runs next, sound under a clock that jumps."""

from sqlalchemy import Row, select, update

from pointsman.domain.ports import Schedule
from pointsman.state.database import Database
from pointsman.state.tables import schedules
from pointsman.state.words import checked_name, lasting

_ERROR_MAX = 2_000


class StoredSchedules:
    """The port `Schedules`. Who runs a due job is a matter of leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, name: str, *, every_s: float, now_us: int) -> Schedule:
        """The schedule; a new one is due at once, a shortened one at most a period from now."""
        every_us = _period_us(every_s)
        insert = (
            self._database.insert(schedules)
            .values(name=checked_name("schedule", name), every_s=every_s, next_us=now_us)
            .on_conflict_do_nothing(index_elements=[schedules.c.name])
        )
        soonest = now_us + every_us
        sooner = (
            update(schedules)
            .where(schedules.c.name == name, schedules.c.every_s != every_s)
            .values(every_s=every_s)
        )
        capped = (
            update(schedules)
            .where(schedules.c.name == name, schedules.c.next_us > soonest)
            .values(next_us=soonest)
        )
        with self._database.write() as connection:
            connection.execute(insert)
            if connection.execute(sooner).rowcount:
                connection.execute(capped)
            return _schedule(
                connection.execute(select(schedules).where(schedules.c.name == name)).one()
            )

    def due(self, now_us: int) -> tuple[Schedule, ...]:
        """Those that should run now, the longest waiting first; a missed run counts once.

        One that is more than two periods away was set by a clock that ran ahead: it is due. Less
        than that is let be, so that hosts whose clocks differ do not run a job twice.
        """
        with self._database.read() as connection:
            found = [_schedule(row) for row in connection.execute(select(schedules))]
        due = [
            each
            for each in found
            if each.next_us <= now_us or each.next_us - now_us > 2 * _period_us(each.every_s)
        ]
        return tuple(sorted(due, key=lambda each: (each.next_us, each.name)))

    def done(self, name: str, *, now_us: int, error: str | None = None) -> Schedule:
        """The schedule, next a whole period from now. Raises: KeyError if there is none."""
        asked = select(schedules).where(schedules.c.name == name).with_for_update()
        with self._database.write() as connection:
            row = connection.execute(asked).one_or_none()
            if row is None:
                raise KeyError(name)
            changed = (
                update(schedules)
                .where(schedules.c.name == name)
                .values(
                    next_us=now_us + _period_us(row.every_s),
                    last_us=now_us,
                    last_error=None if error is None else lasting(error, at_most=_ERROR_MAX),
                )
                .returning(*schedules.c)
            )
            return _schedule(connection.execute(changed).one())


def _period_us(every_s: float) -> int:
    if not 0 < every_s < float("inf"):
        raise ValueError("every_s must be positive")
    return max(1, round(every_s * 1_000_000))


def _schedule(row: Row[tuple[str, float, int, int | None, str | None]]) -> Schedule:
    return Schedule(
        name=row.name,
        next_us=row.next_us,
        every_s=row.every_s,
        last_us=row.last_us,
        last_error=row.last_error,
    )
