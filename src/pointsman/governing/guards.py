"""Guard models as detectors: what one said when it was asked, or what a test says in its place.

Asking is elsewhere (`answering/guarding.py`): it is I/O, and done before policies judge.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from pointsman.domain.policies import Channel
from pointsman.domain.task import GuardSettings
from pointsman.domain.verdict import Finding, Judgement
from pointsman.policy.detectors.guards import PARSERS, GuardAnswer, Unreadable
from pointsman.policy.detectors.names import names, placed
from pointsman.policy.finding import Detector
from pointsman.policy.registry import Registry

PREFIX = "guard/"  # before a guard's name, where a policy uses it
FORMS: Mapping[str, Callable[[str, Mapping[str, float] | None], GuardAnswer]] = {
    **PARSERS,
    "names": names,
}


class Question(NamedTuple):
    """What a guard is asked about."""

    guard: str
    text: str
    answers: bool  # it is judged as a model's answer, not as a person's words


Known = dict[Question, GuardAnswer | str]  # what was said, or why that is not known
_said: ContextVar[Known | None] = ContextVar("guards_said")
_scripted: ContextVar[Mapping[str, str] | None] = ContextVar("guards_scripted", default=None)


def forget() -> None:
    """A new request: nothing was said yet."""
    _said.set({})


def known() -> Known:
    """What guards said in this request; more is written into it."""
    found = _said.get(None)
    assert found is not None, "a request begins with nothing said"
    return found


@contextmanager
def scripted(answers: Mapping[str, str]) -> Iterator[None]:
    """Within, each of these guards gives its answer to every text, and no other guard any."""
    token = _scripted.set(answers)
    try:
        yield
    finally:
        _scripted.reset(token)


def answered(settings: GuardSettings, answer: str) -> GuardAnswer | str:
    """A guard's answer as read, or why it cannot be."""
    try:
        return FORMS[settings.form](answer, None)
    except Unreadable as error:
        return f"the guard's answer cannot be read: {error}"


class GuardModel:
    """A detector whose judgement was fetched before: `name` is the guard's."""

    by_segment = False  # it looks at whole texts
    asked = True  # before it is, it knows nothing

    def __init__(self, settings: GuardSettings) -> None:
        assert settings.form in FORMS, "the configuration names a form there is"
        self.settings = settings
        self.name = PREFIX + settings.name
        self.version = f"{settings.form}@{settings.deployment}"

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """What the guard said of this text when it was asked for it in this request."""
        script = _scripted.get()
        if script is not None:
            answer = script.get(self.settings.name)
            if answer is None:
                return self._unjudged(f"the test does not say what {self.name} answers")
            return self._judged(answered(self.settings, answer), text)
        told = _said.get(None) or {}
        for answers in (True, False):
            said = told.get(Question(self.settings.name, text, answers))
            if said is not None:
                return self._judged(said, text)
        return self._unjudged("the guard was not asked")

    def _unjudged(self, reason: str) -> Judgement:
        return Judgement(detector=self.name, version=self.version, status="unjudged", reason=reason)

    def _judged(self, said: GuardAnswer | str, text: str) -> Judgement:
        if isinstance(said, str):
            return self._unjudged(said)
        if self.settings.form == "names":
            return self._of_names(said, text)
        settings = self.settings
        counts = said.verdict == "unsafe" or (
            said.verdict == "controversial" and settings.controversial == "unsafe"
        )
        if not counts or said.score < settings.threshold:
            return Judgement(
                detector=self.name, version=self.version, status="clear", score=said.score
            )
        spans = [(kind, 0, len(text)) for kind in said.categories or ("unsafe",)]
        return self._found(spans, rule=said.verdict, score=said.score)

    def _of_names(self, said: GuardAnswer, text: str) -> Judgement:
        """Names that stand in the text. A model that gave only others did not read it."""
        try:
            spans = placed(said.named, text)
        except Unreadable as error:
            return self._unjudged(f"the guard's answer cannot be used: {error}")
        if said.named and not spans:
            return self._unjudged("none of the names that the guard gave stands in the text")
        if not spans:
            return Judgement(detector=self.name, version=self.version, status="clear")
        return self._found(spans, rule="named", score=1.0)

    def _found(
        self, spans: list[tuple[str, int, int]], *, rule: str, score: float
    ) -> Judgement:  # fmt: skip
        findings = tuple(
            Finding(detector=self.name, rule=rule, kind=kind, start=start, end=end, score=score)
            for kind, start, end in spans
        )
        return Judgement(
            detector=self.name, version=self.version, status="found", score=score,
            findings=findings,
        )  # fmt: skip


def registry_of(guards: Mapping[str, GuardSettings]) -> Registry:
    """Every detector that policies may use under a configuration that declares these guards."""
    return Registry({PREFIX + name: _always(GuardModel(each)) for name, each in guards.items()})


def _always(detector: Detector) -> Callable[[], Detector]:
    return lambda: detector
