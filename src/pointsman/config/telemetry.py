"""Where spans and metrics are sent: the form of the address checked, nothing connected."""

from pointsman.config.schema import RawTelemetry
from pointsman.config.scope import Scope
from pointsman.domain.task import TelemetrySettings
from pointsman.domain.transport import collector_problem


def resolve_telemetry(raw: RawTelemetry, scope: Scope) -> TelemetrySettings:
    """The settings, every problem with the address kept; it is never quoted."""
    if raw.otlp_endpoint is not None:
        problem = collector_problem(raw.otlp_endpoint)
        if problem:
            scope.problem(("telemetry", "otlp_endpoint"), problem)
    return TelemetrySettings(
        otlp_endpoint=raw.otlp_endpoint,
        sample=raw.sample,
        metrics_every_s=raw.metrics_every_s,
    )
