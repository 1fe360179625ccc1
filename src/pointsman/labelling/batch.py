"""Labels from lines of JSON: the good ones recorded once, the others named."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pointsman.domain.errors import InvalidRequest, NotFound
from pointsman.labelling.desk import LabelDesk, check_rater

MOST_LINES = 100_000


class RefusedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was not recorded, and why."""

    line: int
    why: str


class TakenLabels(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file of labels."""

    recorded: int
    unchanged: int  # this rater had said the same
    refused: tuple[RefusedLine, ...]


def take_labels(
    desk: LabelDesk, lines: Iterable[str], *, rater: str, write: bool = True
) -> TakenLabels:
    """Record the labels of one rater. A line that says what the rater said before changes nothing.

    Raises: InvalidRequest for more than 100,000 lines, or a name of a rater that is none.
    """
    check_rater(rater)
    known = desk.labels_of(rater)
    recorded = unchanged = 0
    refused: list[RefusedLine] = []
    for number, line in enumerate(lines, 1):
        if number > MOST_LINES:
            raise InvalidRequest(f"more than {MOST_LINES} lines", next="give them in parts")
        if not line.strip():
            continue
        try:
            trace, word, edited, took_ms = _read(line)
            if known.get(trace) == (word, edited):
                unchanged += 1
                continue
            desk.label(trace, word, rater=rater, edited=edited, took_ms=took_ms, write=write)
            known[trace] = (word, edited)
            recorded += 1
        except (InvalidRequest, NotFound) as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            refused.append(RefusedLine(line=number, why=why))
    return TakenLabels(recorded=recorded, unchanged=unchanged, refused=tuple(refused))


def _read(line: str) -> tuple[str, Any, str | None, int | None]:
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("it is not JSON") from None
    if not isinstance(said, dict):
        raise InvalidRequest("it is not an object")
    trace, word = said.get("trace"), said.get("label")
    edited, took_ms = said.get("edited"), said.get("took_ms")
    if not isinstance(trace, str) or not isinstance(word, str):
        raise InvalidRequest("it needs `trace` and `label`, as texts")
    if edited is not None and not isinstance(edited, str):
        raise InvalidRequest("`edited` is a text")
    if took_ms is not None and (not isinstance(took_ms, int) or not 0 <= took_ms <= 2**40):
        raise InvalidRequest("`took_ms` is a whole number")
    return trace, word, edited, took_ms
