"""What a shape of personal data is: how it looks, what proves it, and which words speak for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pointsman.policy.detectors.view import View, compile_octets


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One form of one kind of personal data.

    A value that `proves` accepts scores `alone`, or `told` where one of the words stands near.
    One that it does not accept scores `unproven` where such a word stands near, else nothing.
    A score of 0 is no finding. Group 1 of the pattern is the value, or the whole where it has none.
    """

    kind: str
    rule: str
    pattern: str  # for RE2, over a byte a character
    proves: Callable[[str], bool] = field(default=lambda _value: True)
    words: str = ""  # alternatives, for RE2, lower case, any script; "" asks for none
    alone: float = 0.0
    told: float = 0.95
    unproven: float = 0.0
    before: int = 48  # characters looked at before the value, and a third of that after it
    joiners: str = ".-/"  # with a digit beyond, these make it part of something longer

    @cached_property
    def compiled(self) -> Any:
        return compile_octets(self.pattern)

    @cached_property
    def near(self) -> Any:
        import re2

        return re2.compile(self.words) if self.words else None


@dataclass(frozen=True, slots=True)
class Hit:
    """A shape seen at a place. Offsets count characters."""

    kind: str
    rule: str
    start: int
    end: int
    score: float


def seen(shape: Shape, view: View) -> list[Hit]:
    """Every place where the shape stands, with what it scores there."""
    hits = []
    group = 1 if shape.compiled.groups else 0
    for match in shape.compiled.finditer(view.octets):
        start, end = match.span(group)
        if start < 0 or not view.stands_alone(start, end, shape.joiners):
            continue
        score = _scored(shape, view, start, end)
        if score > 0.0:
            hits.append(Hit(shape.kind, shape.rule, start, end, score))
    return hits


def _scored(shape: Shape, view: View, start: int, end: int) -> float:
    proven = shape.proves(view.folded[start:end])
    if not proven and not shape.unproven:
        return 0.0
    if shape.near is not None:
        near = view.around(start, end, before=shape.before, after=shape.before // 3)
        if shape.near.search(near):
            return shape.told if proven else shape.unproven
    return shape.alone if proven else 0.0
