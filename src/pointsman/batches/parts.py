"""The answers of a batch as they come, in parts; and its files, made of them at the end.

A runner appends to a part of its own, named by its turn, one line a row. Who comes after a killed
one reads every part: what stands there whole is done and is not asked again. A row that two
runners wrote is taken once, so an output holds every line at most once whatever died when.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pointsman.batches.lines import (
    LINE_MOST,
    Checked,
    Line,
    check_input,
    found_row,
    kept_row,
    lines_of,
)
from pointsman.batches.store import Growing, Store


class Done(NamedTuple):
    """What the parts of a batch hold."""

    numbers: frozenset[int]
    completed: int
    failed: int


class Part:
    """The part of one turn, to append to. For one writer."""

    def __init__(self, path: Path) -> None:
        """Open it. What a killed writer left half written is closed off. Raises: OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def append(self, number: int, row: bytes, *, good: bool) -> None:
        """The row is in the kernel once this returns. Raises: OSError, and it may be half there."""
        left = memoryview(kept_row(number, row, good=good))
        while left:
            left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """No row comes any more."""
        os.close(self._file)


class Written(NamedTuple):
    """The files of a batch at its end; one without rows is None."""

    output: Growing | None
    errors: Growing | None
    completed: int
    failed: int


def raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an input; of one that is too long, its beginning."""
    while raw := file.readline(LINE_MOST + 2):
        yield raw
        while len(raw) > LINE_MOST and not raw.endswith(b"\n") and raw:
            raw = file.readline(LINE_MOST + 2)


def check(store: Store, file: str, endpoint: str, *, most: int) -> Checked:
    """Whether a file is the input of a batch. Raises: OSError."""
    with store.open(file) as opened:
        return check_input(raw_lines(opened), endpoint, most=most)


def done(store: Store, batch: str) -> Done:
    """What was answered so far, by whoever. Raises: OSError."""
    numbers: dict[int, bool] = {}
    for path in store.parts(batch):
        with path.open("rb") as part:
            for raw in part:
                row = found_row(raw)
                if row is not None:
                    numbers.setdefault(row.number, row.good)
    completed = sum(numbers.values())
    return Done(frozenset(numbers), completed, len(numbers) - completed)


def write_files(
    store: Store,
    batch: str,
    *,
    file: str,
    endpoint: str,
    rest: Callable[[Line], bytes] | None,
) -> Written:
    """The output and the errors of a batch, in the order of its input; settled on the disk.

    Args: file is the input; rest makes the row of a line that was never answered; None: such
        lines are in neither.
    Raises: OSError, and nothing is left.
    """
    output, errors = store.begin(), store.begin()
    try:
        places, parts = _places(store, batch)
        counts = {True: 0, False: 0}
        opened = [path.open("rb") for path in parts]
        try:
            for number in sorted(places):
                where = places[number]
                opened[where.part].seek(where.start)
                row = opened[where.part].read(where.size)
                (output if where.good else errors).write(row)
                counts[where.good] += 1
        finally:
            for each in opened:
                each.close()
        if rest is not None:
            with suppress(FileNotFoundError), store.open(file) as source:
                for line in lines_of(raw_lines(source), endpoint, skip=frozenset(places)):
                    errors.write(rest(line) + b"\n")
                    counts[False] += 1
        output.settle()
        errors.settle()
    except BaseException:
        output.abandon()
        errors.abandon()
        raise
    kept = []
    for growing in (output, errors):
        if not growing.size:
            growing.abandon()
        kept.append(growing if growing.size else None)
    return Written(kept[0], kept[1], counts[True], counts[False])


class _Place(NamedTuple):
    part: int
    start: int
    size: int  # with the end of the line
    good: bool


def _places(store: Store, batch: str) -> tuple[dict[int, _Place], list[Path]]:
    places: dict[int, _Place] = {}
    parts = store.parts(batch)
    for index, path in enumerate(parts):
        at = 0
        with path.open("rb") as part:
            for raw in part:
                row = found_row(raw)
                if row is not None and row.number not in places:
                    start = at + row.start
                    places[row.number] = _Place(index, start, len(raw) - row.start, row.good)
                at += len(raw)
    return places, parts
