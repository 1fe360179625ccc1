"""Virtual keys: made, found by a keyed hash, rotated with overlap, revoked. Shown once only."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, or_, select, update

from pointsman.domain.errors import NotFound, UsageError
from pointsman.domain.limits import NO_BOUNDS, Allowance
from pointsman.domain.task import VirtualKey
from pointsman.state.database import Database
from pointsman.state.key_form import mint
from pointsman.state.subject_hash import load_secret, rewrap_secret
from pointsman.state.tables import virtual_key_secrets, virtual_keys
from pointsman.state.words import checked_name
from pointsman.state.wrapping import Secrets

HASH_SECRET = "virtual_key_hash_secret"  # noqa: S105 - the name of a row


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a key, as far as anybody may see it."""

    hint: str  # its last characters
    made_us: int
    expires_us: int | None


class Made(NamedTuple):
    """A key with the secret that opens the door, which is nowhere else."""

    key: VirtualKey
    secret: str


class _Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    tenant: str = "default"
    team: str | None = None
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    limits: Allowance = NO_BOUNDS


class StoredVirtualKeys:
    """Keys by name and by the keyed hash of their secrets. For threads."""

    def __init__(self, database: Database, *, secrets: Secrets, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._hash_secret = load_secret(database, secrets, HASH_SECRET)

    def create(
        self,
        name: str,
        *,
        by: str,
        tenant: str = "default",
        team: str | None = None,
        tasks: tuple[str, ...] = (),
        models: tuple[str, ...] = (),
        limits: Allowance = NO_BOUNDS,
        expires_us: int | None = None,
    ) -> Made:
        """A new key. Raises: UsageError for a name that was ever used, or an end that is past."""
        now_us = self._clock()
        _check_end(expires_us, now_us)
        key = VirtualKey(
            name=checked_name("key", name),
            tenant=checked_name("tenant", tenant),
            team=None if team is None else checked_name("team", team),
            tasks=tasks,
            models=models,
            limits=limits,
            made_us=now_us,
            made_by=checked_name("key's maker", by),
            expires_us=expires_us,
        )
        spec = _Spec(tenant=key.tenant, team=team, tasks=tasks, models=models, limits=limits)
        insert = (
            self._database.insert(virtual_keys)
            .values(
                name=name,
                spec=msgspec.json.encode(spec).decode(),
                made_us=now_us,
                made_by=by,
                expires_us=expires_us,
            )
            .on_conflict_do_nothing(index_elements=[virtual_keys.c.name])
            .returning(virtual_keys.c.name)
        )
        with self._database.write() as connection:
            if connection.execute(insert).one_or_none() is None:
                raise UsageError(
                    f"there is, or was, a key {name!r}",
                    why="a name stands in records and is never given to another",
                    next="choose another name, or rotate that key",
                )
            secret = self._add_secret(connection, name, now_us)
        return Made(key, secret)

    def find(self, token: bytes) -> VirtualKey | None:
        """The key that a token opens; None for an unknown, expired or revoked one."""
        now_us = self._clock()
        asked = (
            select(virtual_keys, virtual_key_secrets.c.expires_us.label("secret_expires_us"))
            .join(virtual_key_secrets, virtual_key_secrets.c.name == virtual_keys.c.name)
            .where(
                virtual_key_secrets.c.hash == self._hash(token),
                virtual_keys.c.revoked_us.is_(None),
            )
        )
        with self._database.read() as connection:
            row = connection.execute(asked).one_or_none()
        if row is None:
            return None
        ends = [end for end in (row.expires_us, row.secret_expires_us) if end is not None]
        if ends and min(ends) <= now_us:
            return None
        key = _key(row)
        # Whoever remembers it must not outlive the secret that opened it.
        return msgspec.structs.replace(key, expires_us=min(ends)) if ends else key

    def get(self, name: str) -> tuple[VirtualKey, tuple[Secret, ...]]:
        """A key and its secrets that are not over, newest first. Raises: NotFound."""
        now_us = self._clock()
        table = virtual_key_secrets
        with self._database.read() as connection:
            key = self._named(connection, name)
            asked = (
                select(table)
                .where(
                    table.c.name == name,
                    or_(table.c.expires_us.is_(None), table.c.expires_us > now_us),
                )
                .order_by(table.c.made_us.desc(), table.c.hint)
            )
            secrets = tuple(
                Secret(hint=row.hint, made_us=row.made_us, expires_us=row.expires_us)
                for row in connection.execute(asked)
            )
        return key, secrets

    def living(self, name: str) -> VirtualKey | None:
        """The key of a name; None where it is revoked, expired or never was."""
        with self._database.read() as connection:
            row = connection.execute(
                select(virtual_keys).where(virtual_keys.c.name == name)
            ).one_or_none()
        key = None if row is None else _key(row)
        if key is None or key.revoked_us is not None:
            return None
        over = key.expires_us is not None and key.expires_us <= self._clock()
        return None if over else key

    def all(self) -> tuple[VirtualKey, ...]:
        """Every key there is or was, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(virtual_keys).order_by(virtual_keys.c.name))
            return tuple(_key(row) for row in rows)

    def rotate(self, name: str, *, overlap_us: int) -> Made:
        """Another secret for a key; those before it go on for `overlap_us`.

        Raises: NotFound; UsageError for a key that is revoked or expired.
        """
        if overlap_us < 0:
            raise UsageError("an overlap is not negative", next="give 0 to end the old one at once")
        now_us = self._clock()
        table = virtual_key_secrets
        with self._database.write() as connection:
            key = self._named(connection, name, lock=True)
            if key.revoked_us is not None or (key.expires_us or now_us + 1) <= now_us:
                raise UsageError(
                    f"the key {name!r} is revoked or expired, for good", next="create another"
                )
            ends = now_us + overlap_us
            connection.execute(
                update(table)
                .where(
                    table.c.name == name,
                    or_(table.c.expires_us.is_(None), table.c.expires_us > ends),
                )
                .values(expires_us=ends)
            )
            secret = self._add_secret(connection, name, now_us)
        return Made(key, secret)

    def revoke(self, name: str) -> VirtualKey:
        """The key, which opens nothing any more, for good. Raises: NotFound."""
        with self._database.write() as connection:
            key = self._named(connection, name, lock=True)
            if key.revoked_us is None:
                key = msgspec.structs.replace(key, revoked_us=self._clock())
                connection.execute(
                    update(virtual_keys)
                    .where(virtual_keys.c.name == name)
                    .values(revoked_us=key.revoked_us)
                )
        return key

    def rewrap(self) -> int:
        """Put what keys are hashed with under the present master key; 1 where it was not."""
        return rewrap_secret(self._database, self._secrets, HASH_SECRET, self._hash_secret)

    def _add_secret(self, connection: Connection, name: str, now_us: int) -> str:
        secret = mint()
        connection.execute(
            self._database.insert(virtual_key_secrets).values(
                hash=self._hash(secret.encode()), name=name, hint=secret[-4:], made_us=now_us
            )
        )
        return secret

    def _named(self, connection: Connection, name: str, *, lock: bool = False) -> VirtualKey:
        asked = select(virtual_keys).where(virtual_keys.c.name == name)
        row = connection.execute(asked.with_for_update() if lock else asked).one_or_none()
        if row is None:
            raise NotFound(
                f"there is no key {name[:100]!r}", next="`pointsman keys list` names them",
                code="key_not_found",
            )  # fmt: skip
        return _key(row)

    def _hash(self, token: bytes) -> bytes:
        return hmac.digest(self._hash_secret, token, sha256)


def _key(row: Row[tuple[object, ...]]) -> VirtualKey:
    spec = msgspec.json.decode(row.spec, type=_Spec)
    return VirtualKey(
        name=row.name,
        tenant=spec.tenant,
        team=spec.team,
        tasks=spec.tasks,
        models=spec.models,
        limits=spec.limits,
        made_us=row.made_us,
        made_by=row.made_by,
        expires_us=row.expires_us,
        revoked_us=row.revoked_us,
    )


def _check_end(expires_us: int | None, now_us: int) -> None:
    if expires_us is not None and expires_us <= now_us:
        raise UsageError("the key would be expired at once", next="give an end that is to come")
