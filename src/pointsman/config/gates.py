"""Gates: from thresholds, or an expression of one's own, to one acceptance expression."""

from pointsman.config.schema import RawGate
from pointsman.config.scope import Place, Scope
from pointsman.domain.task import GateSpec

VARIABLES = {
    "verified": (),
    "unjudged": (),
    "logprob": ("min", "mean", "known"),
    "finish_reason": (),
    "completion_tokens": (),
}
# What a cascade needs of a step at the least: every check clear, and an answer not cut short.
DEFAULT = GateSpec(accept="verified && finish_reason != 'length'")


def resolve_gate(raw: RawGate, place: Place, scope: Scope) -> GateSpec:
    """One gate, every problem with it kept."""
    checks = tuple(raw.checks)
    thresholds = {"logprob.min": raw.min_logprob, "logprob.mean": raw.mean_logprob}
    needed = [f"{name} >= {value!r}" for name, value in thresholds.items() if value is not None]
    if raw.accept is None:
        known = ["logprob.known"] if needed else []
        accept = " && ".join([DEFAULT.accept, *known, *needed])
        return GateSpec(accept=accept, checks=checks, needs_logprobs=bool(needed))
    if needed:
        scope.problem(place, "accept stands alone: write the thresholds into it")
    compiled = scope.expression((*place, "accept"), raw.accept, VARIABLES)
    reads = compiled.references if compiled else ()
    return GateSpec(
        accept=raw.accept,
        checks=checks,
        needs_logprobs=any(path.startswith("logprob") for path in reads),
    )


def has_thresholds(raw: RawGate | None) -> bool:
    """Whether a gate refuses every answer that comes without logprobs."""
    return raw is not None and (raw.min_logprob is not None or raw.mean_logprob is not None)
