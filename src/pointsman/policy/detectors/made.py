"""A judgement from what was found: the few lines every detector of patterns ends with."""

from collections.abc import Sequence

from pointsman.policy.finding import Finding, Judgement


def judged(detector: str, version: str, findings: Sequence[Finding]) -> Judgement:
    """`found` with the best score, or `clear`; findings in the order of their place."""
    ordered = tuple(sorted(findings, key=lambda f: (f.start, f.end, f.rule)))
    return Judgement(
        detector=detector,
        version=version,
        status="found" if ordered else "clear",
        findings=ordered,
        score=max((f.score for f in ordered), default=0.0),
    )


def unjudged(detector: str, version: str, reason: str) -> Judgement:
    """It could not look; the reason never quotes the text."""
    return Judgement(detector=detector, version=version, status="unjudged", reason=reason)
