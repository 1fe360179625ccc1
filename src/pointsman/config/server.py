"""The door's settings: hosts, certificates' paths and pages' origins checked; nothing opened."""

import re
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from pointsman.config.deployments import HIDDEN
from pointsman.config.schema import RawAdmin, RawCors, RawOidc, RawServer
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import AdminKey, AdminSettings, Key, OidcSettings, ServerSettings
from pointsman.domain.transport import UNIX, Cors, DoorTls, is_loopback

_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def resolve_server(
    raw: RawServer, keys: Sequence[Key], scope: Scope, *, virtual: bool
) -> ServerSettings:
    """The settings, every problem with them kept.

    Args: keys are those of clients; none of them may open the admin's door. virtual says whether
        there are others in the state.
    """
    hosts = [raw.host] if isinstance(raw.host, str) else raw.host
    for index, host in enumerate(hosts):
        place: Place = ("server", "host")
        _check_host(host, place if isinstance(raw.host, str) else (*place, index), scope)
    if raw.max_buffered_mb < raw.max_body_mb:
        scope.problem(
            ("server", "max_buffered_mb"),
            f"wants max_body_mb ({raw.max_body_mb}) or more: else no such body is ever taken",
        )
    return ServerSettings(
        host=_bare(raw.host) if isinstance(raw.host, str) else tuple(map(_bare, raw.host)),
        port=raw.port,
        max_body_bytes=raw.max_body_mb * 2**20,
        max_connections=raw.max_connections,
        max_in_flight=raw.max_in_flight,
        max_buffered_bytes=raw.max_buffered_mb * 2**20,
        keepalive_comment_s=raw.keepalive_comment_s,
        request_timeout_s=raw.request_timeout_s,
        dns_refresh_s=raw.dns_refresh_s,
        allowed_hosts=tuple(raw.allowed_hosts),
        tls=(
            DoorTls(cert=raw.tls.cert, key=raw.tls.key, client_ca=raw.tls.client_ca)
            if raw.tls
            else None
        ),
        cors=_cors(raw.cors, scope),
        workers=raw.workers,
        logs=raw.logs,
        admin=_admin(raw.admin, keys, scope, virtual) if raw.admin is not None else None,
    )


def _admin(raw: RawAdmin, keys: Sequence[Key], scope: Scope, virtual: bool) -> AdminSettings:
    place: Place = ("server", "admin")
    _check_host(raw.host, (*place, "host"), scope)
    taken = {key.sha256: f"keys.{key.name}" for key in keys}
    made: list[AdminKey] = []
    for name, secret in sorted(raw.keys.items()):
        where = (*place, "keys", name)
        digest = sha256(secret.encode()).hexdigest()
        if secret == HIDDEN:
            scope.problem(where, "a hidden secret: write ${NAME} and set the variable")
        elif digest in taken:
            scope.problem(where, f"the same key as {taken[digest]}: an admin's is its own")
        taken[digest] = f"server.admin.keys.{name}"
        made.append(AdminKey(name=name, sha256=digest, roles=tuple(raw.roles.get(name, ["owner"]))))
    for name in raw.roles:
        scope.reference((*place, "roles", name), "key", name, tuple(raw.keys), of=" among `keys`")
    if raw.oidc is not None and "://" in raw.oidc.jwks and not raw.oidc.jwks.startswith("https://"):
        scope.problem((*place, "oidc", "jwks"), "wants https, or a file")
    if not made and raw.oidc is None and (keys or virtual or not is_loopback(_bare(raw.host))):
        why = "clients need keys" if keys or virtual else "it is open to the network"
        scope.problem(place, f"wants keys of its own, since {why}")
    return AdminSettings(
        host=_bare(raw.host), port=raw.port, keys=tuple(made), oidc=_oidc(raw.oidc)
    )


def _oidc(raw: RawOidc | None) -> OidcSettings | None:
    if raw is None:
        return None
    return OidcSettings(
        issuer=raw.issuer,
        audience=raw.audience,
        jwks=raw.jwks,
        roles_claim=raw.roles_claim,
        roles={group: tuple(roles) for group, roles in raw.roles.items()},
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
