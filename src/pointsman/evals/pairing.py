"""Samples of two runs, case by case: what each scored, and what is not known of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from pointsman.evals.case import Case
from pointsman.evals.sample import Sample

Outcome = Callable[[Sample], float | None]


class CaseScores(msgspec.Struct, frozen=True, kw_only=True):
    """One case in one run: the scores of its epochs, and how many epochs have none."""

    known: tuple[float, ...]
    unknown: int
    group: str
    tags: dict[str, str]

    @property
    def mean(self) -> float | None:
        """Over the epochs that are known."""
        return sum(self.known) / len(self.known) if self.known else None

    def filled(self, value: float) -> float:
        """The mean were every unknown epoch this."""
        total = sum(self.known) + value * self.unknown
        return total / (len(self.known) + self.unknown)


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that both runs asked, in the order of their ids."""

    ids: tuple[str, ...]
    a: tuple[CaseScores, ...]
    b: tuple[CaseScores, ...]

    @property
    def clusters(self) -> list[str]:
        return [each.group for each in self.a]

    @property
    def unknown(self) -> tuple[int, int]:
        """Samples without a score in each run."""
        return sum(each.unknown for each in self.a), sum(each.unknown for each in self.b)

    @property
    def clustered(self) -> bool:
        """Whether any two cases share a cluster."""
        return len(set(self.clusters)) < len(self.ids)

    @property
    def single(self) -> bool:
        """Whether each case was asked once in both."""
        return all(len(x.known) + x.unknown == 1 for x in (*self.a, *self.b))

    @property
    def complete(self) -> "Pairs":
        """Only the cases with a score in both, of the epochs that have one."""
        kept = [at for at in range(len(self.ids)) if self.a[at].known and self.b[at].known]
        return Pairs(
            ids=tuple(self.ids[at] for at in kept),
            a=tuple(self.a[at] for at in kept),
            b=tuple(self.b[at] for at in kept),
        )


def pair(
    samples_a: Iterable[Sample],
    samples_b: Iterable[Sample],
    outcome_a: Outcome,
    outcome_b: Outcome,
    *,
    only: frozenset[str] | None = None,
) -> Pairs:
    """The cases of both runs; those outside `only` are left out."""
    a, b = scores_by_case(samples_a, outcome_a), scores_by_case(samples_b, outcome_b)
    ids = sorted(case for case in a if case in b and (only is None or case in only))
    return Pairs(
        ids=tuple(ids),
        a=tuple(a[case] for case in ids),
        b=tuple(b[case] for case in ids),
    )


def scores_by_case(samples: Iterable[Sample], outcome: Outcome) -> dict[str, CaseScores]:
    """What each case scored."""
    rows: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        rows[sample.case].append(sample)
    made = {}
    for case, its in rows.items():
        said = [outcome(sample) for sample in its]
        made[case] = CaseScores(
            known=tuple(each for each in said if each is not None),
            unknown=sum(1 for each in said if each is None),
            group=its[0].cluster or case,
            tags=its[0].tags,
        )
    return made


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases two runs have in common, word for word."""

    same: frozenset[str]
    changed: tuple[str, ...]  # of one id, and another content
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether both asked exactly the same."""
        return not (self.changed or self.only_a or self.only_b)


def overlap(cases_a: Iterable[Case], cases_b: Iterable[Case]) -> Overlap:
    """By id and content; tags, cluster and origin may differ without changing a case."""
    a = {case.id: _asked(case) for case in cases_a}
    b = {case.id: _asked(case) for case in cases_b}
    both = a.keys() & b.keys()
    same = frozenset(case for case in both if a[case] == b[case])
    return Overlap(
        same=same,
        changed=tuple(sorted(both - same)),
        only_a=tuple(sorted(a.keys() - b.keys())),
        only_b=tuple(sorted(b.keys() - a.keys())),
    )


def same_question(a: Case, b: Case) -> bool:
    """Whether the same was asked, whatever is expected of the answer."""
    return _asked(msgspec.structs.replace(a, expected=None)) == _asked(
        msgspec.structs.replace(b, expected=None)
    )


def _asked(case: Case) -> bytes:
    bare = msgspec.structs.replace(case, tags={}, cluster=None, origin=None)
    return msgspec.json.encode(bare, order="deterministic")


def columns_of(
    ids: Sequence[str], scores: Sequence[CaseScores], cases: Mapping[str, Case]
) -> dict[str, list[str | int]]:
    """What slices are made of: tags, the class that was expected, how long the question is."""
    names = sorted({name for each in scores for name in each.tags})
    columns: dict[str, list[str | int]] = {
        name: [each.tags.get(name, "(none)") for each in scores] for name in names
    }
    expected = [_class_of(cases.get(case)) for case in ids]
    if 2 <= len(set(expected)) <= _MOST_CLASSES:
        columns.setdefault("expected", list(expected))
    if all(case in cases for case in ids):
        columns.setdefault("characters", [_length(cases[case]) for case in ids])
    return columns


_MOST_CLASSES = 20
_LONGEST_CLASS = 60  # characters


def _class_of(case: Case | None) -> str:
    said = case.expected if case is not None else None
    text = str(said) if isinstance(said, str | int | float | bool) else "(none)"
    return text if len(text) <= _LONGEST_CLASS else "(long)"


def _length(case: Case) -> int:
    contents = [message.get("content") for message in case.first_messages]
    return sum(len(content) for content in contents if isinstance(content, str))
