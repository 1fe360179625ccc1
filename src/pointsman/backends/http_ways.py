"""By which way each deployment is reached: its own settings first, then the environment's proxy."""

from collections.abc import Callable, Mapping

from pointsman.backends.http_origin import Origin, Way
from pointsman.backends.http_proxy import EnvironmentProxies, Proxy
from pointsman.backends.http_tls import TlsContexts
from pointsman.domain.portfolio import Deployment
from pointsman.domain.transport import NO_PROXY, UpstreamTls

_Key = tuple[str | None, UpstreamTls | None, str | None]


class Ways:
    """The way to a deployment. Asked for every request, so what was found is kept."""

    def __init__(self, env: Mapping[str, str], placed: Callable[[str], str]) -> None:
        """Args: placed makes a path of the configuration one that is right from anywhere.

        Raises: ConfigurationError where the environment names a proxy that cannot be used.
        """
        self._environment = EnvironmentProxies(env)
        self._placed = placed
        self._found: dict[_Key, Way | None] = {}

    def to(self, deployment: Deployment) -> Way | None:
        """None: plainly. Raises: ConfigurationError for a proxy that cannot be used."""
        if deployment.tls is None and deployment.proxy is None and not self._environment:
            return None
        key = (deployment.base_url, deployment.tls, deployment.proxy)
        if key not in self._found:
            self._found[key] = self._find(deployment)
        return self._found[key]

    def check(self, deployment: Deployment, contexts: TlsContexts) -> None:
        """Read what the deployment's way names. Raises: ConfigurationError where it cannot be."""
        way = self.to(deployment)
        if way is not None and way.tls is not None:
            contexts.of(way.tls, place=f"deployments.{deployment.name}.tls")

    def _find(self, deployment: Deployment) -> Way | None:
        if deployment.base_url is None:
            return None  # an embedded engine is on this machine
        tls, proxy = self._absolute(deployment.tls), self._proxy(deployment, deployment.base_url)
        return Way(tls=tls, proxy=proxy) if tls is not None or proxy is not None else None

    def _proxy(self, deployment: Deployment, base_url: str) -> Proxy | None:
        if deployment.proxy == NO_PROXY:
            return None
        if deployment.proxy is not None:
            return Proxy.parse(deployment.proxy, place=f"deployments.{deployment.name}.proxy")
        origin = Origin.parse(base_url)
        return self._environment.before(origin.scheme, origin.host, origin.port)

    def _absolute(self, tls: UpstreamTls | None) -> UpstreamTls | None:
        if tls is None:
            return None
        ca, cert, key = (path and self._placed(path) for path in (tls.ca, tls.cert, tls.key))
        return UpstreamTls(
            ca=ca, cert=cert, key=key, server_name=tls.server_name, verify=tls.verify
        )
