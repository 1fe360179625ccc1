"""Detectors that a policy writes out: one regular expression (RE2), or a list of words."""

import re2

from pointsman.domain.policies import DetectorSpec
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.regular import Regular, compiled


def inline(spec: DetectorSpec) -> Regular:
    """The detector that a policy writes out. Raises: ValueError saying what is wrong with it."""
    pattern = _pattern(spec)
    groups = compiled(pattern).groups
    if spec.group > groups:
        raise ValueError(f"it has {groups} groups, no {spec.group}.")
    kind = spec.kind or spec.name
    return Regular(
        spec.name, [SpanRule(id=spec.name, pattern=pattern, kind=kind, group=spec.group)]
    )


def _pattern(spec: DetectorSpec) -> str:
    if spec.regex is not None:
        return spec.regex
    joined = "|".join(re2.escape(word) for word in spec.literals)
    return f"(?i:{joined})" if spec.ignore_case else joined
