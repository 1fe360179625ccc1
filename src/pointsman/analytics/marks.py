"""What changed when: configurations as they came into force, models as engines named them; pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from pointsman.domain.records import ServedRecord

_SECTIONS: Mapping[str, str] = {
    "deployments": "deployment",
    "arms": "arm",
    "routes": "route",
    "prompts": "prompt",
    "tasks": "task",
    "policies": "policy",
    "guards": "guard",
}
_MOST_PATHS = 4  # of one thing, told one by one
_MOST_CHARS = 40  # of a value


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something changed: at `at_us`, or between the day before and then for models."""

    at_us: int
    kind: str  # deployment, route, prompt, task, policy, model, configuration
    name: str
    what: str
    digest: str = ""  # of the configuration that brought it


def configuration_marks(rows: Sequence[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """What each configuration changed against the one before, oldest first.

    Args: rows of the query `configs`, in any order. The first one is no change.
    """
    ordered = sorted(rows, key=lambda row: row["at_us"])
    found: list[Mark] = []
    before: Mapping[str, Any] | None = None
    digest = None
    for row in ordered:
        if row["digest"] == digest:
            continue  # the same one came into force again: a restart, another worker
        now = _read(row["text"])
        if before is not None:
            found += _changes(before, now, row["at_us"], row["digest"])
        before, digest = now, row["digest"]
    return tuple(found)


def model_marks(rows: Sequence[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """When a deployment began to answer as another model than the one before.

    Args: rows of the part `models` of sums, of any tasks and days.
    """
    firsts: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        key = (row["deployment"], row["name"])
        first, last = firsts.get(key, (row["first_us"], row["last_us"]))
        firsts[key] = (min(first, row["first_us"]), max(last, row["last_us"]))
    found = []
    for deployment in sorted({name for name, _ in firsts}):
        models = sorted(
            (first, model) for (name, model), (first, _) in firsts.items() if name == deployment
        )
        for (_, old), (at_us, new) in pairwise(models):
            found.append(Mark(at_us=at_us, kind="model", name=deployment, what=f"{old} → {new}"))
    return tuple(sorted(found, key=lambda mark: mark.at_us))


def identity_marks(records: Sequence[ServedRecord]) -> tuple[Mark, ...]:
    """When what a deployment serves turned out to be another than before."""
    known: dict[str, ServedRecord] = {}
    found = []
    for record in sorted(records, key=lambda each: each.at_us):
        before = known.get(record.deployment)
        if before is not None and before.id != record.id:
            what = _told(*(msgspec.to_builtins(each.identity) for each in (before, record)))
            found.append(
                Mark(at_us=record.at_us, kind="identity", name=record.deployment, what=what)
            )
        known[record.deployment] = record
    return tuple(found)


def around(marks: Sequence[Mark], at_us: int, *, before_us: int, after_us: int) -> tuple[Mark, ...]:
    """Those within so long of a moment, the nearest first."""
    near = [mark for mark in marks if at_us - before_us <= mark.at_us <= at_us + after_us]
    return tuple(sorted(near, key=lambda mark: abs(mark.at_us - at_us)))


def _read(text: str | None) -> Mapping[str, Any]:
    try:
        said = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _changes(
    before: Mapping[str, Any], now: Mapping[str, Any], at_us: int, digest: str
) -> Iterator[Mark]:
    told = False
    for section, kind in _SECTIONS.items():
        old, new = _named(before.get(section)), _named(now.get(section))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) == new.get(name):
                continue
            told = True
            if name not in old or name not in new:
                what = "added" if name in new else "removed"
            else:
                what = _told(old[name], new[name])
            yield Mark(at_us=at_us, kind=kind, name=name, what=what, digest=digest)
    if not told:
        yield Mark(at_us=at_us, kind="configuration", name=digest, what="changed", digest=digest)


def _named(section: Any) -> Mapping[str, Any]:
    if isinstance(section, dict):
        return section
    if isinstance(section, list):
        return {
            str(each.get("name") or each.get("policy") or at) if isinstance(each, dict) else
            str(each): each
            for at, each in enumerate(section)
        }  # fmt: skip
    return {}


def _told(old: Any, new: Any) -> str:
    paths = list(_differences(old, new, ""))
    words = [f"{path} {_short(a)} → {_short(b)}".strip() for path, a, b in paths[:_MOST_PATHS]]
    if len(paths) > _MOST_PATHS:
        words.append(f"{len(paths) - _MOST_PATHS} more")
    return ", ".join(words)


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    else:
        yield path, old, new


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"
