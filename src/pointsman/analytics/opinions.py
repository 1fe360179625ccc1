"""What judges and raters said of requests: the latest word of each, in numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from pointsman.domain.records import Drawn, OutcomeRecord, SamplingRecord

LabelWord = Literal["accept", "reject", "edit"]
LABEL_VALUES: Mapping[str, float] = {"accept": 1.0, "reject": 0.0, "edit": 0.0}
SKIPPED, UNDONE = "skip", "undone"  # other values of a `label`: no label
_decode_outcome = msgspec.json.Decoder(OutcomeRecord).decode
_decode_sampling = msgspec.json.Decoder(SamplingRecord).decode


class Opined(msgspec.Struct, frozen=True, kw_only=True):
    """One request, what judges say of it, and the latest word of each rater."""

    trace: str
    task: str
    tenant: str
    session: str | None
    at_us: int
    judged: dict[str, OutcomeRecord]  # by judge: the latest, `unjudged` too
    labels: dict[str, OutcomeRecord]  # by rater: the latest that is a label
    skipped: frozenset[str] = frozenset()  # raters who passed it by

    def judge_value(self, judge: str) -> float | None:
        """In [0, 1]; None where that judge did not look, or could not judge."""
        said = self.judged.get(judge)
        if said is None or said.outcome != "judged" or isinstance(said.value, str | None):
            return None
        return min(1.0, max(0.0, float(said.value)))

    @property
    def label(self) -> float | None:
        """The mean of its raters: 1 accept, 0 reject or edit; None without a label."""
        said = [LABEL_VALUES[str(each.value)] for each in self.labels.values()]
        return sum(said) / len(said) if said else None


def opinions_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Opined]:
    """By trace, from the rows of the `opinions` query (oldest first)."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(
            row["trace"],
            {
                "trace": row["trace"], "task": row["task"] or "", "tenant": row["tenant"],
                "session": row["session"], "at_us": row["asked_us"], "judged": {}, "labels": {},
                "skipped": set(),
            },
        )  # fmt: skip
        said = _decode_outcome(row["payload"])
        by, _, name = row["source"].partition(":")
        if by == "judge":
            one["judged"][name] = said
        elif said.outcome == "label":
            one["labels"].pop(name, None)
            one["skipped"].discard(name)
            if said.value in LABEL_VALUES:
                one["labels"][name] = said
            elif said.value == SKIPPED:
                one["skipped"].add(name)
    return {
        trace: Opined(**{**one, "skipped": frozenset(one["skipped"])})
        for trace, one in found.items()
    }


def samplings_of(rows: Iterable[Mapping[str, Any]]) -> list[SamplingRecord]:
    """Draws, from the rows of the `samplings` query."""
    return [_decode_sampling(row["payload"]) for row in rows]


def chances_of(samplings: Sequence[SamplingRecord]) -> dict[str, float]:
    """By trace: how likely it was to be drawn, by all draws together."""
    found: dict[str, float] = {}
    for sampling in samplings:
        for each in sampling.drawn:
            found[each.trace] = max(found.get(each.trace, 0.0), each.chance)
    return found


def drawn_order(samplings: Sequence[SamplingRecord]) -> list[Drawn]:
    """Everything that was drawn, in the order in which to look at it."""
    return [each for sampling in samplings for each in sampling.drawn if not each.again]
