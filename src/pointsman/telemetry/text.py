"""Counts in Prometheus' text format, version 0.0.4."""

from collections.abc import Iterator
from itertools import accumulate

from pointsman.telemetry.registry import Buckets, Cell, Labels, Registry
from pointsman.telemetry.table import Family


def text(registry: Registry) -> bytes:
    """Everything the registry counted. Safe from any thread, beside one that counts."""
    lines: list[str] = []
    for family, cells in registry.everything():
        name = family.name + "_total" if family.kind == "counter" else family.name
        lines.append(f"# HELP {name} {_help(family.meaning)}")
        lines.append(f"# TYPE {name} {family.kind}")
        for labels, cell in cells:
            lines += _samples(family, name, labels, cell)
    return ("\n".join(lines) + "\n").encode()


def _samples(family: Family, name: str, labels: Labels, cell: Cell | Buckets) -> Iterator[str]:
    pairs = sorted(zip(map(label_name, family.labels), map(_escaped, labels), strict=True))
    said = [f'{key}="{value}"' for key, value in pairs]
    shown = f"{{{','.join(said)}}}" if said else ""
    if isinstance(cell, Cell):
        yield f"{name}{shown} {_number(cell.value, family)}"
        return
    counts = cell.counts.copy()  # of one moment
    bounds = [*(repr(bound / family.per_unit) for bound in family.bounds), "+Inf"]
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        buckets = ",".join([*said, f'le="{bound}"'])
        yield f"{name}_bucket{{{buckets}}} {float(count)!r}"
    yield f"{name}_count{shown} {float(sum(counts))!r}"
    yield f"{name}_sum{shown} {_number(cell.total, family)}"


def label_name(attribute: str) -> str:
    """Prometheus' name of a label that has OpenTelemetry's."""
    return attribute.replace(".", "_")


def _number(parts: int, family: Family) -> str:
    try:
        return repr(parts / family.per_unit)
    except OverflowError:  # no float is so large
        return "+Inf"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _help(meaning: str) -> str:
    return meaning.replace("\\", r"\\").replace("\n", r"\n")
