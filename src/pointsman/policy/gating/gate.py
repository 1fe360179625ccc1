"""Text on its way out: what is let through, what is held, what is taken out of it."""

from collections import deque
from typing import Literal

import msgspec

from pointsman.policy.finding import Finding
from pointsman.policy.gating.mixture import Mixture
from pointsman.policy.gating.reading import Sight, Span
from pointsman.policy.gating.ruleset import RuleSet

Action = Literal["redact", "block"]
State = Literal["open", "blocked", "closed"]

MAX_HELD = 65_536  # characters


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one push let through. `text` may be shown; nothing else may."""

    text: str
    findings: tuple[Finding, ...] = ()  # that became certain with it, by start
    held: int = 0  # characters that stay behind
    state: State = "open"
    why: str = ""  # it was blocked, where no finding says it


class StreamGate:
    """One channel of one answer: a choice's content, its reasoning, or one tool call's arguments.

    No character of a protected span is ever released, however the text is cut, and what is released
    in the end is the same for every way of cutting it. Time is linear in the text.
    """

    def __init__(
        self, rules: RuleSet | Mixture, *, action: Action = "redact", normalise: bool = True,
        escapes: bool = False,
        max_held: int = MAX_HELD, max_held_s: float | None = None,
        placeholder: str = "[redacted {kind}]",
    ) -> None:  # fmt: skip
        """Args: redact puts the placeholder where spans were, overlapping ones as one; block ends
        before the first. normalise reads a copy, too, as characters are compared; escapes one with
        the escapes of JSON strings resolved, as for the arguments of tools. What has to hold more
        than max_held characters, or one longer than max_held_s (by the times given), blocks.
        """
        self._rules = rules
        self._action = action
        self._reader = rules.reader(normalise=normalise, escapes=escapes)
        self._max_held = max_held
        self._max_held_s = max_held_s
        self._placeholder = placeholder
        self._pending = ""
        self._base = 0  # offset of the pending text
        self._spans: list[Span] = []  # certain, not yet passed, by start
        self._times: deque[tuple[int, float]] = deque()  # ends of pushes, and when they came
        self._state: State = "open"
        self.released = 0  # characters let through, placeholders not counted
        self.redacted = 0  # characters taken out

    def push(self, text: str, *, now: float | None = None) -> Release:
        """Take a piece of text; says what may leave now. `now`: seconds of any steady clock."""
        if self._state != "open":
            return Release(text="", state=self._state)
        reader = self._reader
        reader.feed(text)
        if reader.quiet and not self._spans:
            out = self._pending + text
            self._pending = ""
            self._base += len(out)
            self.released += len(out)
            if self._times:
                self._times.clear()
            return Release(text=out)
        self._pending += text
        if now is not None:
            self._times.append((self._base + len(self._pending), now))
        return self._bounded(self._let_through(reader.look()), now)

    def tick(self, now: float) -> Release:
        """Look at the clock while no text comes; blocks where something was held too long."""
        if self._state != "open":
            return Release(text="", state=self._state)
        return self._bounded(Release(text="", held=len(self._pending)), now)

    def close(self) -> Release:
        """The text ends here: what is left is decided and let through."""
        if self._state != "open":
            return Release(text="", state=self._state)
        self._reader.finish()
        release = self._let_through(self._reader.look())
        if self._state == "open":
            self._state = "closed"
            release = msgspec.structs.replace(release, state="closed")
        return release

    def _let_through(self, sight: Sight) -> Release:
        rules = self._rules
        safe = min(sight.safe, self._reader.length)
        for span in sight.done:
            if rules.counts(span.rule, self._slice(span)):
                self._spans.append(span)
        blocking = self._action == "block"
        for span in sight.growing:
            if not (blocking and rules.certain(span.rule)):
                safe = min(safe, span.start)
        if blocking:
            self._spans += [
                span for span in sight.growing if rules.certain(span.rule) and span.start <= safe
            ]
        self._spans.sort(key=lambda span: (span.start, -span.end, span.rule))
        if self._action == "block":
            return self._up_to_the_first(safe)
        return self._redacted(safe)

    def _up_to_the_first(self, safe: int) -> Release:
        if not self._spans or self._spans[0].start > safe:
            return Release(text=self._pass(safe), held=len(self._pending))
        first = self._spans[0]
        text = self._pass(first.start)
        same = [span for span in self._spans if span.start == first.start]
        self._end()
        return Release(text=text, findings=self._rules.findings(same), state="blocked")

    def _redacted(self, safe: int) -> Release:
        pieces: list[str] = []
        told: list[Span] = []
        while self._spans and self._spans[0].start < safe:
            end, count = self._spans[0].end, 1
            while count < len(self._spans) and self._spans[count].start < end:
                end = max(end, self._spans[count].end)
                count += 1
            if end > safe:
                safe = self._spans[0].start
                break
            cluster = self._spans[:count]
            del self._spans[:count]
            pieces += [self._pass(cluster[0].start), self._words(cluster)]
            self._pending = self._pending[end - self._base :]
            self.redacted += end - self._base
            self._base = end
            told += cluster
        pieces.append(self._pass(safe))
        return Release(
            text="".join(pieces), findings=self._rules.findings(told), held=len(self._pending)
        )

    def _bounded(self, release: Release, now: float | None) -> Release:
        times = self._times
        while times and times[0][0] <= self._base:
            times.popleft()
        why = ""
        if len(self._pending) > self._max_held:
            why = f"more than {self._max_held} characters had to be held"
        elif (
            now is not None and self._max_held_s is not None
            and times and now - times[0][1] > self._max_held_s
        ):  # fmt: skip
            why = f"characters had to be held for more than {self._max_held_s} s"
        if not why or self._state != "open":
            return release
        self._end()
        return msgspec.structs.replace(release, held=0, state="blocked", why=why)

    def _pass(self, to: int) -> str:
        """Let the pending text through up to an offset."""
        count = max(to - self._base, 0)
        text = self._pending[:count]
        self._pending = self._pending[count:]
        self._base += len(text)
        self.released += len(text)
        return text

    def _end(self) -> None:
        self._state = "blocked"
        self._pending = ""
        self._spans = []

    def _slice(self, span: Span) -> str:
        return self._pending[span.start - self._base : span.end - self._base]

    def _words(self, cluster: list[Span]) -> str:
        first = self._rules.findings(cluster)[0]
        return self._placeholder.replace("{kind}", first.kind)
