"""Inspect's logs, as JSON or as its `.eval` archive, in our words."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pointsman.domain.errors import UsageError
from pointsman.domain.money import Usage
from pointsman.evals.case import Case
from pointsman.evals.sample import Sample, Score
from pointsman.evaluating.foreign.archives import unpacked
from pointsman.evaluating.foreign.imported import Imported, number, score_of

_WORDS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # correct, incorrect, partial, no answer
_ATTACHED = "attachment://"
_MOST_JSON = 2 << 30
_Any = dict[str, Any]


def read_inspect(path: Path) -> Imported:
    """Raises: UsageError for a file that is no log of Inspect, or one without its samples."""
    if path.suffix == ".eval":
        header, samples = _archive(path)
    else:
        if path.stat().st_size > _MOST_JSON:
            raise UsageError(f"{path} is larger than is read at once", next="log as .eval instead")
        header = _object(path.read_bytes(), path)
        samples = header.get("samples") or []
    return _imported(header, [each for each in samples if isinstance(each, dict)], path)


def _archive(path: Path) -> tuple[_Any, list[_Any]]:
    header: _Any = {}
    samples = []
    for name, data in unpacked(path, ""):
        if name == "header.json" or (name == "_journal/start.json" and not header):
            header = _object(data, path)
        elif name.startswith("samples/"):
            samples.append(_object(data, path))
    return header, samples


def _object(data: bytes, path: Path) -> _Any:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is no log of Inspect", why=str(error)) from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no log of Inspect", why="it is no JSON object")
    return found


def _imported(header: _Any, logged: list[_Any], path: Path) -> Imported:
    about = header.get("eval")
    if not isinstance(about, dict):
        raise UsageError(f"{path} is no log of Inspect", why="it has no 'eval'")
    stats = _dict(header.get("stats"))
    cases: dict[str, Case] = {}
    samples: list[Sample] = []
    for each in logged:
        case = _case(each)
        cases.setdefault(case.id, case)
        samples.append(_sample(each, case))
    epochs = max((sample.epoch + 1 for sample in samples), default=1)
    planned = number(_dict(header.get("results")).get("total_samples"))
    return Imported(
        suite=str(about.get("task") or path.stem),
        subject=str(about.get("model") or "unknown"),
        cases=tuple(cases.values()),
        samples=tuple(samples),
        epochs=epochs,
        planned=max(int(planned or 0), len(samples)),
        started_us=_us(stats.get("started_at") or about.get("created")),
        ended_us=_us(stats.get("completed_at")) or None,
        whole=header.get("status") == "success",
    )


def _case(each: _Any) -> Case:
    attached = _dict(each.get("attachments"))
    said = each.get("input")
    if isinstance(said, list):
        messages = tuple(_message(one, attached) for one in said if isinstance(one, dict))
    else:
        messages = ({"role": "user", "content": _text(said, attached)},)
    tags = {
        name: str(value) for name, value in _dict(each.get("metadata")).items()
        if isinstance(value, str | int | float | bool) and len(str(value)) <= 200
    }  # fmt: skip
    ours = _dict(_dict(each.get("metadata")).get("pointsman"))
    target = each.get("target")
    return Case(
        id=str(each.get("id")),
        messages=messages,
        expected=target if target != "" else None,
        tags=tags,
        cluster=str(ours["cluster"]) if ours.get("cluster") else None,
    )


def _sample(each: _Any, case: Case) -> Sample:
    attached = _dict(each.get("attachments"))
    output = _dict(each.get("output"))
    error = _dict(each.get("error"))
    choices = output.get("choices") or []
    stopped = choices[0].get("stop_reason") if choices and isinstance(choices[0], dict) else None
    scores = tuple(
        _score(str(name), score) for name, score in _dict(each.get("scores")).items()
    )  # fmt: skip
    ours = _dict(_dict(each.get("metadata")).get("pointsman"))
    limit = _dict(each.get("limit"))
    transcript = _transcript(each, len(case.messages), attached)
    return Sample(
        case=case.id,
        epoch=max(0, int(number(each.get("epoch")) or 1) - 1),
        cluster=case.group,
        tags=case.tags,
        status="missing" if error or not (choices or scores) else "answered",
        reason=str(error.get("message") or (limit and f"limit: {limit.get('type')}") or ""),
        answer=_text(output.get("completion"), attached),
        transcript=transcript,
        finish_reason={"max_tokens": "length"}.get(str(stopped), str(stopped)) if stopped else None,
        deployments=(str(output["model"]),) if output.get("model") else (),
        usage=_usage(_dict(output.get("usage"))),
        latency_ms=1000 * (number(each.get("working_time") or each.get("total_time")) or 0.0),
        cost_usd_picos=int(number(ours.get("cost_usd_picos")) or 0),
        at_us=_us(each.get("completed_at")),
        scores=scores,
    )


def _transcript(each: _Any, asked: int, attached: _Any) -> tuple[_Any, ...]:
    """What was said after the question, where it is more than one answer."""
    messages = [one for one in each.get("messages") or [] if isinstance(one, dict)]
    later = [_message(one, attached) for one in messages[asked:]]
    return tuple(later) if len(later) > 1 else ()


def _score(name: str, score: Any) -> Score:
    known = _dict(score)
    value, detail = known.get("value"), str(known.get("explanation") or "")[:2000]
    if isinstance(value, str) and value not in _WORDS:
        try:
            return score_of(name, number(float(value)), detail)
        except ValueError:
            return score_of(name, None, f"{value[:200]} {detail}".strip())
    return score_of(name, _WORDS[value] if isinstance(value, str) else number(value), detail)


def _usage(count: _Any) -> Usage | None:
    if not count:
        return None
    return Usage(
        prompt_tokens=int(number(count.get("input_tokens")) or 0),
        completion_tokens=int(number(count.get("output_tokens")) or 0),
        cached_tokens=int(number(count.get("input_tokens_cache_read")) or 0),
        reasoning_tokens=int(number(count.get("reasoning_tokens")) or 0),
    )


def _message(message: _Any, attached: _Any) -> _Any:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(
            _text(part.get("text"), attached) if isinstance(part.get("text"), str)
            else f"({part.get('type', 'part')})"
            for part in content if isinstance(part, dict)
        )  # fmt: skip
    return {"role": str(message.get("role") or "user"), "content": _text(content, attached)}


def _text(value: Any, attached: _Any) -> str:
    """Text, or what it refers to among the sample's attachments."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if text.startswith(_ATTACHED):
        return str(attached.get(text.removeprefix(_ATTACHED), text))
    return text


def _dict(value: Any) -> _Any:
    return value if isinstance(value, dict) else {}


def _us(value: Any) -> int:
    try:
        return int(datetime.fromisoformat(str(value)).timestamp() * 1e6)
    except (ValueError, OverflowError):
        return 0
