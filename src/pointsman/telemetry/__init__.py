"""What a running gateway tells of itself: counts, spans, logs. Never of what people wrote."""

from pointsman.telemetry.metrics import Metrics, combine, merge

__all__ = ["Metrics", "combine", "merge"]
