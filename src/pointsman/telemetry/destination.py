"""Where spans and metrics go, from our settings and OpenTelemetry's variables; nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import TelemetrySettings
from pointsman.domain.transport import collector_problem

_BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Destination:
    """Whole URLs; None: that signal is not exported."""

    spans: str | None
    metrics: str | None


def destination_of(settings: TelemetrySettings, env: Mapping[str, str]) -> Destination | None:
    """Where telemetry goes; None where nobody asked for any.

    The file goes before the environment, a signal's own variable before the common one.
    OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER turn off as they say.
    Raises: ConfigurationError for an address, or a protocol, that we cannot speak to.
    """
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    found = Destination(
        spans=_signal("TRACES", "v1/traces", settings, env),
        metrics=_signal("METRICS", "v1/metrics", settings, env),
    )
    return found if found.spans or found.metrics else None


def _signal(
    signal: str, path: str, settings: TelemetrySettings, env: Mapping[str, str]
) -> str | None:
    exporter = env.get(f"OTEL_{signal}_EXPORTER", "").strip().lower()
    if exporter == "none":
        return None
    if settings.otlp_endpoint is not None:
        return _joined(settings.otlp_endpoint, path)
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    name = own if env.get(own, "").strip() else _BASE
    url = env.get(name, "").strip()
    if not url:
        return None
    _check(name, url, env, signal)
    return url if name == own else _joined(url, path)


def _check(name: str, url: str, env: Mapping[str, str], signal: str) -> None:
    problem = collector_problem(url)
    if problem:
        raise ConfigurationError(
            f"{name} {problem}", next=f"put it right, unset it, or set {_DISABLED}"
        )
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = env.get(variable, "").strip().lower()
        if protocol == "http/protobuf":
            return
        if protocol:
            raise ConfigurationError(
                f"{variable} is {protocol[:32]!r}: only http/protobuf is spoken here",
                next="name the collector's HTTP port, usually 4318, and set it to http/protobuf, "
                f"or set {_DISABLED}",
            )


def _joined(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}"


_DISABLED = "OTEL_SDK_DISABLED=true"
