"""Held answers: which wait, and how each was decided. Every change is one transaction on one."""

from collections.abc import Callable

import msgspec
from sqlalchemy import delete, select, update

from pointsman.domain.errors import NotFound
from pointsman.domain.reviews import Held
from pointsman.state.database import Database
from pointsman.state.tables import held

_decode = msgspec.json.Decoder(Held).decode


class StoredHeld:
    """Implements the port `HeldAnswers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, one: Held) -> None:
        """Let it wait."""
        with self._database.write() as connection:
            connection.execute(
                self._database.insert(held).values(id=one.id, tenant=one.tenant, **_kept(one))
            )

    def get(self, id: str, *, tenant: str | None = None) -> Held:
        """One of them; of this tenant, where one asks. Raises: NotFound."""
        asked = select(held.c.said).where(held.c.id == id)
        if tenant is not None:
            asked = asked.where(held.c.tenant == tenant)
        with self._database.read() as connection:
            said = connection.execute(asked).scalar_one_or_none()
        if said is None:
            raise _none(id)
        return _decode(said)

    def waiting(self, *, now_us: int, limit: int = 100, after: str = "") -> tuple[Held, ...]:
        """Those that wait, the oldest first."""
        asked = (
            select(held.c.said)
            .where(held.c.open == 1, held.c.expires_us > now_us, held.c.id > after)
            .order_by(held.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_decode(said) for said in connection.execute(asked).scalars())

    def latest(self, *, limit: int = 100) -> tuple[Held, ...]:
        """The newest, however they stand."""
        asked = select(held.c.said).order_by(held.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(_decode(said) for said in connection.execute(asked).scalars())

    def change(self, id: str, change: Callable[[Held], Held]) -> Held:
        """The same after a change that no other came between.

        Raises: NotFound; whatever `change` raises, and then nothing is changed.
        """
        with self._database.write() as connection:
            asked = select(held.c.said).where(held.c.id == id).with_for_update()
            said = connection.execute(asked).scalar_one_or_none()
            if said is None:
                raise _none(id)
            changed = change(_decode(said))
            connection.execute(update(held).where(held.c.id == id).values(**_kept(changed)))
        return changed

    def forget(self, *, before_us: int, limit: int = 1000) -> int:
        """Let go of those that ran out before a time, a bounded number; how many."""
        old = select(held.c.id).where(held.c.expires_us < before_us).limit(limit)
        with self._database.write() as connection:
            found = tuple(connection.execute(old).scalars())
            if found:
                connection.execute(delete(held).where(held.c.id.in_(found)))
        return len(found)


def _kept(one: Held) -> dict[str, object]:
    return {
        "open": int(one.status == "waiting"),
        "expires_us": one.expires_us,
        "said": msgspec.json.encode(one).decode(),
    }


def _none(id: str) -> NotFound:
    return NotFound(
        f"there is no held answer {id[:100]!r}",
        next="`pointsman held list` names those that wait",
        code="held_not_found",
    )
