"""One text on its way to a client, piece by piece: what of it may go on, with what is cut out."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pointsman.policy.gating.gate import StreamGate
from pointsman.policy.gating.mixture import Mixture
from pointsman.policy.gating.ruleset import RuleSet
from pointsman.policy.gating.segments import Passed, SegmentGate
from pointsman.policy.verdicts import Span


class Flow(Protocol):
    """Takes a text in pieces and gives what may be read of it; the rest waits, or never comes."""

    @property
    def stopped(self) -> bool:
        """A span was found after which nothing may follow."""
        ...

    @property
    def why(self) -> str:
        """It was stopped, where no span says it."""
        ...

    @property
    def held(self) -> int:
        """Characters that came and wait."""
        ...

    def push(self, piece: str) -> str:
        """What may go on once this piece came."""
        ...

    def close(self) -> str:
        """The rest: no more of the text comes."""
        ...


class OpenFlow:
    """Everything goes on at once."""

    stopped = False
    why = ""
    held = 0

    def push(self, piece: str) -> str:
        return piece

    def close(self) -> str:
        return ""


class CutFlow:
    """A text whose spans are known: each gives way to its replacement, the rest goes on."""

    stopped = False
    why = ""

    def __init__(self, spans: Sequence[Span], more: str = "") -> None:
        """Args: spans as `union` gives them; more is what follows at the end."""
        self._spans = list(spans)
        self._more = more
        self._at = 0  # characters that came
        self._done = 0  # characters that were given, or cut
        self._next = 0  # the span that is not behind us

    @property
    def held(self) -> int:
        return len(self._more)

    def push(self, piece: str) -> str:
        start, end = self._at, self._at + len(piece)
        self._at = end
        parts: list[str] = []
        while self._next < len(self._spans):
            span = self._spans[self._next]
            if span.start >= end:
                break
            if span.start >= start:  # it begins in this piece
                parts += [piece[max(self._done, start) - start : span.start - start],
                          span.replacement]  # fmt: skip
            self._done = min(span.end, end)
            if span.end > end:
                break
            self._next += 1
        parts.append(piece[max(self._done, start) - start :])
        self._done = end
        return "".join(parts)

    def close(self) -> str:
        more, self._more = self._more, ""
        return more


class GateFlow:
    """Text goes on up to where a protected span could still begin.

    Two gates, one behind the other: the first ends the text before what is blocked, the second
    takes out of what it lets through what is redacted.
    """

    def __init__(
        self,
        block: RuleSet | Mixture | None,
        redact: RuleSet | Mixture | None,
        *,
        most_held: int,
        escapes: bool = False,
    ) -> None:
        """Args: the kind of each rule to redact is what stands in the place of its spans; escapes:
        what those of JSON strings hide is looked at as well.
        """
        gates = []
        if block is not None:
            gate = StreamGate(block, action="block", max_held=most_held, escapes=escapes)
            gates.append(gate)
        if redact is not None:
            gate = StreamGate(redact, max_held=most_held, placeholder="{kind}", escapes=escapes)
            gates.append(gate)
        self._gates = gates
        self.held = 0
        self.stopped = False
        self.why = ""  # it was stopped, where no span says it

    def push(self, piece: str) -> str:
        held = 0
        for gate in self._gates:
            said = gate.push(piece)
            piece = said.text
            held += said.held
            if said.state == "blocked":
                self.stopped, self.why = True, said.why
        self.held = held
        return piece

    def close(self) -> str:
        rest = ""
        for gate in self._gates:
            passed = gate.push(rest).text if rest else ""
            said = gate.close()
            rest = passed + said.text
            if said.state == "blocked":
                self.stopped, self.why = True, said.why
        self.held = 0
        return rest


class SegmentFlow:
    """Text goes on by segments: none before the text up to its end was judged.

    `judge` says of the text so far whether it is blocked, and why. The rest of the way is `flow`'s.
    """

    def __init__(self, judge: Callable[[str], str], flow: Flow, *, most_held: int) -> None:
        self._judge = judge
        self._flow = flow
        self._gate = SegmentGate(max_held=most_held)
        self._parts: list[str] = []
        self._why = ""

    @property
    def stopped(self) -> bool:
        return bool(self._why) or self._flow.stopped

    @property
    def why(self) -> str:
        return self._why or self._flow.why

    @property
    def held(self) -> int:
        return self._passed.held + self._flow.held

    _passed = Passed()

    def push(self, piece: str) -> str:
        self._parts.append(piece)
        return self._flow.push(self._through(self._gate.push(piece)))

    def close(self) -> str:
        rest = self._through(self._gate.close())
        passed = self._flow.push(rest) if rest else ""
        return passed + ("" if self.stopped else self._flow.close())

    def _through(self, passed: Passed) -> str:
        text = passed.text
        for segment in passed.awaiting:
            so_far = "".join(self._parts)[: segment.end]
            why = self._judge(so_far)
            passed = self._gate.judged(segment.index, "block" if why else "allow")
            text += passed.text
            if passed.state == "blocked":
                self._why = why or passed.why
                break
        if passed.state == "blocked":
            self._why = self._why or passed.why
        self._passed = passed
        return text
