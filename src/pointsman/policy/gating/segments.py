"""Text let through by segments, for judges that need some of it: models, classifiers, people.

No segment leaves before its own verdict, and none before the one ahead of it. While one is judged
the next is being written. What later text would have said of it is not part of the promise.
"""

import re
from typing import Literal

import msgspec

Verdict = Literal["allow", "block", "unjudged"]
State = Literal["open", "blocked", "closed"]

_END = re.compile(r"[.!?。！？][\"')\]]*\s|\n")  # of a sentence, with what follows it


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the text that awaits judgement. Offsets count characters of the whole text."""

    index: int  # from 0
    start: int
    end: int
    text: str


class Passed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call let through, and what it made ready to be judged."""

    text: str = ""  # may be shown; nothing else may
    awaiting: tuple[Segment, ...] = ()  # ready since this call; each is told once
    held: int = 0  # characters that stay behind
    state: State = "open"
    why: str = ""


class SegmentGate:
    """One channel of one answer, judged piece by piece. Time comes in as an argument.

    Where segments end depends on the text alone: at the first end of a sentence once the segment
    has its least length, or at its greatest. The first is small, so that something is seen soon;
    each next may be twice as long.
    """

    def __init__(
        self, *, first: int = 80, most: int = 1_200,
        on_unjudged: Literal["allow", "block"] = "block",
        max_held: int = 65_536, max_wait_s: float | None = None,
    ) -> None:  # fmt: skip
        """Args: first and most are least lengths in characters, of the first segment and of any; a
        segment is at most twice its least. A verdict that is not there max_wait_s after its segment
        was ready is `unjudged`. More than max_held characters waiting block.
        """
        if not 0 < first <= most:
            raise ValueError(f"first must be in 1..most, not {first} with most {most}")
        self._least = first
        self._most = most
        self._on_unjudged = on_unjudged
        self._max_held = max_held
        self._max_wait_s = max_wait_s
        self._growing = ""  # the segment that is being written
        self._start = 0  # its offset
        self._count = 0  # segments made ready
        self._waiting: dict[int, Segment] = {}  # not yet passed, by index
        self._since: dict[int, float] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._ended = False
        self._state: State = "open"

    def push(self, text: str, *, now: float | None = None) -> Passed:
        """Take a piece of text; says what is ready to be judged."""
        if self._state != "open" or self._ended:
            return self._passed()
        self._growing += text
        ready: list[Segment] = []
        while (end := self._cut()) is not None:
            ready.append(self._segment(end, now))
        passed = self._passed(awaiting=tuple(ready))
        return self.tick(now, passed)

    def close(self, *, now: float | None = None) -> Passed:
        """The text ends here: what is left is the last segment."""
        if self._state != "open" or self._ended:
            return self._passed()
        self._ended = True
        ready = (self._segment(len(self._growing), now),) if self._growing else ()
        if not self._waiting:
            self._state = "closed"
        return self._passed(awaiting=ready)

    def judged(self, index: int, verdict: Verdict) -> Passed:
        """Take the verdict on a segment, in any order; lets through what it was the last for.

        Raises: KeyError if no such segment awaits one.
        """
        if self._state != "open":
            return self._passed()
        if index not in self._waiting or index in self._verdicts:
            raise KeyError(f"segment {index} does not await a verdict")
        self._verdicts[index] = verdict
        self._since.pop(index, None)
        pieces: list[str] = []
        for at in sorted(self._waiting):
            known = self._verdicts.get(at)
            if known is None:
                break
            if known == "block" or (known == "unjudged" and self._on_unjudged == "block"):
                return self._blocked("".join(pieces), f"segment {at} was {_said(known)}")
            pieces.append(self._waiting.pop(at).text)
            del self._verdicts[at]
        if self._ended and not self._waiting:
            self._state = "closed"
        return self._passed("".join(pieces))

    def tick(self, now: float | None, passed: Passed | None = None) -> Passed:
        """Look at the bounds; `passed` is what the same moment let through besides."""
        passed = passed or self._passed()
        if self._state != "open":
            return passed
        if passed.held > self._max_held:
            return self._blocked("", f"more than {self._max_held} characters had to be held")
        if now is not None and self._max_wait_s is not None:
            late = [at for at, since in self._since.items() if now - since > self._max_wait_s]
            if late and self._on_unjudged == "block":
                why = f"segment {late[0]} had no verdict after {self._max_wait_s} s"
                return self._blocked("", why)
            text = "".join(self.judged(at, "unjudged").text for at in late)
            return msgspec.structs.replace(passed, text=passed.text + text, held=self._held)
        return passed

    def _cut(self) -> int | None:
        """Where the segment being written ends, once that is certain."""
        end = _END.search(self._growing, self._least - 1)
        if end is not None and end.end() <= 2 * self._least:
            return end.end()
        return 2 * self._least if len(self._growing) >= 2 * self._least else None

    def _segment(self, end: int, now: float | None) -> Segment:
        made = Segment(
            index=self._count, start=self._start, end=self._start + end, text=self._growing[:end]
        )
        self._growing = self._growing[end:]
        self._start += end
        self._count += 1
        self._least = min(2 * self._least, self._most)
        self._waiting[made.index] = made
        if now is not None:
            self._since[made.index] = now
        return made

    @property
    def _held(self) -> int:
        return len(self._growing) + sum(len(one.text) for one in self._waiting.values())

    def _passed(self, text: str = "", awaiting: tuple[Segment, ...] = ()) -> Passed:
        return Passed(text=text, awaiting=awaiting, held=self._held, state=self._state)

    def _blocked(self, text: str, why: str) -> Passed:
        self._state = "blocked"
        self._growing = ""
        self._waiting.clear()
        return Passed(text=text, state="blocked", why=why)


def _said(verdict: Verdict) -> str:
    return "not judged" if verdict == "unjudged" else "refused"
