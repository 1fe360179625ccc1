"""lm-evaluation-harness's samples, as its `--log_samples` writes them: a JSON object a line."""

from hashlib import sha256
from typing import Any

import msgspec

from pointsman.evals.case import Case
from pointsman.evals.sample import Sample
from pointsman.evaluating.exporting.bundle import Bundle, plain, question


def lm_eval_samples(bundle: Bundle) -> bytes:
    """A line a case: its epochs are the repeats in `resps`, and metrics their means.

    A sample without an answer is an empty response, whose metrics are zero; `missing` counts them.
    """
    by_case: dict[str, list[Sample]] = {}
    for sample in bundle.samples:
        by_case.setdefault(sample.case, []).append(sample)
    lines = [
        msgspec.json.encode(_line(bundle, at, case, its))
        for at, (case, its) in enumerate(by_case.items())
    ]
    return b"".join(line + b"\n" for line in lines)


def _line(bundle: Bundle, at: int, case_id: str, samples: list[Sample]) -> dict[str, Any]:
    case = bundle.cases.get(case_id)
    asked, target = question(case), _target(case)
    doc = {"id": case_id, "question": asked, "answer": target}
    resps = [sample.answer for sample in samples]
    metrics = {name: _metric(name, samples) for name in bundle.scorers}
    return {
        "doc_id": at,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": asked, "arg_1": {}}},
        "resps": [resps],
        "filtered_resps": resps,
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": _digest(msgspec.json.encode(doc).decode()),
        "prompt_hash": _digest(asked),
        "target_hash": _digest(target),
        "missing": sum(sample.status == "missing" for sample in samples),
        **{name: value for name, value in metrics.items() if name not in _RESERVED},
    }


_RESERVED = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash", "missing",
}  # fmt: skip


def _metric(name: str, samples: list[Sample]) -> float:
    values = [sample.outcome(name, ()) or 0.0 for sample in samples]
    return sum(values) / len(values)


def _target(case: Case | None) -> str:
    return "" if case is None or case.expected is None else plain(case.expected)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
