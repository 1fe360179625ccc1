"""Who asks: the tenant comes from the credential alone; without keys only this machine may ask."""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pointsman.domain.errors import ConfigurationError, Forbidden, Unauthenticated
from pointsman.domain.task import Key, ServerSettings

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Caller(NamedTuple):
    """An authenticated client; `key` is None on an open loopback door."""

    tenant: str
    principal: str
    key: Key | None


class Doorkeeper:
    """Checks each request's credential, or its Host and Origin where there are no keys."""

    def __init__(self, keys: Sequence[Key], server: ServerSettings) -> None:
        self._keys = {key.sha256: key for key in keys}
        self._hosts = _LOOPBACK_NAMES | {host.lower() for host in server.allowed_hosts}
        self._origins = {origin.lower().rstrip("/") for origin in server.allowed_origins}

    def admit(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Raises: Unauthenticated without a known key; Forbidden for a foreign page or name."""
        self._check_origin(headers)
        if not self._keys:
            self._check_host(headers)
            return Caller("default", "local", None)
        token = _token(headers)
        if token is None:
            raise Unauthenticated(
                "no API key was given",
                next="send `Authorization: Bearer KEY`",
                code="missing_api_key",
            )
        # The hash of the whole token is looked up: no prefix, no comparison that leaks timing.
        key = self._keys.get(hashlib.sha256(token).hexdigest())
        if key is None:
            raise Unauthenticated("the API key is not known here", code="invalid_api_key")
        return Caller(key.tenant, key.name, key)

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """A page that rebinds its name to this machine carries its own name as Host."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host
        if name not in self._hosts:
            raise Forbidden(
                f"the host {host[:100]!r} is not this server",
                why="without keys only this machine may ask",
                next="add it to server.allowed_hosts, or define keys",
                code="host_not_allowed",
            )

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        raw = headers.get(b"origin")
        if raw is None:
            return
        origin = raw.decode("latin-1").lower().rstrip("/")
        scheme, _, rest = origin.partition("://")
        name = rest if rest.endswith("]") else rest.rsplit(":", 1)[0] if ":" in rest else rest
        loopback = scheme in ("http", "https") and name in _LOOPBACK_NAMES
        if origin not in self._origins and not (loopback and not self._keys):
            raise Forbidden(
                f"pages of {origin[:100]!r} may not ask here",
                next="add it to server.allowed_origins",
                code="origin_not_allowed",
            )


def check_exposure(keys: Sequence[Key], server: ServerSettings) -> None:
    """Raises: ConfigurationError if the door would be open to the network without keys."""
    if keys or _is_loopback(server.host):
        return
    raise ConfigurationError(
        f"server.host is {server.host} and there are no keys: anyone could ask",
        why="an open door is for this machine only",
        next="add a key under `keys:`, or set server.host to 127.0.0.1",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _token(headers: Mapping[bytes, bytes]) -> bytes | None:
    raw = headers.get(b"authorization", b"")
    scheme, _, token = raw.partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key") or None
