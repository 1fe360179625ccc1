"""Which proxy stands before an upstream, as a URL or the usual variables say; values alone."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.transport import is_loopback


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An HTTP proxy, and what proves to it who asks; that is in no repr."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, *, place: str) -> "Proxy":
        """The proxy at `[http://][user:password@]host[:port]`; `place` names it in errors.

        Raises: ConfigurationError, which does not quote the URL: it may hold a password.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError:
            raise _unsound(place, "it is no URL") from None
        if parts.scheme != "http" or not parts.hostname:
            raise _unsound(place, f"its scheme is {parts.scheme[:16]!r}; only http is spoken here")
        said = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            said = b"Basic " + base64.b64encode(pair.encode())
        return cls(host=parts.hostname, port=port, authorization=said)

    @property
    def authority(self) -> str:
        """`host:port`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class EnvironmentProxies:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY of an environment; small letters win."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Raises: ConfigurationError for a proxy that cannot be spoken to."""
        self._proxies: dict[str, Proxy] = {}
        for scheme in ("http", "https"):
            for name in (f"{scheme}_proxy", "all_proxy"):
                url, variable = _variable(env, name)
                if url:
                    self._proxies[scheme] = Proxy.parse(url, place=variable)
                    break
        self._except = tuple(_exceptions(_variable(env, "no_proxy")[0]))

    def __bool__(self) -> bool:
        return bool(self._proxies)

    def before(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy to ask for an upstream; never one for this machine."""
        proxy = self._proxies.get(scheme)
        if proxy is None or is_loopback(host.lower()):
            return None
        if any(exception.covers(host.lower().rstrip("."), port) for exception in self._except):
            return None
        return proxy


@dataclass(frozen=True, kw_only=True)
class _Exception:
    """One word of NO_PROXY.

    `example.com` is the name and all below it, `.example.com` and `*.example.com` those below it,
    `10.0.0.0/8` and `10.1.2.3` addresses (no name is resolved to compare), `*` everything; a
    `:port` behind a name or address narrows it.
    """

    name: str = ""
    port: int | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None

    def covers(self, host: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            try:
                return ipaddress.ip_address(host) in self.network
            except ValueError:
                return False
        if self.name == "*":
            return True
        if self.name.startswith("."):
            return host.endswith(self.name)
        return host == self.name or host.endswith("." + self.name)


def _exceptions(text: str) -> list[_Exception]:
    return [_exception(word) for word in text.replace(",", " ").lower().split()]


def _exception(word: str) -> _Exception:
    network = _network(word)
    if network is not None:
        return _Exception(network=network)
    name, colon, digits = word.rpartition(":")
    if not colon or not digits.isdecimal():
        name, digits = word, ""
    port = int(digits) if digits else None
    return _Exception(
        name=name.removeprefix("*") if name.startswith("*.") else name.rstrip("."),
        port=port,
        network=_network(name),
    )


def _network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(word.strip("[]"), strict=False)
    except ValueError:
        return None


def _variable(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """Value and name of the variable that says it."""
    for spelled in (name, name.upper()):
        if env.get(spelled, "").strip():
            return env[spelled].strip(), spelled
    return "", name


def _unsound(place: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{place} names no proxy that can be used",
        why=why,
        next="write http://[USER:PASSWORD@]HOST:PORT, or leave it out",
    )
