"""The detector of personal data that has a form. Names and places need a model and are not here."""

from functools import cached_property

from pointsman.policy.detectors.pii.contacts import CONTACTS, RUN, phones
from pointsman.policy.detectors.pii.dates import DATES
from pointsman.policy.detectors.pii.national import NATIONAL
from pointsman.policy.detectors.pii.numbers import NUMBERS
from pointsman.policy.detectors.pii.shapes import Hit, Shape, seen
from pointsman.policy.detectors.view import Triage, View
from pointsman.policy.finding import Channel, Finding, Judgement
from pointsman.policy.gating.nearby import Nearby

_SHAPES: tuple[Shape, ...] = (*CONTACTS, *NUMBERS, *NATIONAL, *DATES)
KINDS = tuple(sorted({shape.kind for shape in _SHAPES} | {"phone"}))
_BEFORE, _AFTER = 64, 20  # the words that speak for a value stand no further off
_NEARBY = Nearby(
    [*dict.fromkeys(shape.pattern for shape in _SHAPES), RUN.pattern.decode("latin-1")],
    fold=View.folding, before=_BEFORE, after=_AFTER,
)  # fmt: skip


class PersonalData:
    """Judges texts for structured personal data.

    Args: kinds to look for (all of `KINDS` when None); threshold is the least score of a finding.
    """

    name = "pii"
    version = "pii-1"
    nearby = _NEARBY

    def __init__(self, *, kinds: frozenset[str] | None = None, threshold: float = 0.5) -> None:
        self._kinds = frozenset(KINDS) if kinds is None else kinds
        self._threshold = threshold
        self._shapes = tuple(shape for shape in _SHAPES if shape.kind in self._kinds)

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """Findings do not overlap: where two shapes meet, the surer one stands."""
        hits = [hit for hit in self._hits(View(text)) if hit.score >= self._threshold]
        findings = tuple(
            Finding(
                detector=self.name, rule=hit.rule, kind=hit.kind, start=hit.start, end=hit.end,
                score=hit.score,
            )
            for hit in apart(hits)
        )  # fmt: skip
        return Judgement(
            detector=self.name,
            version=self.version,
            status="found" if findings else "clear",
            findings=findings,
            score=max((finding.score for finding in findings), default=0.0),
        )

    def _hits(self, view: View) -> list[Hit]:
        shapes = (self._shapes[i] for i in self._triage.which(view.octets))
        hits = [hit for shape in shapes for hit in seen(shape, view)]
        if view.has_digit and "phone" in self._kinds:
            hits += phones(view)
        return hits

    @cached_property
    def _triage(self) -> Triage:
        return Triage([shape.pattern for shape in self._shapes])


def apart(hits: list[Hit]) -> list[Hit]:
    """Of hits that overlap, the one with the best score, then the longest; in order of place."""
    taken: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (-h.score, h.start - h.end, h.start)):
        if all(hit.end <= other.start or other.end <= hit.start for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)
