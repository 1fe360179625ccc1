"""Logs that Inspect reads: one JSON document, or its `.eval` archive with a file a sample."""

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import msgspec

from pointsman.evals.sample import Sample, Score
from pointsman.evaluating.exporting.bundle import Bundle, plain, text_of

_VERSION = 2  # of the log's format
_STOPPED = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls",
            "content_filter": "content_filter"}  # fmt: skip


def inspect_json(bundle: Bundle) -> bytes:
    """The whole log as one document."""
    return msgspec.json.encode({**_header(bundle), "samples": _samples(bundle)})


def inspect_archive(bundle: Bundle) -> bytes:
    """The log as an archive: header, summaries, a file a sample."""
    samples, header, out = _samples(bundle), _header(bundle), io.BytesIO()
    start = {name: header[name] for name in ("version", "eval", "plan")}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "_journal/start.json", start)
        for sample in samples:
            _put(archive, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
        _put(archive, "summaries.json", [_summary(sample) for sample in samples])
        _put(archive, "header.json", header)
    return out.getvalue()


def _put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))  # the same run, the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, msgspec.json.encode(value))


def _header(bundle: Bundle) -> dict[str, Any]:
    run = bundle.run
    return {
        "version": _VERSION,
        "status": "success" if run.status == "complete" else "cancelled",
        "eval": {
            "eval_id": run.id,
            "run_id": run.id,
            "created": _time(run.started_us),
            "task": run.suite,
            "task_id": run.suite_digest,
            "task_version": 0,
            "task_attribs": {},
            "task_args": {},
            "dataset": {"name": run.suite, "samples": run.cases,
                        "sample_ids": [_file_id(case) for case in bundle.cases]},
            "model": f"pointsman/{run.subject.name}",
            "model_args": {},
            "model_generate_config": {},
            "config": {"epochs": run.epochs},
            "packages": {"pointsman": run.version},
            "metadata": {"subject": msgspec.to_builtins(run.subject), "note": run.note},
            "scorers": [{"name": name, "options": {}, "metrics": [], "metadata": {}}
                        for name in bundle.scorers],
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": _results(bundle),
        "stats": {"started_at": _time(run.started_us),
                  "completed_at": _time(run.ended_us or run.started_us), "model_usage": {}},
    }  # fmt: skip


def _results(bundle: Bundle) -> dict[str, Any]:
    scores = []
    for name in bundle.scorers:
        known = [each for each in (s.outcome(name, ()) for s in bundle.samples) if each is not None]
        mean = sum(known) / len(known) if known else 0.0
        metric = {"name": "mean", "value": mean, "params": {}}
        scores.append({"name": name, "scorer": name, "params": {}, "metrics": {"mean": metric},
                       "scored_samples": len(known),
                       "unscored_samples": len(bundle.samples) - len(known)})  # fmt: skip
    answered = sum(sample.status == "answered" for sample in bundle.samples)
    return {"total_samples": bundle.run.planned, "completed_samples": answered, "scores": scores}


def _samples(bundle: Bundle) -> list[dict[str, Any]]:
    return [_sample(bundle, sample) for sample in bundle.samples]


def _sample(bundle: Bundle, sample: Sample) -> dict[str, Any]:
    case = bundle.cases.get(sample.case)
    asked = [_message(each) for each in (case.first_messages if case else ())]
    said = [_message(each) for each in sample.transcript]
    if not said and sample.status == "answered":
        said = [{"role": "assistant", "content": sample.answer, "source": "generate"}]
    usage = None
    if sample.usage is not None:
        count = sample.usage
        usage = {"input_tokens": count.prompt_tokens, "output_tokens": count.completion_tokens,
                 "total_tokens": count.prompt_tokens + count.completion_tokens}  # fmt: skip
    choices = []
    if sample.status == "answered":
        stopped = _STOPPED.get(sample.finish_reason or "stop", "unknown")
        answer = {"role": "assistant", "content": sample.answer, "source": "generate"}
        choices = [{"message": answer, "stop_reason": stopped}]
    made: dict[str, Any] = {
        "id": _file_id(sample.case),
        "epoch": sample.epoch + 1,
        "input": asked or "",
        "target": "" if case is None or case.expected is None else plain(case.expected),
        "messages": [*asked, *said],
        "output": {
            "model": " ".join(sample.deployments) or bundle.run.subject.name,
            "choices": choices,
            "completion": sample.answer,
            "usage": usage,
            "time": sample.latency_ms / 1000,
        },
        "scores": {score.name: _score(score) for score in sample.scores
                   if score.status == "scored"},
        "metadata": {**sample.tags, "pointsman": {"cluster": sample.cluster or sample.case,
                     "traces": sample.traces, "cost_usd_picos": sample.total_cost_usd_picos}},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
        "total_time": sample.latency_ms / 1000,
    }  # fmt: skip
    if sample.status == "missing":
        made["error"] = {"message": sample.reason or "no answer", "traceback": "",
                         "traceback_ansi": ""}  # fmt: skip
    return made


def _score(score: Score) -> dict[str, Any]:
    value: Any = score.value
    if score.passed is not None and (value is None or value in (0.0, 1.0)):
        value = "C" if score.passed else "I"
    return {"value": value if value is not None else 0.0, "explanation": score.detail}


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "target", "scores", "metadata", "model_usage", "total_time")
    error = sample.get("error")
    return {**{name: sample[name] for name in kept}, "completed": error is None,
            **({"error": error["message"]} if error else {})}  # fmt: skip


def _message(message: dict[str, Any]) -> dict[str, Any]:
    role = message.get("role")
    known = role if role in ("system", "user", "assistant", "tool") else "user"
    return {"role": known, "content": text_of(message)}


def _file_id(case: str) -> str:
    """A case's id as a part of an archive's path."""
    return case.replace("/", "_").replace("\\", "_") or "_"


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, tz=UTC).isoformat()
