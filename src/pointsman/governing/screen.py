"""One streamed answer under its policies: what of it goes on, and what was made of it."""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from pointsman.domain.policies import Channel
from pointsman.domain.ports import Chunk
from pointsman.domain.verdict import Screening, Subject
from pointsman.governing.chunks import Lines, subject_of
from pointsman.governing.flows import CutFlow, Flow, GateFlow, OpenFlow, SegmentFlow
from pointsman.governing.governor import judged
from pointsman.governing.leaves import Path
from pointsman.governing.outlook import Outlook, RuleSets
from pointsman.governing.recording import screening
from pointsman.governing.requests import Text
from pointsman.policy.compiling import Policy
from pointsman.policy.evaluating import Decided, redactions
from pointsman.policy.facts import Facts


class Screen:
    """Chunks in, chunks out. Nothing that a policy forbids is among those that come out.

    Where the outlook says so, all of them come out at the end.
    """

    def __init__(
        self, policies: Sequence[Policy], facts: Facts, ahead: Outlook, compiled: RuleSets
    ) -> None:
        self._policies = policies
        self._compiled = compiled
        self._facts = facts
        self._ahead = ahead
        self._lines = Lines(self._flow)
        self._lines.strips = not ahead.free
        self._waiting: list[Chunk] = []
        self.decided: Decided | None = None  # from `end`

    @property
    def whole(self) -> bool:
        """Whether nothing comes out before the end."""
        return bool(self._ahead.whole)

    @property
    def stopped(self) -> bool:
        """Whether nothing more may come: the answer need not be read on."""
        return self._lines.stopped

    def push(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """What goes on of these, and of what waited."""
        if self.whole:
            for chunk in chunks:
                self._lines.push(chunk)
            self._waiting += chunks
            return []
        made: list[Chunk] = []
        for chunk in chunks:
            made += self._lines.push(chunk)
            if self.stopped:
                break
        return made

    def texts(self) -> list[Text]:
        """What was said so far, by choice and channel."""
        return list(self._lines.texts())

    def end(self) -> list[Chunk]:
        """The rest of the answer, once no more comes. From here `decided` is there."""
        rest: list[Chunk] = []
        texts = list(self._lines.texts())
        self._seen, decided = judged(self._policies, self._facts, texts)
        if not self.whole and not self.stopped:
            rest = self._lines.end()  # may come to a span that stops it
        if self.stopped and decided.verdict != "block":
            why = self._lines.why or "a span that a rule blocks was begun"
            decided = replace(decided, verdict="block", because=why)
        self.decided = decided
        if self.stopped or decided.verdict in ("block", "hold", "escalate"):
            return self._lines.filtered()
        if decided.verdict == "rewrite":
            return self._rewritten(decided)
        if not self.whole:
            return [*rest, *self._lines.late()]
        words = decided.obligations.get("append", ())
        if decided.verdict == "redact" or words:
            return self._cut(decided, texts, words)
        return self._waiting

    def screening(self, *, took_us: int) -> Screening:
        """What is written down of it."""
        assert self.decided is not None, "an answer is judged at its end"
        return screening(
            self._policies,
            self.decided,
            self._seen,
            took_us=took_us,
            held_chars=self._lines.most_held,
        )

    def _flow(self, choice: int, key: Path, channel: Channel) -> Flow:
        ahead = self._ahead
        guards = () if self.whole else ahead.guards[channel]
        flow: Flow = OpenFlow()
        if guards:
            block = self._compiled.of(guards, "block", channel)
            redact = self._compiled.of(guards, "redact", channel)
            flow = GateFlow(
                block, redact, most_held=ahead.most_held, escapes=channel == "tool_args"
            )
        if channel in ahead.segments:
            subject = subject_of(choice, channel)
            flow = SegmentFlow(
                lambda text: self._blocks(subject, text), flow, most_held=ahead.most_held
            )
        return flow

    def _blocks(self, subject: Subject, text: str) -> str:
        """Why a text so far is blocked; empty where it is not."""
        _, decided = judged(self._ahead.judges, self._facts, [Text(subject, (), text)])
        return decided.why if decided.verdict == "block" else ""

    def _cut(self, decided: Decided, texts: Sequence[Text], words: Sequence[str]) -> list[Chunk]:
        """The chunks again, with what is redacted taken out of them, and words at their end."""
        spans = {
            (each.subject.part, each.path): redactions(self._policies, decided, each.subject)
            for each in texts
        }
        more = "".join(f"\n\n{word}" for word in words)
        said = {each.subject.part for each in texts if each.path in (("content",), ())}

        def flow(choice: int, key: Path, channel: Channel) -> Flow:
            last = key in (("content",), ()) and choice in said
            return CutFlow(spans[choice, key], more if last else "")

        again = Lines(flow)
        made = [one for chunk in self._waiting for one in again.push(chunk)]
        return [*made, *again.end(), *again.late()]

    def _rewritten(self, decided: Decided) -> list[Chunk]:
        """One text in the place of all; it is judged as well, once."""
        lines = self._lines
        text: Literal[""] | str = decided.rewrite
        again = [
            Text(subject=each.subject, path=each.path, text=text)
            for each in lines.texts()
            if each.subject.channel == "content"
        ]
        verdict = judged(self._policies, self._facts, again)[1].verdict
        if verdict not in ("allow", "annotate"):
            return lines.filtered()
        return [*(lines.said(choice, text) for choice in lines.choices), *lines.finished()]
