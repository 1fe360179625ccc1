"""Where tables may be on a page: frames, stacks of level lines, and runs of lines in parts."""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pointsman.evidence.layout.boxes import Box, Line, Rule, Word, around, lines_of
from pointsman.evidence.layout.ruling import frames, stacks

PARTS = 0.9  # heights of a line between two parts of it, where it is asked if it is a table's
_LEADERS = re.compile(r"(?:\.\s?){5,}")
_BULLET = re.compile(r"^(?:[•●▪■◦‣\-–—*·oØ]|\(?\w{1,3}[.)]|\[\d+\]|\d+(?:\.\d+)*\.?|[ivxlc]+\.)$")
_FAR = 2.6  # heights of a line: what is further apart is no longer the same


def framed(words: Sequence[Word], rules: Sequence[Rule]) -> list[tuple[Box, list[Rule]]]:
    """Boxes that lines draw, with something in them; the innermost where they lie in each other."""
    found = []
    for box, group in frames(rules):
        if box.width < 30 or box.height < 12:
            continue
        inside = sum(box.holds(*word.box.middle) for word in words)
        if inside >= 4:
            found.append((box, group))
    return found


def stacked(words: Sequence[Word], rules: Sequence[Rule]) -> list[tuple[Box, list[Rule]]]:
    """Stacks of level lines whose lines of text come in parts."""
    found = []
    for _, group in stacks(rules):
        parts = _split_stack(words, sorted(group, key=lambda rule: rule.at))
        found += [(around(Box(r.start, r.at, r.end, r.at) for r in part), part) for part in parts]
    return found


def _split_stack(words: Sequence[Word], group: Sequence[Rule]) -> list[list[Rule]]:
    """Lines of a stack that belong together: what lies between two of them is a table's.

    A band with one short line of text says nothing: it is in where both its neighbours are.
    """
    kinds = [_kind(words, one, two) for one, two in pairwise(group)]
    found: list[list[Rule]] = []
    i = 0
    while i < len(kinds):
        if kinds[i] != "table":
            i += 1
            continue
        last = i
        for j in range(i + 1, len(kinds)):
            if kinds[j] == "table":
                last = j
            elif kinds[j] == "other" or j - last > 2:
                break
        found.append(list(group[i : last + 2]))
        i = last + 1
    return found


def _kind(words: Sequence[Word], one: Rule, two: Rule) -> str:
    """What lies between two lines: "table", "short" or "other"."""
    zone = Box(min(one.start, two.start) - 2, one.at, max(one.end, two.end) + 2, two.at)
    inside = [word for word in words if zone.holds(*word.box.middle)]
    if not inside:
        return "short" if zone.height < 20 else "other"
    lines = lines_of(inside, gap=PARTS)
    if any(line.size * _FAR * 1.5 < below.box.top - line.box.bottom
           for line, below in pairwise(lines)):  # fmt: skip
        return "other"
    parts = sum(len(line.segments) >= 2 for line in lines)
    if parts >= 0.5 * len(lines) or (len(lines) <= 2 and parts >= 1):
        return "table"
    short = all(line.box.width < 0.7 * zone.width for line in lines)
    return "short" if len(lines) <= 2 and short else "other"


def runs(words: Sequence[Word]) -> list[list[Line]]:
    """Runs of lines in parts, with what stands between them and heads them."""
    lines = lines_of(words, gap=PARTS)
    spans: list[tuple[int, int]] = []  # first and last line in parts
    first = last = -1
    for i, line in enumerate(lines):
        if first >= 0 and (
            line.box.top - lines[i - 1].box.bottom > _FAR * line.size
            or i - last > 3
            or (not is_tabular(line) and _is_prose(line, lines[first : last + 1]))
        ):
            spans.append((first, last))
            first = -1
        if is_tabular(line):
            first, last = (i, i) if first < 0 else (first, i)
    if first >= 0:
        spans.append((first, last))
    return [lines[_headed(lines, first, last) : last + 1] for first, last in spans]


def _headed(lines: Sequence[Line], first: int, last: int) -> int:
    """Where a run begins with the lines over it that head some of its columns."""
    box = around(line.box for line in lines[first : last + 1])
    at = first
    for i in range(first - 1, max(-1, first - 4), -1):
        line, below = lines[i], lines[i + 1]
        aside = abs(line.box.middle[0] - box.middle[0]) > 0.08 * box.width
        if (
            below.box.top - line.box.bottom > 0.9 * line.size
            or line.box.width > 0.7 * box.width
            or line.box.x0 < box.x0 + 0.15 * box.width
            or line.box.x1 > box.x1 + 5
            or not (aside or len(line.segments) > 1)
        ):
            break
        at = i
    return at


def is_tabular(line: Line) -> bool:
    """Whether a line comes in parts as a table's does; a list's or prose's does not."""
    parts = line.segments
    if len(parts) < 2:
        return False
    if len(parts) == 2 and _BULLET.match(parts[0].text):
        return False
    if (
        len(parts) == 2
        and _LEADERS.search(parts[0].text + parts[1].text[:12]) is not None
        and (re.fullmatch(r"[.\s]*\w{1,4}", parts[1].text))
    ):
        return False
    return median(len(part.words) for part in parts) <= 7


def _is_prose(line: Line, run: Sequence[Line]) -> bool:
    box = around(each.box for each in run)
    return line.box.width > 0.75 * box.width and len(line.words) > 6
