"""The arguments of a tool as whoever reads them as JSON will have them, with the way back.

A model may write `\\u0045MP-1` for `EMP-1` there. Regular rules see through that by themselves
(`policy/gating`); every other detector is shown the text with its escapes resolved.
"""

from msgspec.structs import replace

from pointsman.domain.verdict import Finding, Judgement
from pointsman.policy.gating.escapes import resolved
from pointsman.policy.gating.normalising import Reading

__all__ = ["resolved", "written"]


def written(judgement: Judgement, read: Reading) -> Judgement:
    """What was said of the resolved text, with offsets in the text as it is written."""
    findings = tuple(_written(each, read) for each in judgement.findings)
    return replace(judgement, findings=findings)


def _written(found: Finding, read: Reading) -> Finding:
    if found.start >= found.end:
        at = read.start(found.start) if found.start < len(read.text) else read.length
        return replace(found, start=at, end=at)
    return replace(found, start=read.start(found.start), end=read.end(found.end - 1))
