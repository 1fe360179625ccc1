"""Who asks: the tenant comes from the credential alone; without keys only this machine may ask."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pointsman.domain.errors import ConfigurationError, Forbidden, Unauthenticated
from pointsman.domain.limits import Bounds
from pointsman.domain.task import Key, ServerSettings
from pointsman.domain.transport import is_loopback
from pointsman.gateway.cors import Origins
from pointsman.state.key_form import looks_like_one

_MOST_HOSTS = 64  # remembered, as clients wrote them
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Caller(NamedTuple):
    """An authenticated client; `key` is None on an open loopback door."""

    tenant: str
    principal: str
    key: Key | None
    bounds: Bounds | None = None  # whose limits its requests count in
    person: str | None = None  # who that is to an identity provider: issuer and subject


_LOCAL = Caller("default", "local", None)


class Doorkeeper:
    """Checks each request's credential, or its Host and Origin where there are no keys.

    Args: bounds_of gives the limits of a key; virtual says whether keys that lie in the state
        open this door as well.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        server: ServerSettings,
        *,
        bounds_of: Callable[[Key], Bounds | None] = lambda key: None,
        virtual: bool = False,
    ) -> None:
        self._keys = {key.sha256: Caller(key.tenant, key.name, key, bounds_of(key)) for key in keys}
        self._guarded = bool(keys) or virtual
        self._virtual = virtual
        self._hosts = _LOOPBACK_NAMES | {host.lower() for host in server.allowed_hosts}
        self._hosts |= {f"[{host}]" if ":" in host else host.lower() for host in server.hosts}
        self._hosts_met: set[bytes] = set()  # those of these that came, as they came
        self.origins = Origins(server.cors, local=not self._guarded)

    def admit(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Who asks. Raises: Unauthenticated without a known key; Forbidden for a foreign page or
        name.
        """
        caller = self.recognised(headers)
        if caller is None:
            raise unknown_key()
        return caller

    def recognised(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who asks; None where the credential is none of the file's, but may be a virtual key.

        Raises: as `admit`.
        """
        if b"origin" in headers:
            self.origins.check(headers)
        if not self._guarded:
            if headers.get(b"host") not in self._hosts_met:
                self._check_host(headers)
            return _LOCAL
        token = token_of(headers)
        if token is None:
            raise Unauthenticated(
                "no API key was given",
                next="send `Authorization: Bearer KEY`",
                code="missing_api_key",
            )
        # The hash of the whole token is looked up: no prefix, no comparison that leaks timing.
        caller = self._keys.get(hashlib.sha256(token).hexdigest())
        if caller is None and not (self._virtual and looks_like_one(token)):
            raise unknown_key()
        return caller

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """A page that rebinds its name to this machine carries its own name as Host."""
        said = headers.get(b"host", b"")
        host = said.decode("latin-1").lower()
        name = host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host
        if name not in self._hosts:
            raise Forbidden(
                f"the host {host[:100]!r} is not this server",
                why="without keys only this machine may ask",
                next="add it to server.allowed_hosts, or define keys",
                code="host_not_allowed",
            )
        if len(self._hosts_met) < _MOST_HOSTS:
            self._hosts_met.add(said)


def unknown_key() -> Unauthenticated:
    """For a credential that opens nothing, whatever the reason: nobody learns which keys were."""
    return Unauthenticated("the API key is not known here", code="invalid_api_key")


def check_exposure(keys: Sequence[Key], server: ServerSettings, *, virtual: bool = False) -> None:
    """Raises: ConfigurationError if the door would be open to the network without keys."""
    beyond = [host for host in server.hosts if not is_loopback(host)]
    if keys or virtual or not beyond:
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


def token_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The credential a request carries: a bearer token, or `x-api-key`."""
    raw = headers.get(b"authorization", b"")
    scheme, _, token = raw.partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"x-api-key") or None
