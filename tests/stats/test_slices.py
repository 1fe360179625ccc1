"""Slices: planted ones are found, and little else."""

import random

import pytest

from pointsman.stats.slices import find_slices

RUNS = [8, pytest.param(80, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])]


def cases(dice, n=5000):
    return {
        "language": dice.choices(["en", "de", "fr", "zh", "pt"], [50, 20, 15, 10, 5], k=n),
        "surface": dice.choices(["chat", "responses", "messages"], k=n),
        "tenant": dice.choices([f"t{i}" for i in range(12)], [1 / (i + 1) for i in range(12)], k=n),
        "length": [dice.lognormvariate(5, 1) for _ in range(n)],
    }


def planted(dice, columns):
    """Cases of one or two conditions, 2 to 10 % of all."""
    n = len(columns["surface"])
    while True:
        first = dice.choice(["language", "tenant"])
        wanted = {first: dice.choice(columns[first])}
        if dice.random() < 0.5:
            wanted["surface"] = dice.choice(columns["surface"])
        members = {at for at in range(n) if all(columns[c][at] == v for c, v in wanted.items())}
        if 0.02 * n <= len(members) <= 0.1 * n:
            return members


@pytest.mark.parametrize("runs", RUNS)
def test_a_planted_slice_is_found_and_little_else_is(runs):
    dice, hits, false, named = random.Random(1), 0, 0, 0
    for _ in range(runs):
        columns = cases(dice)
        members = planted(dice, columns)
        outcomes = [dice.random() < 0.8 - 0.2 * (at in members) for at in range(5000)]
        best = 0.0
        for found in find_slices(outcomes, columns):
            named += 1
            told = [each for each in found.conditions if each[0] != "length"]
            its = {at for at in range(5000) if all(str(columns[c][at]) == v for c, v in told)}
            best = max(best, len(its & members) / len(its | members))
            false += len(its & members) < 0.3 * len(its)
        hits += best >= 0.5
    assert hits >= 0.85 * runs
    assert false <= max(1, 0.1 * named)


def test_nothing_is_named_where_nothing_is():
    dice = random.Random(2)
    named = 0
    for _ in range(8):
        columns = cases(dice, 2000)
        named += bool(find_slices([dice.random() < 0.8 for _ in range(2000)], columns))
    assert named <= 1


def test_numbers_become_ranges_and_rises_can_be_asked_for():
    dice = random.Random(3)
    length = [dice.uniform(0, 600) for _ in range(3000)]
    falls = [dice.random() < (0.4 if each > 500 else 0.9) for each in length]
    (found,) = find_slices(falls, {"length": length})
    assert found.conditions[0][0] == "length"
    assert found.where.startswith("length >= 49") or found.where.startswith("length >= 50")
    assert found.difference.high < -0.4
    (risen,) = find_slices([not each for each in falls], {"length": length}, rises=True)
    assert risen.rate > 0.5 > risen.others


def test_odd_tables():
    assert find_slices([], {"a": []}) == []
    assert find_slices([True] * 100, {"a": ["x"] * 100}) == []
    with pytest.raises(ValueError, match="values for"):
        find_slices([True], {"a": []})
