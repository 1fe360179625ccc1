"""Drawn lines in order: near ones snapped, broken ones joined, those that touch together."""

from collections.abc import Sequence

from pointsman.evidence.layout.boxes import Box, Rule, around

_NEAR = 3.0  # points: lines no further apart are one, and gaps no wider are none
_MOST = 4000  # joined rules of a page; more are a drawing


def joined(rules: Sequence[Rule]) -> list[Rule]:
    """Every line once, whole; none where there are so many that it is a drawing."""
    found: list[Rule] = []
    for across in (True, False):
        ordered = sorted((r for r in rules if r.across is across), key=lambda r: r.at)
        group: list[Rule] = []
        for rule in ordered:
            if group and rule.at - group[0].at > _NEAR:
                found += _runs(group)
                group = []
            group.append(rule)
        found += _runs(group)
    return found if len(found) <= _MOST else []


def _runs(group: Sequence[Rule]) -> list[Rule]:
    """Lines of about one height, joined where they touch."""
    found: list[Rule] = []
    for rule in sorted(group, key=lambda r: r.start):
        if found and rule.start - found[-1].end <= _NEAR:
            last = found[-1]
            found[-1] = last._replace(end=max(last.end, rule.end))
        else:
            found.append(rule)
    return found


def box_of(rule: Rule) -> Box:
    """The rule as a box without breadth."""
    if rule.across:
        return Box(rule.start, rule.at, rule.end, rule.at)
    return Box(rule.at, rule.start, rule.at, rule.end)


def frames(rules: Sequence[Rule]) -> list[tuple[Box, list[Rule]]]:
    """Lines that touch, as the boxes they draw: at least two each way."""
    parent = list(range(len(rules)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    level = [i for i, rule in enumerate(rules) if rule.across]
    upright = [i for i, rule in enumerate(rules) if not rule.across]
    for i in upright:
        for j in level:
            if (
                rules[j].start - _NEAR <= rules[i].at <= rules[j].end + _NEAR
                and rules[i].start - _NEAR <= rules[j].at <= rules[i].end + _NEAR
            ):
                parent[root(i)] = root(j)
    groups: dict[int, list[Rule]] = {}
    for i, rule in enumerate(rules):
        groups.setdefault(root(i), []).append(rule)
    return [
        (around(map(box_of, group)), group)
        for group in groups.values()
        if sum(rule.across for rule in group) >= 2 and sum(not rule.across for rule in group) >= 2
    ]


def stacks(rules: Sequence[Rule]) -> list[tuple[Box, list[Rule]]]:
    """Level lines of about the same length, one under another: at least two."""
    found: list[list[Rule]] = []
    for rule in sorted((r for r in rules if r.across), key=lambda r: r.at):
        for group in found:
            last = group[0]
            if abs(last.start - rule.start) < 8 and abs(last.end - rule.end) < 8:
                group.append(rule)
                break
        else:
            found.append([rule])
    return [(around(map(box_of, group)), group) for group in found
            if len(group) >= 2 and group[0].end - group[0].start > 60]  # fmt: skip
