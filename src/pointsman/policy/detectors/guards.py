# ruff: noqa: E501
"""What guard models answer, read: Qwen3Guard-Gen, Llama Guard, ShieldGemma. The call is a port.

An answer that cannot be read is `unjudged`: it says nothing, which is not that nothing was found.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pointsman.policy.detectors.made import unjudged
from pointsman.policy.finding import Channel, Finding, Judgement

Verdict = Literal["safe", "controversial", "unsafe"]

_QWEN = re.compile(r"^\s*Safety:\s*(Safe|Controversial|Unsafe)\s*$", re.M | re.I)
_QWEN_CATEGORIES = re.compile(r"^\s*Categories:\s*(.+?)\s*$", re.M | re.I)
_QWEN_REFUSAL = re.compile(r"^\s*Refusal:\s*(Yes|No)\s*$", re.M | re.I)
_LLAMA = re.compile(r"^\s*(safe|unsafe)\s*(?:\n\s*(S\d{1,2}(?:\s*,\s*S\d{1,2})*))?\s*$", re.I)
_SHIELD = re.compile(r"^\s*(yes|no)\b", re.I)
# MLCommons hazards as Llama Guard 3 and 4 number them.
_HAZARDS = {
    "S1": "violent_crimes", "S2": "non_violent_crimes", "S3": "sex_crimes", "S4": "child_exploitation",
    "S5": "defamation", "S6": "specialized_advice", "S7": "privacy", "S8": "intellectual_property",
    "S9": "indiscriminate_weapons", "S10": "hate", "S11": "self_harm", "S12": "sexual_content",
    "S13": "elections", "S14": "code_interpreter_abuse",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GuardAnswer:
    """A guard's answer as read. `score` is how sure it is that the text is unsafe, in [0, 1]."""

    verdict: Verdict
    categories: tuple[str, ...] = ()
    score: float = 0.0
    refused: bool | None = None  # Qwen3Guard-Gen says of a response whether it refused
    named: tuple[tuple[str, str], ...] = ()  # kind and text of each name, by who was asked for such


class Unreadable(ValueError):
    """The answer is not what the model's card says it is."""


def qwen3guard(answer: str, tops: Mapping[str, float] | None = None) -> GuardAnswer:
    """Qwen3Guard-Gen: lines `Safety:`, `Categories:`, and `Refusal:` for a response.

    Raises: Unreadable without exactly one line `Safety:`.
    """
    found = _QWEN.findall(answer)
    if len(found) != 1:
        raise Unreadable(f"{len(found)} lines `Safety:` where one belongs")
    verdict: Verdict = found[0].lower()
    said = _QWEN_CATEGORIES.search(answer)
    names = tuple(_name(part) for part in said[1].split(",")) if said else ()
    refusal = _QWEN_REFUSAL.search(answer)
    return GuardAnswer(
        verdict,
        tuple(name for name in names if name not in ("none", "")),
        {"safe": 0.0, "controversial": 0.5, "unsafe": 1.0}[verdict],
        None if refusal is None else refusal[1].lower() == "yes",
    )


def llama_guard(answer: str, tops: Mapping[str, float] | None = None) -> GuardAnswer:
    """Llama Guard 3 and 4: `safe`, or `unsafe` and a line of hazards.

    Args: tops are log-probabilities of the first token, where the engine gives them.
    Raises: Unreadable for anything else.
    """
    found = _LLAMA.match(answer)
    if found is None or (found[1].lower() == "safe" and found[2]):
        raise Unreadable("neither `safe` nor `unsafe` with hazards")
    codes = [code.strip().upper() for code in (found[2] or "").split(",") if code.strip()]
    if unknown := [code for code in codes if code not in _HAZARDS]:
        raise Unreadable(f"hazard {unknown[0]} is not known")
    unsafe = found[1].lower() == "unsafe"
    score = _share(tops, "unsafe", "safe")
    return GuardAnswer(
        "unsafe" if unsafe else "safe",
        tuple(_HAZARDS[code] for code in codes),
        float(unsafe) if score is None else score,
    )


def shieldgemma(answer: str, tops: Mapping[str, float] | None = None) -> GuardAnswer:
    """ShieldGemma: `Yes` (it violates the policy asked about) or `No`; its score is P(Yes).

    Raises: Unreadable for anything else.
    """
    found = _SHIELD.match(answer)
    if found is None:
        raise Unreadable("neither `Yes` nor `No`")
    score = _share(tops, "yes", "no")
    score = float(found[1].lower() == "yes") if score is None else score
    return GuardAnswer("unsafe" if score >= 0.5 else "safe", (), score)


PARSERS: Mapping[str, Callable[[str, Mapping[str, float] | None], GuardAnswer]] = {
    "qwen3guard-gen": qwen3guard,
    "llama-guard": llama_guard,
    "shieldgemma": shieldgemma,
}


class AskGuard(Protocol):
    """The call to the guard, made elsewhere: messages in, its answer out.

    Returns the answer and the log-probabilities of its first token (empty where not known).
    Raises: TimeoutError or OSError where the guard cannot be reached.
    """

    def __call__(
        self, messages: Sequence[Mapping[str, str]]
    ) -> tuple[str, Mapping[str, float]]: ...


class Guard:
    """A guard model behind the protocol of detectors.

    Args: form is a key of PARSERS; `controversial` says what that verdict of Qwen3Guard counts as.
    Raises: KeyError for a form that is not known.
    """

    def __init__(
        self, form: str, ask: AskGuard, *, model: str, threshold: float = 0.5,
        controversial: Literal["safe", "unsafe"] = "unsafe",
    ) -> None:  # fmt: skip
        self._parse, self._ask = PARSERS[form], ask
        self._threshold, self._controversial = threshold, controversial
        self.name = "guard"
        self.version = f"guard-1-{form}-{model}"

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """A client's text is judged as a prompt, everything else as a response."""
        role = "assistant" if channel != "content" else "user"
        try:
            answer, tops = self._ask([{"role": role, "content": text}])
            read = self._parse(answer, tops)
        except Unreadable as error:
            return unjudged(self.name, self.version, f"the guard's answer cannot be read: {error}")
        except (TimeoutError, OSError) as error:
            return unjudged(
                self.name, self.version, f"the guard could not be asked: {type(error).__name__}"
            )
        counts = read.verdict == "unsafe" or (
            read.verdict == "controversial" and self._controversial == "unsafe"
        )
        found = counts and read.score >= self._threshold
        kinds = read.categories or ("unsafe",)
        return Judgement(
            detector=self.name, version=self.version, status="found" if found else "clear", score=read.score,
            findings=tuple(
                Finding(detector=self.name, rule=read.verdict, kind=kind, start=0, end=len(text), score=read.score)
                for kind in kinds
            ) if found else (),
        )  # fmt: skip


def _name(category: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", category.strip().lower()).strip("_")


def _share(tops: Mapping[str, float] | None, yes: str, no: str) -> float | None:
    """P(yes) among the two words, from log-probabilities of the first token; None: not known."""
    if not tops:
        return None
    sums = {yes: 0.0, no: 0.0}
    for token, logprob in tops.items():
        word = token.strip().lower()
        if word in sums:
            sums[word] += math.exp(logprob)
    whole = sums[yes] + sums[no]
    return sums[yes] / whole if whole > 0.0 else None
