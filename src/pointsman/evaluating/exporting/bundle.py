"""All that a file about a run is made from."""

from collections.abc import Iterable

import msgspec

from pointsman.evals.case import Case
from pointsman.evals.comparing import RunComparison
from pointsman.evals.gating import GateVerdict
from pointsman.evals.sample import Run, Sample


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its cases and samples; what its gate said and what it was compared with, if so."""

    run: Run
    cases: dict[str, Case]
    samples: tuple[Sample, ...]
    verdict: GateVerdict | None = None
    comparison: RunComparison | None = None

    @property
    def scorers(self) -> tuple[str, ...]:
        """Names of the scorers, in the suite's order."""
        named = [scorer.name for scorer in self.run.scorers]
        seen = dict.fromkeys(score.name for each in self.samples for score in each.scores)
        return tuple(dict.fromkeys([*named, *seen]))

    def word(self, sample: Sample) -> str:
        """`accepted`, `rejected`, `missing` or `unknown`."""
        if sample.status == "missing":
            return "missing"
        known = sample.accepted(self.run.required)
        return "unknown" if known is None else "accepted" if known else "rejected"


def bundle(
    run: Run,
    cases: Iterable[Case],
    samples: Iterable[Sample],
    *,
    verdict: GateVerdict | None = None,
    comparison: RunComparison | None = None,
) -> Bundle:
    """Samples in the order of cases and epochs, however they came."""
    by_id = {case.id: case for case in cases}
    order = {case: at for at, case in enumerate(by_id)}
    kept = sorted(samples, key=lambda each: (order.get(each.case, len(order)), each.case,
                                             each.epoch))  # fmt: skip
    return Bundle(run=run, cases=by_id, samples=tuple(kept), verdict=verdict, comparison=comparison)


def why(sample: Sample) -> str:
    """What did not pass, or why there is no answer, on one line."""
    if sample.status == "missing":
        return " ".join((sample.reason or "no answer").split())
    said = []
    for score in sample.scores:
        if score.status != "scored":
            said.append(f"{score.name}: {score.status} {score.detail}")
        elif score.passed is False:
            said.append(f"{score.name}: {score.detail or 'not passed'}")
    return " ".join("; ".join(said).split())


def question(case: Case | None) -> str:
    """The messages of a case, as people read them."""
    if case is None:
        return ""
    return "\n".join(f"{each.get('role', '?')}: {text_of(each)}" for each in case.first_messages)


def text_of(message: dict[str, object]) -> str:
    """The text of one message in OpenAI's shape; parts that are no text by their kind."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    said = []
    for part in content:
        if isinstance(part, dict):
            text = part.get("text")
            said.append(text if isinstance(text, str) else f"({part.get('type', 'part')})")
    return "\n".join(said)


def plain(value: object) -> str:
    """Any value on one line, as text."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
