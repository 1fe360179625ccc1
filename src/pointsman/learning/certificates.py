"""Certificates in a file beside the router they speak for; nothing is proven here."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.routing.certificate import Certificate

VERSION = 1


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    certificates: tuple[Certificate, ...] = ()


def path_beside(router: Path) -> Path:
    """Where the certificates of a router lie."""
    return router.with_name(router.name + ".certificates.json")


def read_certificates(router: Path) -> tuple[Certificate, ...]:
    """Those of a router, oldest first; none where there is no file.

    Raises: UsageError if the file is not one, or of a later version.
    """
    path = path_beside(router)
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return ()
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} holds no certificates", why=str(error), next="remove it and certify again"
        ) from error
    if held.version != VERSION:
        raise UsageError(f"{path} is of version {held.version}, this reads {VERSION}")
    return held.certificates


def write_certificates(router: Path, certificates: Sequence[Certificate]) -> Path:
    """Put these in place of what the file held, in one step. Returns: the file."""
    path = path_beside(router)
    partial = path.with_name(path.name + ".partial")
    data = msgspec.json.encode(_File(version=VERSION, certificates=tuple(certificates)))
    partial.write_bytes(msgspec.json.format(data, indent=2) + b"\n")
    partial.replace(path)
    return path


def with_added(held: Sequence[Certificate], made: Certificate) -> tuple[Certificate, ...]:
    """The certificates with a new one in place of those of the same statement.

    Revoked ones stay: why a floor fell is worth keeping.
    """
    same = (made.task, made.alpha, made.delta)
    kept = [c for c in held if c.revoked is not None or (c.task, c.alpha, c.delta) != same]
    return (*kept, made)
