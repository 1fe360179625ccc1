"""The text of a PDF's page in reading order; only to be used in a bounded child."""

from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from pointsman.evidence.documents.pdfium_hidden import address
from pointsman.evidence.documents.pdfium_words import Place, box_of, characters
from pointsman.evidence.layout.boxes import Box

_MOST_RETURNS = 8  # jumps up a page, beyond what its columns need, before its order is mistrusted
_RAISED = 12  # letters: more are no raised or lowered ones
_HYPHEN = "\ufffe"  # pdfium's sign for a hyphen at the end of a line


class _Run(NamedTuple):
    """A line as pdfium gives it, with where its first and last letter stand among all."""

    text: str
    start: int
    end: int


def page_text(textpage: Any, place: Place, hidden: dict[int, Any]) -> tuple[str, bool]:
    """The page's text without what is hidden, and whether its order can be trusted.

    Words that a line's end breaks are whole; raised and lowered letters stand where they belong.
    """
    text = characters(textpage)
    if hidden:
        text = _without(textpage, text, hidden)
    runs = _runs(text)
    parts: list[str] = []
    returns, height = 0, 0.0
    before: _Run | None = None
    for run in runs:
        first = box_of(textpage, run.start, place)
        if place.hides(first):
            continue
        if before is not None:
            returns += first.bottom < height - 2 * max(first.height, 4)
            parts.append(_between(textpage, place, before, run, first, parts))
        before, height = run, first.top
        parts.append(run.text)
    return "".join(parts).replace(_HYPHEN, "-"), returns <= _MOST_RETURNS


def _without(textpage: Any, text: str, hidden: dict[int, Any]) -> str:
    return "".join(
        " " if address(pdfium.FPDFText_GetTextObject(textpage, i)) in hidden else letter
        for i, letter in enumerate(text)
    )


def _runs(text: str) -> list[_Run]:
    found: list[_Run] = []
    at = 0
    for line in text.split("\r\n"):
        said = line.strip()
        if said:
            start = at + line.index(said[0])
            found.append(_Run(said, start, start + len(said) - 1))
        at += len(line) + 2
    return found


def _between(
    textpage: Any, place: Place, one: _Run, two: _Run, right: Box, parts: list[str]
) -> str:
    """What stands between two lines: nothing, a space, or a line's end."""
    if min(len(one.text), len(two.text)) <= _RAISED:
        left = box_of(textpage, one.end, place)
        low = max(1.0, min(left.height, right.height))
        shared = min(left.bottom, right.bottom) - max(left.top, right.top)
        apart = right.x0 - left.x1
        if shared > 0.25 * low and -0.4 * low < apart < 1.5 * low:
            return "" if apart < 0.2 * low else " "
    if parts[-1].endswith(_HYPHEN) and two.text[0].islower():
        parts[-1] = parts[-1][:-1]
        return ""
    return "\n"
