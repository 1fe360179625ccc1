"""The protocol that every detector keeps; what one says of a text is a `Judgement`."""

from typing import Protocol

from pointsman.domain.policies import CHANNELS, Channel
from pointsman.domain.verdict import Finding, Judgement

__all__ = ["CHANNELS", "Channel", "Detector", "Finding", "Judgement"]


class Detector(Protocol):
    """Looks at one text. The same text and channel always give the same judgement.

    Three more attributes let streams go on while it looks; without them all of an answer waits.
    `span_rules`: the `SpanRule`s whose spans are all that it finds, which a gate takes out as the
    text comes. `nearby`: a `Nearby`, where it looks no further from what it finds, so that a gate
    asks it about a place once what is beside it came. `by_segment` (true): it judges texts as a
    whole and finds no spans, so that a text may be judged so far.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever a judgement may: data, weights and thresholds are part of it."""
        ...

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """What is in it. Raises nothing: what cannot be looked at is `unjudged`, with a reason."""
        ...
