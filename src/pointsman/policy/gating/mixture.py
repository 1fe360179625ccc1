"""Rules and detectors that look nearby, let through one gate as if they were one set of rules."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from pointsman.policy.finding import Finding
from pointsman.policy.gating.nearby import Nearby, NearbyReader
from pointsman.policy.gating.reading import Reader, Sight, Span
from pointsman.policy.gating.rules import SpanRule
from pointsman.policy.gating.ruleset import DETECTOR, RuleSet, joined


class Asked(NamedTuple):
    """A detector that looks nearby: what counts of a text, and what its spans are called."""

    nearby: Nearby
    spans: Callable[[str], Sequence[tuple[int, int]]]
    id: str
    kind: str


class Mixture:
    """As a `RuleSet` to a gate. Numbers grow in the order given: of equal spans the first names."""

    def __init__(self, members: Sequence[SpanRule | Asked]) -> None:
        rules = [each for each in members if isinstance(each, SpanRule)]
        self._members = tuple(members)
        self._rules = RuleSet(rules) if rules else None
        self._places = [at for at, each in enumerate(members) if isinstance(each, SpanRule)]

    def reader(self, *, normalise: bool, escapes: bool) -> "Readers":
        """For one new text."""
        readers: list[_Reads] = [
            NearbyReader(each.nearby, each.spans, at, escapes=escapes)
            for at, each in enumerate(self._members)
            if isinstance(each, Asked)
        ]
        if self._rules is not None:
            inner = self._rules.reader(normalise=normalise, escapes=escapes)
            readers.append(_Renumbered(inner, self._places))
        return Readers(readers)

    def certain(self, number: int) -> bool:
        """Whether spans of this number count whatever is in them."""
        each = self._members[number]
        return isinstance(each, Asked) or each.entropy is None

    def counts(self, number: int, span: str) -> bool:
        """Whether the characters of overlapping spans are what the rule means."""
        if self.certain(number):
            return True
        assert self._rules is not None, "there are rules"
        return self._rules.counts(self._places.index(number), span)

    def findings(self, spans: Iterable[Span]) -> tuple[Finding, ...]:
        """Spans as findings, by start; one for overlapping spans of one number."""
        return tuple(
            Finding(
                detector=DETECTOR,
                rule=self._members[span.rule].id,
                kind=self._members[span.rule].kind,
                start=span.start,
                end=span.end,
            )
            for span in joined(spans)
        )


class _Reads(Protocol):
    @property
    def length(self) -> int: ...

    @property
    def quiet(self) -> bool: ...

    def feed(self, text: str) -> None: ...

    def finish(self) -> None: ...

    def look(self) -> Sight: ...


class Readers:
    """Several readers of one text: safe is what is so for all of them."""

    def __init__(self, readers: Sequence[_Reads]) -> None:
        self._readers = tuple(readers)

    @property
    def length(self) -> int:
        return self._readers[0].length

    @property
    def quiet(self) -> bool:
        return all(each.quiet for each in self._readers)

    def feed(self, text: str) -> None:
        for each in self._readers:
            each.feed(text)

    def finish(self) -> None:
        for each in self._readers:
            each.finish()

    def look(self) -> Sight:
        sights = [each.look() for each in self._readers]
        return Sight(
            tuple(span for sight in sights for span in sight.done),
            tuple(span for sight in sights for span in sight.growing),
            min(sight.safe for sight in sights),
        )


class _Renumbered:
    """The reader of the rules, with spans numbered as the mixture numbers its members."""

    def __init__(self, reader: Reader, numbers: Sequence[int]) -> None:
        self._reader = reader
        self._numbers = numbers
        self.feed = reader.feed
        self.finish = reader.finish

    @property
    def length(self) -> int:
        return self._reader.length

    @property
    def quiet(self) -> bool:
        return self._reader.quiet

    def look(self) -> Sight:
        sight = self._reader.look()
        return Sight(self._named(sight.done), self._named(sight.growing), sight.safe)

    def _named(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        return tuple(span._replace(rule=self._numbers[span.rule]) for span in spans)
