"""What lies in the files of a state, and a wrapper that stands for real cryptography."""

import subprocess
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine, text


def bytes_of_files(file: Path) -> bytes:
    """The database, its log and its index. Read by another process: this one, closing the files,
    would give up the locks that SQLite has on them."""
    files = sorted(str(each) for each in file.parent.glob(f"{file.name}*"))
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout


def bytes_of_table(engine: Engine, table: str) -> bytes:
    """The file of a table of PostgreSQL (superusers only)."""
    with engine.connect() as connection:
        connection.execute(text("CHECKPOINT"))
        asked = text(f"SELECT pg_read_binary_file(pg_relation_filepath('{table}'))")
        return bytes(connection.execute(asked).scalar_one())


class XorWrapper:
    """Secrets under a pad made of the master key and the context, with a check."""

    def __init__(self, id: str, known: dict[str, bytes]) -> None:
        self.id = id
        self._known = known

    def wrap(self, secret: bytes, *, context: bytes) -> bytes:
        pad = self._pad(self.id, context)
        return sha256(pad + secret).digest() + bytes(
            a ^ b for a, b in zip(secret, pad, strict=True)
        )

    def unwrap(self, wrapped: bytes, *, context: bytes, by: str) -> bytes:
        if by not in self._known:
            raise ValueError(f"no key {by}")
        pad = self._pad(by, context)
        secret = bytes(a ^ b for a, b in zip(wrapped[32:], pad, strict=True))
        if sha256(pad + secret).digest() != wrapped[:32]:
            raise ValueError("another context, or changed")
        return secret

    def _pad(self, id: str, context: bytes) -> bytes:
        return sha256(self._known[id] + context).digest()
