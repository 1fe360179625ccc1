"""How a deployment is reached: what its TLS trusts and shows, and through which proxy."""

from urllib.parse import SplitResult, urlsplit

from pointsman.config.schema import RawDeployment
from pointsman.config.scope import Place, Scope
from pointsman.domain.transport import NO_PROXY, UpstreamTls, is_private


def resolve_upstream_tls(raw: RawDeployment, place: Place, scope: Scope) -> UpstreamTls | None:
    """The deployment's `tls`, every problem with it kept."""
    said, url = raw.tls, _split(raw.base_url)
    if said is None:
        return None
    place = (*place, "tls")
    if url is None or url.scheme != "https":
        scope.problem(place, "is for a base_url that begins with https://")
    if said.key is not None and said.cert is None:
        scope.problem((*place, "key"), "a key without its certificate: write cert as well")
    if not said.verify:
        if url is not None and not is_private(url.hostname or ""):
            scope.problem(
                (*place, "verify"),
                "false is for loopback and private addresses alone: give the upstream's `ca`",
            )
        if said.ca is not None:
            scope.problem((*place, "ca"), "trusts no one where verify is false: leave out either")
    return UpstreamTls(
        ca=said.ca,
        cert=said.cert,
        key=said.key,
        server_name=said.server_name,
        verify=said.verify,
    )


def check_proxy(raw: RawDeployment, place: Place, scope: Scope) -> None:
    """Keep the problem with a deployment's `proxy`; it is never quoted."""
    if raw.proxy is None or raw.proxy == NO_PROXY:
        return
    place = (*place, "proxy")
    url = _split(raw.proxy)
    if raw.embedded is not None:
        scope.problem(place, "an embedded engine is on this machine: it takes no proxy")
    elif url is None or url.scheme != "http" or not url.hostname:
        scope.problem(place, "wants http://[USER:${NAME}@]HOST:PORT, or none")
    elif url.username == "***" or url.password == "***":  # noqa: S105  # how one is hidden
        scope.problem(place, "a hidden secret: write ${NAME} and set the variable")
    elif url.path.strip("/") or url.query or url.fragment:
        scope.problem(place, "wants no path: scheme, host and port alone")


def _split(url: str | None) -> SplitResult | None:
    """The parts of a URL, or None where it is none or cannot be read."""
    try:
        parts = urlsplit(url or "")
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None
