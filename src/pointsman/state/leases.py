"""Leases: one holder by the clock that is handed in, an epoch that only grows."""

from sqlalchemy import Row, case, select, update

from pointsman.domain.ports import Lease
from pointsman.state.database import Database
from pointsman.state.tables import leases
from pointsman.state.words import checked_name


class StoredLeases:
    """The port `Leases`. Each call is one statement, so no two callers can both win."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, *, ttl_s: float, now_us: int) -> Lease | None:
        """The lease, new or renewed; None while another holder has it.

        A renewal in time keeps the epoch. A lease that ran out or was given back begins anew
        under the next epoch, for its old holder too.
        """
        if not ttl_s > 0:
            raise ValueError("ttl_s must be positive")
        insert = self._database.insert(leases).values(
            name=checked_name("lease", name),
            holder=checked_name("holder", holder),
            expires_us=now_us + max(1, round(ttl_s * 1_000_000)),
            epoch=1,
        )
        mine = leases.c.holder == insert.excluded.holder
        over = leases.c.expires_us <= now_us
        upsert = insert.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={
                "holder": insert.excluded.holder,
                "expires_us": insert.excluded.expires_us,
                "epoch": case((over, leases.c.epoch + 1), else_=leases.c.epoch),
            },
            where=mine | over,
        ).returning(*leases.c)
        with self._database.write() as connection:
            row = connection.execute(upsert).one_or_none()
        return _lease(row) if row is not None else None

    def release(self, lease: Lease) -> None:
        """Give it back early; nothing happens if it was lost meanwhile."""
        given_back = (
            update(leases)
            .where(
                leases.c.name == lease.name,
                leases.c.holder == lease.holder,
                leases.c.epoch == lease.epoch,
            )
            .values(expires_us=0)  # the row stays: its epoch must go on growing
        )
        with self._database.write() as connection:
            connection.execute(given_back)

    def last(self, name: str) -> Lease | None:
        """The lease as it was last granted, run out or not; `expires_us` 0 once given back."""
        with self._database.read() as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).one_or_none()
        return _lease(row) if row is not None else None


def _lease(row: Row[tuple[str, str, int, int]]) -> Lease:
    return Lease(name=row.name, holder=row.holder, expires_us=row.expires_us, epoch=row.epoch)
