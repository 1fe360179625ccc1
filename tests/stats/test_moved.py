"""Slices that moved more than the others: planted ones are found, others are seldom named."""

import random

import pytest

from pointsman.stats.moved import MovedSlice, moved_slices

LANGUAGES, PLANS = ("de", "en", "fr"), ("free", "pro")


def found(chance: random.Random, n: int, rate: dict[str, float]) -> list[MovedSlice]:
    """Nine of ten before; since then as `rate` says by language. French was always worse."""

    def cases(n: int, rates: dict[str, float]) -> tuple[list[bool], dict[str, list[str]]]:
        languages = [chance.choice(LANGUAGES) for _ in range(n)]
        columns = {"language": languages, "plan": [chance.choice(PLANS) for _ in range(n)]}
        return [chance.random() < rates[each] for each in languages], columns

    before = cases(600, {"de": 0.9, "en": 0.9, "fr": 0.6})
    return moved_slices(*before, *cases(n, rate))


def test_a_slice_that_fell_is_found_soon() -> None:
    chance, runs = random.Random(1), 200
    hits = sum(
        any((each.column, each.value) == ("language", "de") for each in
            found(chance, 90, {"de": 0.35, "en": 0.87, "fr": 0.57}))
        for _ in range(runs)
    )  # fmt: skip
    assert hits >= 0.9 * runs


def test_nothing_is_named_where_all_fell_alike() -> None:
    """False discoveries: a run with any counts whole. French was worse before as well."""
    chance, runs = random.Random(2), 400
    named = sum(bool(found(chance, 100, {"de": 0.7, "en": 0.7, "fr": 0.4})) for _ in range(runs))
    assert named <= 0.08 * runs


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="has 1 values for 2"):
        moved_slices([True, False], {"a": ["x"]}, [True], {"a": ["x"]})
    assert moved_slices([], {"a": []}, [True], {"a": ["x"]}) == []
