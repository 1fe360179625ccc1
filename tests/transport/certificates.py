"""Certificates for tests, good and bad, as files; made by an authority of the test's own."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """A certificate with its chain, and its key, which only its owner may read."""

    cert: str
    key: str


class Authority:
    """Signs certificates; `ca` is the file of who trusts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signer = trustme.CA()
        self._numbers: Iterator[int] = iter(range(1000))
        self.ca = str(folder / f"ca-{id(self)}.pem")
        self._signer.cert_pem.write_to_path(self.ca)

    def issue(self, *names: str, expired: bool = False) -> Files:
        before = datetime.now(UTC) - timedelta(days=2)
        until = before + timedelta(days=1) if expired else None
        made = self._signer.issue_cert(
            *names, not_before=before if expired else None, not_after=until
        )
        number = next(self._numbers)
        cert, key = (self._folder / f"{kind}-{id(self)}-{number}.pem" for kind in ("cert", "key"))
        cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        key.chmod(0o600)
        return Files(str(cert), str(key))


def server_context(files: Files, *, client_ca: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
