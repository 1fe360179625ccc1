"""The door's settings: hosts, certificates' paths and pages' origins checked; nothing opened."""

import re
from urllib.parse import urlsplit

from pointsman.config.schema import RawCors, RawServer
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import ServerSettings
from pointsman.domain.transport import UNIX, Cors, DoorTls

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def resolve_server(raw: RawServer, scope: Scope) -> ServerSettings:
    """The settings, every problem with them kept."""
    hosts = [raw.host] if isinstance(raw.host, str) else raw.host
    for index, host in enumerate(hosts):
        place: Place = ("server", "host")
        _check_host(host, place if isinstance(raw.host, str) else (*place, index), scope)
    return ServerSettings(
        host=_bare(raw.host) if isinstance(raw.host, str) else tuple(map(_bare, raw.host)),
        port=raw.port,
        max_body_bytes=raw.max_body_mb * 2**20,
        max_connections=raw.max_connections,
        keepalive_comment_s=raw.keepalive_comment_s,
        request_timeout_s=raw.request_timeout_s,
        allowed_hosts=tuple(raw.allowed_hosts),
        tls=(
            DoorTls(cert=raw.tls.cert, key=raw.tls.key, client_ca=raw.tls.client_ca)
            if raw.tls
            else None
        ),
        cors=_cors(raw.cors, scope),
    )


def _check_host(host: str, place: Place, scope: Scope) -> None:
    if host.startswith(UNIX):
        if not host.removeprefix(UNIX).strip("/"):
            scope.problem(place, "wants the path of a socket: unix:/run/pointsman/door.sock")
    elif _HOST.fullmatch(_bare(host)) is None:
        scope.problem(place, "wants an address or a name alone, without scheme or port")


def _bare(host: str) -> str:
    """An IPv6 address without its brackets."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _cors(raw: RawCors, scope: Scope) -> Cors:
    place: Place = ("server", "cors")
    for index, origin in enumerate(raw.origins):
        if not _is_origin(origin):
            where = (*place, "origins", index)
            scope.problem(where, "wants scheme://host[:port] as browsers send it, or *")
    if raw.allow_credentials and "*" in raw.origins:
        scope.problem(
            (*place, "allow_credentials"), "not with `*`: name the origins that may send them"
        )
    return Cors(
        origins=tuple(origin.lower() for origin in raw.origins),
        allow_credentials=raw.allow_credentials,
        max_age_s=raw.max_age_s,
    )


def _is_origin(origin: str) -> bool:
    if origin == "*":
        return True
    try:
        parts = urlsplit(origin)
        sound = parts.port is None or parts.port > 0
    except ValueError:
        return False
    whole = f"{parts.scheme}://{parts.netloc}".lower() == origin.lower()
    return sound and whole and bool(parts.scheme and parts.hostname) and "@" not in origin
