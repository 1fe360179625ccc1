"""A subject as the database knows it: a keyed hash, under a secret made with the database."""

import hmac
import os
from hashlib import sha256

from sqlalchemy import select, update

from pointsman.state.database import Database
from pointsman.state.tables import meta
from pointsman.state.wrapping import Secrets

HASH_SECRET = "subject_hash_secret"  # noqa: S105 - the name of a row


def load_hash_secret(database: Database, secrets: Secrets) -> bytes:
    """The secret under which subjects are hashed in this database."""
    return load_secret(database, secrets, HASH_SECRET)


def load_secret(database: Database, secrets: Secrets, name: str) -> bytes:
    """A secret of this database, made at its first opening and never again."""
    asked = select(meta.c.value, meta.c.wrapped_by).where(meta.c.name == name)
    with database.read() as connection:
        found = connection.execute(asked).one_or_none()
    if found is None:
        stored = secrets.stored(os.urandom(32), context=name)
        fresh = {"value": stored["secret"], "wrapped_by": stored["wrapped_by"]}
        with database.write() as connection:
            insert = database.insert(meta).values(name=name, **fresh)
            connection.execute(insert.on_conflict_do_nothing(index_elements=[meta.c.name]))
            found = connection.execute(asked).one()
    return secrets.clear(found.value, found.wrapped_by, context=name)


def rewrap_secret(database: Database, secrets: Secrets, name: str, secret: bytes) -> int:
    """Put a secret of this database under the present master key; 1 where it was not."""
    if secrets.under is None:
        return 0
    stored = secrets.stored(secret, context=name)
    foreign = (meta.c.name == name, meta.c.wrapped_by.is_distinct_from(secrets.under))
    fresh = {"value": stored["secret"], "wrapped_by": stored["wrapped_by"]}
    with database.write() as connection:
        return connection.execute(update(meta).where(*foreign).values(fresh)).rowcount


def subject_hash(secret: bytes, tenant: str, subject: str) -> bytes:
    """32 bytes that say nothing of the subject; HMAC-SHA256 over both words, the first's length
    before it, so that no two pairs run together."""
    first, second = (word.encode("utf-8", "surrogatepass") for word in (tenant, subject))
    return hmac.digest(secret, len(first).to_bytes(8, "big") + first + second, sha256)
