"""Labelled rows for a judge's card: from the journal, or from columns of a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pointsman.analytics.opinions import chances_of, opinions_of, samplings_of
from pointsman.domain.errors import UsageError
from pointsman.domain.judges import JudgeSpec
from pointsman.domain.ports import Reports
from pointsman.domain.records import Admission, End
from pointsman.evals.judging.card import Labelled, Seen, seen_of

_YES = frozenset({"1", "1.0", "true", "yes", "accept", "accepted", "pass"})
_NO = frozenset({"0", "0.0", "false", "no", "reject", "rejected", "edit", "edited", "fail"})
_LATELY = 5000  # requests that are held against those a card is of


def labelled_traffic(
    reports: Reports, spec: JudgeSpec, *, since_us: int, until_us: int
) -> tuple[list[Labelled], int]:
    """Requests that people labelled and this judge, as it is now, looked at.

    Returns: the rows, and how many labelled ones an earlier form of the judge had looked at.
    """
    span = {"since_us": since_us, "until_us": until_us}
    said = opinions_of(reports.query("opinions", span))
    chances = chances_of(samplings_of(reports.query("samplings")))
    both = {
        trace: one
        for trace, one in said.items()
        if one.label is not None and one.label != 0.5 and spec.name in one.judged
    }
    facts = _facts(reports, span, both.keys())
    rows, older = [], 0
    for trace, one in both.items():
        judged = one.judged[spec.name]
        if judged.maker != spec.digest:
            older += 1
            continue
        value = one.judge_value(spec.name)
        label = one.label
        assert label is not None, "only what has a label is here"
        size, tags = facts.get(trace, (None, {}))
        rows.append(
            Labelled(
                case=trace, human=label > 0.5, value=value, passed=passes(spec, value), chars=size,
                tags={"task": one.task, "tenant": one.tenant, **tags},
                chance=chances.get(trace, 1.0), cost_usd_picos=judged.cost_usd_picos,
                latency_ms=None if judged.took_ms is None else float(judged.took_ms),
            )
        )  # fmt: skip
    return rows, older


def seen_lately(reports: Reports, spec: JudgeSpec, *, since_us: int, until_us: int) -> Seen:
    """Lengths and verdicts of what the judge looked at: for whether its card still fits."""
    span = {"since_us": since_us, "until_us": until_us}
    said = opinions_of(reports.query("opinions", span))
    mine = [trace for trace, one in said.items() if spec.name in one.judged][-_LATELY:]
    facts = _facts(reports, span, set(mine))
    return seen_of(
        [(facts.get(trace, (None, {}))[0], said[trace].judge_value(spec.name)) for trace in mine]
    )


def passes(spec: JudgeSpec, value: float | None) -> bool | None:
    """Whether a value that a judge gave passes."""
    if value is None:
        return None
    if spec.scale is None:
        return None if value == 0.5 else value > 0.5
    low, high = spec.scale
    return value * (high - low) + low >= spec.passes_from - 1e-9


def _facts(
    reports: Reports, span: Mapping[str, Any], traces: Any
) -> dict[str, tuple[int | None, dict[str, str]]]:
    """Size of the answer and what it is told apart by, of these traces."""
    found: dict[str, tuple[int | None, dict[str, str]]] = {}
    if not traces:
        return found
    for row in reports.query("decisions", span):
        if row["trace"] not in traces or not row["end"]:
            continue
        end = msgspec.json.decode(row["end"], type=End)
        admission = msgspec.json.decode(row["admission"], type=Admission)
        tags = {"prompt": admission.prompt} if admission.prompt else {}
        if end.delivered is not None and end.delivered < len(end.attempts):
            tags["deployment"] = end.attempts[end.delivered].deployment
        found[row["trace"]] = (end.response.size if end.response else None, tags)
    return found


def labelled_columns(
    spec: JudgeSpec, columns: Mapping[str, Sequence[Any]], *, tags: Sequence[str] = ()
) -> list[Labelled]:
    """Rows of a file: `human` and `judge`; of pairs `human`, `as_given` and `swapped`.

    Args: of single answers `human` is yes or no and `judge` a number in [0, 1]; of pairs 1 stands
        for the first answer, 2 for the second, nothing for none. `chars`, `chance`, `case` and
        the columns named by tags are read where they are there.
    Raises: UsageError that names the row.
    """
    wanted = ("human", "as_given", "swapped") if spec.kind == "pairwise" else ("human", "judge")
    missing = [name for name in (*wanted, *tags) if name not in columns]
    if missing:
        raise UsageError(
            f"no column {', '.join(missing)}", next=f"it wants {', '.join(wanted)}; see --help"
        )
    size = len(columns["human"])
    return [
        _row(spec, {name: columns[name][at] for name in columns}, at, tags) for at in range(size)
    ]


def _row(spec: JudgeSpec, said: Mapping[str, Any], at: int, tags: Sequence[str]) -> Labelled:
    chars = said.get("chars")
    shared: dict[str, Any] = {
        "case": str(said.get("case", at)),
        "chars": int(chars) if isinstance(chars, int | float) else None,
        "chance": _chance(said.get("chance"), at),
        "tags": {name: str(said[name])[:64] for name in tags if said[name] is not None},
    }
    if spec.kind == "pairwise":
        first, second = _side(said["as_given"], at), _side(said["swapped"], at)
        human = _side(said["human"], at)
        if human is None or human == 0.5:
            raise UsageError(f"row {at + 1}: `human` is 1 or 2")
        both = first is not None and second is not None
        value = (first if first == second else 0.5) if both else None
        return Labelled(
            human=human == 1.0, value=value,
            passed=None if value is None or value == 0.5 else value == 1.0,
            orders=(first, second), **shared,
        )  # fmt: skip
    judge = said["judge"]
    value = None if judge is None else _value(judge, at)
    return Labelled(
        human=_yes(said["human"], at), value=value, passed=passes(spec, value), **shared
    )


def _yes(word: Any, at: int) -> bool:
    text = str(word).strip().lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise UsageError(f"row {at + 1}: `human` is neither yes nor no: {text[:40]!r}")


def _value(word: Any, at: int) -> float:
    if isinstance(word, bool):
        return float(word)
    if isinstance(word, int | float) and 0.0 <= word <= 1.0:
        return float(word)
    if isinstance(word, str) and word.strip().lower() in _YES | _NO:
        return float(word.strip().lower() in _YES)
    raise UsageError(f"row {at + 1}: `judge` is no number from 0 to 1: {str(word)[:40]!r}")


def _side(word: Any, at: int) -> float | None:
    if word is None or word == "":
        return None
    if str(word) in ("tie", "0", "0.5"):
        return 0.5
    if str(word) in ("1", "1.0", "first"):
        return 1.0
    if str(word) in ("2", "2.0", "second"):
        return 0.0
    raise UsageError(f"row {at + 1}: {str(word)[:40]!r} is neither 1 nor 2")


def _chance(word: Any, at: int) -> float:
    if word is None:
        return 1.0
    if isinstance(word, int | float) and 0.0 < word <= 1.0:
        return float(word)
    raise UsageError(f"row {at + 1}: `chance` lies in (0, 1]: {str(word)[:40]!r}")
