"""How the two ends of the wire are secured and reached, as a configuration says; no sockets."""

import ipaddress
import re

import msgspec

UNIX = "unix:"  # before a path, in server.host
NO_PROXY = "none"  # as a deployment's `proxy`: none, whatever the environment says
_COLLECTOR = re.compile(
    r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
_PASSWORD = re.compile(r"(://)[^/@]*@")


class DoorTls(msgspec.Struct, frozen=True, kw_only=True):
    """The door's certificate, and whose certificates clients must show, if any."""

    cert: str  # PEM: the certificate, then its chain
    key: str
    client_ca: str | None = None  # PEM: clients must have a certificate one of these signed


class Cors(msgspec.Struct, frozen=True, kw_only=True):
    """Which web pages may ask and read the answers; `*` is every page."""

    origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int = 600  # for which a browser may keep the answer to its preflight


class UpstreamTls(msgspec.Struct, frozen=True, kw_only=True):
    """What is trusted and shown when one deployment is called; all of it optional."""

    ca: str | None = None  # PEM, instead of the system's trust
    cert: str | None = None  # PEM: ours, where the upstream wants one
    key: str | None = None  # None: in the same file as `cert`
    server_name: str | None = None  # asked for and expected, instead of the URL's host
    verify: bool = True


def collector_problem(url: str) -> str | None:
    """What is wrong with the address of an OTLP collector; None where nothing is."""
    if not url.startswith(("http://", "https://")):
        return "wants http://HOST:4318 or https://…: OTLP over HTTP"
    if _COLLECTOR.fullmatch(url) is None:
        return "wants scheme, host, port and path alone: credentials go into headers"
    return None


def shown_proxy(proxy: str | None) -> str | None:
    """A proxy's URL as it may be shown: `***` for its user and password."""
    return proxy and _PASSWORD.sub(r"\1***@", proxy)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain: `localhost`, a loopback address, a UNIX path."""
    if host == "localhost" or host.startswith(UNIX):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_private(host: str) -> bool:
    """Whether a host is this machine or, by its address, of a private network; no name is."""
    address = _address(host)
    return is_loopback(host) or (address is not None and address.is_private)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
