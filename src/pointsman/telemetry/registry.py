"""Counts by metric and labels: numbers that a request adds to, and how those of processes add up.

Whoever counts keeps the cell it was given: labels are looked at once, when a cell is made.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from pointsman.telemetry.table import FAMILIES, LABELS, NONE, OTHER, Family

_MOST_CHARS = 128  # of a label's value
_WIRE_INT = 2**63  # msgpack has no larger integer; those travel as text
Labels = tuple[str, ...]  # values, in the order of the family's labels


class Cell:
    """One number, in parts of its family's unit."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def numbers(self) -> list[int]:
        """What it counted, for `take` of another."""
        return [self.value]

    def take(self, numbers: Sequence[int]) -> None:
        """Add what another counted."""
        self.value += numbers[0]


class Buckets:
    """Counts by bucket (not cumulative; the last has no bound), and the sum, all in parts."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def add(self, value: int) -> None:
        """One observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def numbers(self) -> list[int]:
        """What it counted, for `take` of another."""
        return [*self.counts, self.total]

    def take(self, numbers: Sequence[int]) -> None:
        """Add what another counted in the same buckets."""
        self.counts = [a + b for a, b in zip(self.counts, numbers[:-1], strict=True)]
        self.total += numbers[-1]


class _Snapshot(msgspec.Struct, frozen=True):
    """Everything counted by one process, as it travels to another of the same version."""

    families: dict[str, list[tuple[Labels, list[int | str]]]]


class Registry:
    """Every count of one process, or of several added up. Made in one thread, read from any."""

    def __init__(self) -> None:
        self._cells: dict[str, dict[Labels, Cell | Buckets]] = {name: {} for name in FAMILIES}
        self._seen: dict[str, set[str]] = {
            name: set() for name, label in LABELS.items() if label.values is None
        }

    def counter(self, family: Family, *values: str) -> Cell:
        """The number of a counter or gauge under these labels; values without a place are
        `other`."""
        cell = self._cell(family, values)
        assert isinstance(cell, Cell), f"{family.name} is a histogram"
        return cell

    def histogram(self, family: Family, *values: str) -> Buckets:
        """The buckets of a histogram under these labels."""
        cell = self._cell(family, values)
        assert isinstance(cell, Buckets), f"{family.name} is no histogram"
        return cell

    def bounded(self, label: str, value: str) -> str:
        """What the label says of a value: itself while it has a place, else `other`."""
        said = LABELS[label]
        if said.values is not None:
            return value if value in said.values else OTHER
        seen = self._seen[label]
        if value in seen or value in (OTHER, NONE):
            return value
        if len(seen) >= said.most or len(value) > _MOST_CHARS or not value.isprintable():
            return OTHER
        seen.add(value)
        return value

    def everything(self) -> Iterator[tuple[Family, list[tuple[Labels, Cell | Buckets]]]]:
        """The families with what was counted, in the order of the table."""
        for name, family in FAMILIES.items():
            yield family, list(self._cells[name].items())

    def snapshot(self, *, gauges: bool = True) -> bytes:
        """All counts, for `add` of a registry in another process."""
        return msgspec.msgpack.encode(
            _Snapshot(
                {
                    family.name: [(labels, _wire(cell.numbers())) for labels, cell in cells]
                    for family, cells in self.everything()
                    if cells and (gauges or family.kind != "gauge")
                }
            )
        )

    def add(self, snapshot: bytes) -> None:
        """Count what another process counted as well."""
        for name, cells in _decode(snapshot).families.items():
            for labels, numbers in cells:
                self._cell(FAMILIES[name], labels).take([int(each) for each in numbers])

    def _cell(self, family: Family, values: Labels) -> Cell | Buckets:
        named = zip(family.labels, values, strict=True)
        labels = tuple([self.bounded(label, value) for label, value in named])
        cells = self._cells[family.name]
        cell = cells.get(labels)
        if cell is None:
            made = Buckets(family.bounds) if family.kind == "histogram" else Cell()
            cell = cells[labels] = made
        return cell


_decode = msgspec.msgpack.Decoder(_Snapshot).decode


def _wire(numbers: list[int]) -> list[int | str]:
    return [each if -_WIRE_INT < each < _WIRE_INT else str(each) for each in numbers]
