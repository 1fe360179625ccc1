"""A row a sample: CSV for spreadsheets, and the same columns for Parquet."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from pointsman.domain.money import usd
from pointsman.evaluating.exporting.bundle import Bundle, plain, question, why

# A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
_MOST_ROW = 256 << 20  # bytes
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns(bundle: Bundle) -> dict[str, list[Any]]:
    """Names to values, a value a sample; `score.NAME` is the number, `passed.NAME` the word."""
    samples = bundle.samples
    cases = [bundle.cases.get(each.case) for each in samples]
    made: dict[str, list[Any]] = {
        "run": [bundle.run.id] * len(samples),
        "suite": [bundle.run.suite] * len(samples),
        "subject": [bundle.run.subject.name] * len(samples),
        "case": [each.case for each in samples],
        "epoch": [each.epoch for each in samples],
        "cluster": [each.cluster or each.case for each in samples],
        "outcome": [bundle.word(each) for each in samples],
        "accepted": [each.accepted(bundle.run.required) for each in samples],
        "why": [why(each) for each in samples],
        "question": [question(case) for case in cases],
        "expected": [None if case is None or case.expected is None else plain(case.expected)
                     for case in cases],
        "answer": [each.answer for each in samples],
        "cost_usd": [usd(each.total_cost_usd_picos) for each in samples],
        "latency_ms": [each.latency_ms for each in samples],
        "prompt_tokens": [each.usage.prompt_tokens if each.usage else None for each in samples],
        "completion_tokens": [each.usage.completion_tokens if each.usage else None
                              for each in samples],
        "attempts": [each.attempts for each in samples],
        "cached": [each.cached for each in samples],
        "deployments": [" ".join(each.deployments) for each in samples],
        "traces": [" ".join(each.traces) for each in samples],
    }  # fmt: skip
    for tag in sorted({tag for each in samples for tag in each.tags}):
        made[f"tag.{tag}"] = [each.tags.get(tag) for each in samples]
    for name in bundle.scorers:
        scores = [next((s for s in each.scores if s.name == name), None) for each in samples]
        made[f"score.{name}"] = [score.value if score else None for score in scores]
        made[f"passed.{name}"] = [score.passed if score else None for score in scores]
    return made


def as_csv(bundle: Bundle) -> bytes:
    """UTF-8 with a heading; no cell begins so that a spreadsheet would run it."""
    made = columns(bundle)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in made])
    for row in zip(*made.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\ufffd")
    return "'" + text if text.startswith(_FORMULA) else text


_TYPES = {"epoch": "INTEGER", "attempts": "INTEGER", "prompt_tokens": "BIGINT",
          "completion_tokens": "BIGINT", "accepted": "BOOLEAN", "cached": "BOOLEAN",
          "cost_usd": "DOUBLE", "latency_ms": "DOUBLE"}  # fmt: skip


def write_parquet(bundle: Bundle, path: Path) -> None:
    """The same columns, typed. Raises: OSError where the file cannot be written."""
    import duckdb

    made = columns(bundle)
    types = {name: _type_of(name) for name in made}
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as rows:
        for row in zip(*made.values(), strict=True):
            rows.write(msgspec.json.encode(dict(zip(made, row, strict=True))) + b"\n")
        rows.flush()
        told = ", ".join(f"{_quoted(name)}: '{each}'" for name, each in types.items())
        target = str(path).replace("'", "''")
        connection = duckdb.connect(":memory:")
        try:
            connection.execute(
                f"COPY (SELECT * FROM read_json(?, format = 'newline_delimited', "  # noqa: S608
                f"columns = {{{told}}}, maximum_object_size = {_MOST_ROW})) "
                f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)",
                [rows.name],
            )
        except duckdb.IOException as error:
            raise OSError(str(error).splitlines()[0]) from error
        finally:
            connection.close()


def _type_of(name: str) -> str:
    kind, _, _ = name.partition(".")
    return {"score": "DOUBLE", "passed": "BOOLEAN"}.get(kind) or _TYPES.get(name, "VARCHAR")


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
