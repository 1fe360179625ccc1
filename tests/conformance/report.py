"""What a run found, as a table for people and as JSON for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.conformance.suite import Result

_SIGN = {"pass": "ok", "fail": "FAIL", "absent": "–"}


def as_json(url: str, results: Sequence[Result]) -> dict[str, Any]:
    """Counts, and every cell: what was expected and what came where they differ."""
    return {
        "gateway": url,
        "counts": dict(sorted(Counter(result.status for result in results).items())),
        "cases": [
            {
                "name": result.case.name, "group": result.case.group,
                "shape": result.case.shape, "surface": result.case.surface,
                "status": result.status, "what": result.what,
                "expected": result.expected, "got": result.got,
            }
            for result in results
        ],
    }  # fmt: skip


def as_text(results: Sequence[Result]) -> str:
    """One table for each group, shapes down and surfaces across; then what differed."""
    parts = [table for group in _groups(results) for table in _table(group, results)]
    parts += [_difference(result) for result in results if result.status == "fail"]
    absent = sorted({result.what for result in results if result.status == "absent"})
    if absent:
        parts.append("absent: " + "; ".join(absent))
    counts = Counter(result.status for result in results)
    parts.append(
        f"{counts['pass']} of {len(results)} cases pass, {counts['fail']} fail, "
        f"{counts['absent']} are about what the gateway does not have"
    )
    return "\n\n".join(parts)


def _groups(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.case.group for result in results))


def _table(group: str, results: Sequence[Result]) -> Iterator[str]:
    cells = {
        (result.case.shape, result.case.surface): _SIGN[result.status]
        for result in results if result.case.group == group
    }  # fmt: skip
    shapes = list(dict.fromkeys(shape for shape, _ in cells))
    surfaces = list(dict.fromkeys(surface for _, surface in cells))
    rows = [[group, *surfaces]]
    rows += [[shape, *(cells.get((shape, each), "") for each in surfaces)] for shape in shapes]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    yield "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _difference(result: Result) -> str:
    lines = [f"FAIL {result.case.name}", f"  {result.what}"]
    if result.expected:
        lines.append(f"  expected  {result.expected}")
    if result.got:
        lines.append(f"  got       {result.got}")
    return "\n".join(lines)
