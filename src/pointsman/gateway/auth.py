"""Who asks: the tenant comes from the credential alone; without keys only this machine may ask."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pointsman.domain.errors import ConfigurationError, Forbidden, Unauthenticated
from pointsman.domain.task import Key, ServerSettings
from pointsman.domain.transport import is_loopback
from pointsman.gateway.cors import Origins

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
        self._hosts |= {f"[{host}]" if ":" in host else host.lower() for host in server.hosts}
        self.origins = Origins(server.cors, local=not keys)

    def admit(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Raises: Unauthenticated without a known key; Forbidden for a foreign page or name."""
        self.origins.check(headers)
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


def check_exposure(keys: Sequence[Key], server: ServerSettings) -> None:
    """Raises: ConfigurationError if the door would be open to the network without keys."""
    beyond = [host for host in server.hosts if not is_loopback(host)]
    if keys or not beyond:
        return
    raise ConfigurationError(
        f"server.host is {', '.join(beyond)} and there are no keys: anyone could ask",
        why="an open door is for this machine only",
        next="add a key under `keys:`, or set server.host to 127.0.0.1",
    )


def exposure_remarks(keys: Sequence[Key], server: ServerSettings) -> list[str]:
    """What is allowed at the door and should be meant."""
    told = []
    beyond = [host for host in server.hosts if not is_loopback(host)]
    if beyond and server.tls is None:
        told.append(
            f"server.host is {', '.join(beyond)} without server.tls: keys and answers cross the "
            "network in the clear, unless something before this door speaks TLS"
        )
    if "*" in server.cors.origins and not keys:
        told.append(
            "server.cors.origins is * and there are no keys: any page a browser on this machine "
            "opens may ask and read"
        )
    return told


def _token(headers: Mapping[bytes, bytes]) -> bytes | None:
    raw = headers.get(b"authorization", b"")
    scheme, _, token = raw.partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key") or None
