# ruff: noqa: E501
"""A system prompt that comes out: by canaries put into it, and by runs of its own words."""

import re
from collections.abc import Sequence
from hashlib import sha256

from pointsman.policy.detectors.made import judged
from pointsman.policy.finding import Channel, Finding, Judgement

_WORD = re.compile(r"\w+")
_RUN = 8  # words: shorter runs of a prompt also stand in honest answers about the same subject
_LEAST_RUNS = 2


class PromptLeak:
    """Judges answers for what only the system prompt says.

    Args: canaries are strings that stand nowhere else, at least 8 characters each; prompts are the
    texts to protect. Of prompts only hashes of runs of eight words are kept.
    Raises: ValueError for a canary that is too short to be one.
    """

    name = "leak"

    def __init__(self, *, canaries: Sequence[str] = (), prompts: Sequence[str] = ()) -> None:
        if short := [len(canary) for canary in canaries if len(canary) < 8]:
            raise ValueError(f"a canary of {short[0]} characters would also be found by chance")
        self._canaries = tuple(canary.lower() for canary in canaries)
        self._runs = frozenset(key for prompt in prompts for key, _, _ in _runs(prompt))
        known = "\n".join([*self._canaries, *sorted(self._runs)])
        self.version = f"leak-1-{sha256(known.encode()).hexdigest()[:12]}"

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """A canary is certain; of runs two must stand in the text, and touching ones are one finding."""
        low = text.lower()
        findings = []
        if len(low) == len(text):
            for canary in self._canaries:
                at = low.find(canary)
                while at >= 0:
                    findings.append(self._finding("canary", at, at + len(canary), 1.0))
                    at = low.find(canary, at + len(canary))
        elif any(canary in low for canary in self._canaries):
            findings.append(self._finding("canary", 0, len(text), 1.0))
        hits = [(start, end) for key, start, end in _runs(text) if key in self._runs]
        if len(hits) >= _LEAST_RUNS:
            findings += [self._finding("run", start, end, 0.9) for start, end in _joined(hits)]
        return judged(self.name, self.version, findings)

    def _finding(self, rule: str, start: int, end: int, score: float) -> Finding:
        return Finding(
            detector=self.name, rule=rule, kind="prompt_leak", start=start, end=end, score=score
        )


def _runs(text: str) -> list[tuple[str, int, int]]:
    words = [(m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text)]
    return [
        (sha256(" ".join(w for w, _, _ in words[i : i + _RUN]).encode()).hexdigest()[:16], words[i][1],
         words[i + _RUN - 1][2])
        for i in range(len(words) - _RUN + 1)
    ]  # fmt: skip


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    out = [spans[0]]
    for start, end in spans[1:]:
        if start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
