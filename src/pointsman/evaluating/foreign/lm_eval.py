"""lm-evaluation-harness's samples (`--log_samples`), one JSON object a line, in our words."""

from pathlib import Path
from typing import Any

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.evals.case import Case
from pointsman.evals.sample import Sample
from pointsman.evaluating.foreign.imported import Imported, number, score_of

_MOST_LINE = 64 << 20
_MOST_LINES = 2_000_000
_TAGGED = 200  # characters of a field of the document that becomes a tag
_Any = dict[str, Any]


def read_lm_eval(path: Path) -> Imported:
    """A line a document and filter; of several filters the metrics carry the filter's name.

    Metrics are means over a document's repeats, so that each document is one sample.
    Raises: UsageError for a line that is none of theirs.
    """
    lines: dict[str, list[_Any]] = {}
    with path.open("rb") as file:
        for at, line in enumerate(file, 1):
            if at > _MOST_LINES or len(line) > _MOST_LINE:
                raise UsageError(f"{path}:{at} is more than is read", next="split the file")
            if line.strip():
                found = _line(line, path, at)
                lines.setdefault(str(found["doc_id"]), []).append(found)
    filters = {str(each.get("filter", "none")) for its in lines.values() for each in its}
    cases, samples = [], []
    for doc, its in lines.items():
        case = _case(doc, its[0])
        cases.append(case)
        samples.append(_sample(case, its, several=len(filters) > 1))
    task, model = _names(path)
    return Imported(suite=task, subject=model, cases=tuple(cases), samples=tuple(samples))


def _line(line: bytes, path: Path, at: int) -> _Any:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}:{at} is no JSON", why=str(error)) from error
    if not isinstance(found, dict) or "doc_id" not in found or "resps" not in found:
        raise UsageError(
            f"{path}:{at} is no sample of lm-evaluation-harness",
            why="it has no doc_id and resps",
            next="give it the file samples_TASK_TIME.jsonl that --log_samples wrote",
        )
    return found


def _case(doc: str, line: _Any) -> Case:
    about = line.get("doc")
    tags = {
        name: str(value) for name, value in (about if isinstance(about, dict) else {}).items()
        if isinstance(value, str | int | bool) and len(str(value)) <= _TAGGED
        and name not in ("question", "answer", "id")
    }  # fmt: skip
    target = line.get("target")
    return Case(
        id=doc,
        messages=({"role": "user", "content": _asked(line)},),
        expected=target if target != "" else None,
        tags=tags,
    )


def _asked(line: _Any) -> str:
    """The prompt of the first request: newer logs name the arguments, older ones list them."""
    given = line.get("arguments")
    if isinstance(given, dict) and given:
        first = next(iter(given.values()))
        given = first.get("arg_0") if isinstance(first, dict) else first
    while isinstance(given, list) and given:
        given = given[0]
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


def _sample(case: Case, lines: list[_Any], *, several: bool) -> Sample:
    scores = []
    for line in lines:
        suffix = f",{line.get('filter', 'none')}" if several else ""
        for name in line.get("metrics") or []:
            value = line.get(str(name))
            scores.append(score_of(f"{name}{suffix}", number(value)))
    said = _said(lines[0])
    return Sample(
        case=case.id,
        cluster=case.group,
        tags=case.tags,
        status="answered" if said is not None else "missing",
        reason="" if said is not None else "no response was logged",
        answer=said or "",
        scores=tuple(scores),
    )


def _said(line: _Any) -> str | None:
    """The first filtered response; of a choice by likelihood, all of them as they stand."""
    said = line.get("filtered_resps") or line.get("resps")
    if not said:
        return None
    first = said[0] if isinstance(said, list) else said
    while isinstance(first, list) and len(first) == 1:
        first = first[0]
    return first if isinstance(first, str) else msgspec.json.encode(said).decode()


def _names(path: Path) -> tuple[str, str]:
    """Task and model, from samples_TASK_TIME.jsonl in a folder that is named after the model."""
    task = path.stem.removeprefix("samples_")
    head, _, time = task.rpartition("_")
    if head and time[:4].isdigit() and "-" in time:
        task = head
    folder = path.resolve().parent.name
    return task or "lm-eval", folder.replace("__", "/") or "unknown"
