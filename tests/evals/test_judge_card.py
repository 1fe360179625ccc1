"""Judge cards: planted errors are found, biases measured, and what changed makes a card stale."""

import random

import msgspec
import pytest

from pointsman.domain.judges import JudgeSpec
from pointsman.evals.judging.card import Card, Labelled, judge_card, seen_of
from pointsman.evals.judging.standing import shifted, why_stale

SPEC = JudgeSpec(name="polite", model="big", rubric="polite?")
PAIR = JudgeSpec(name="pair", model="big", rubric="better?", kind="pairwise")
DAY_US = 86_400_000_000


def labelled(chance, n, *, sens=0.9, spec=0.7, good=0.6, **more):
    rows = []
    for number in range(n):
        human = chance.random() < good
        passed = chance.random() < (sens if human else 1 - spec)
        rows.append(Labelled(case=f"c{number}", human=human, passed=passed, value=float(passed),
                             chars=chance.randrange(50, 500), tags={"kind": "ab"[number % 2]},
                             **more))  # fmt: skip
    return rows


def test_planted_sensitivity_and_specificity_are_found_within_three_points_at_500():
    chance, off = random.Random(4), []
    for _ in range(40):
        card = judge_card(SPEC, labelled(chance, 500), made_us=0)
        off.append((card.sensitivity.value - 0.9, card.specificity.value - 0.7))
        assert card.sensitivity.low < card.sensitivity.value < card.sensitivity.high
    for column in zip(*off, strict=True):
        assert sorted(map(abs, column))[20] <= 0.03
    assert abs(sum(a for a, _ in off)) / 40 < 0.01


def test_the_card_says_of_how_many_and_how_much():
    rows = [msgspec.structs.replace(row, cost_usd_picos=10, latency_ms=5.0, variance=0.1)
            for row in labelled(random.Random(1), 100)]  # fmt: skip
    rows += [Labelled(case="u", human=True, cost_usd_picos=10)] * 5
    card = judge_card(SPEC, rows, made_us=7, source="labels.jsonl")
    assert (card.n, card.unjudged.value, card.cost_usd_picos) == (105, 5 / 105, 10)
    assert (card.latency_ms, card.digest, card.made_us) == (5.0, SPEC.digest, 7)
    assert card.repeat_variance == pytest.approx(0.1)
    assert [(each.tag, each.value, each.n) for each in card.slices] == [
        ("kind", "a", 50), ("kind", "b", 50),
    ]  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(card), type=Card) == card


def test_labels_drawn_unevenly_are_weighed():
    chance = random.Random(9)
    rows = labelled(chance, 30_000)
    drawn = [
        msgspec.structs.replace(row, chance=p)
        for row in rows
        for p in [0.2 if row.passed else 0.02]
        if chance.random() < p
    ]
    card = judge_card(SPEC, drawn, made_us=0)
    assert card.specificity.value == pytest.approx(0.7, abs=0.06)
    plain = sum(not row.passed for row in drawn if not row.human) / sum(
        not row.human for row in drawn
    )
    assert plain < 0.4  # what the same labels say without their chances


def test_a_judge_that_likes_length_is_told():
    chance, rows = random.Random(2), []
    for number in range(400):
        human, chars = chance.random() < 0.5, chance.randrange(10, 1000)
        passed = human if chance.random() < 0.7 else chars > 500
        rows.append(Labelled(case=str(number), human=human, passed=passed, value=float(passed),
                             chars=chars))  # fmt: skip
    biased = judge_card(SPEC, rows, made_us=0).length_bias
    assert biased.low > 0.15
    fair = judge_card(SPEC, labelled(chance, 400), made_us=0).length_bias
    assert fair.low < 0.0 < fair.high


def test_pairs_tell_position_and_length():
    rows = []
    for number in range(60):
        first_longer = number % 2 == 0
        as_shown = number % 3 == 0  # a third of the time the judge likes what it sees first
        orders = (1.0, 0.0) if as_shown else (1.0, 1.0)
        rows.append(Labelled(case=str(number), human=True, passed=None if as_shown else True,
                             value=0.5 if as_shown else 1.0, orders=orders,
                             chars=100 if first_longer else -100))  # fmt: skip
    card = judge_card(PAIR, rows, made_us=0)
    assert card.consistency.value == pytest.approx(2 / 3)
    assert card.first_preferred.value == pytest.approx(0.5 + 0.5 / 3)
    assert card.ties == 20
    assert card.length_bias.value == pytest.approx(0.0)


def test_nothing_labelled_is_a_card_without_numbers():
    card = judge_card(SPEC, [], made_us=0)
    assert card.sensitivity.value is None
    assert card.length_bias is None
    assert "only 0 labels" in why_stale(card, SPEC, now_us=0)


def test_a_card_stands_until_it_is_old_or_the_judge_or_its_cases_change():
    chance = random.Random(3)
    card = judge_card(SPEC, labelled(chance, 200), made_us=0)
    assert why_stale(card, SPEC, now_us=DAY_US) == ()
    assert "days old" in why_stale(card, SPEC, now_us=91 * DAY_US)[0]
    other = msgspec.structs.replace(SPEC, rubric="kind?")
    assert "changed" in why_stale(card, other, now_us=DAY_US)[0]
    renamed = msgspec.structs.replace(SPEC, name="nice", max_age_days=400.0)
    assert why_stale(card, renamed, now_us=200 * DAY_US) == ()
    same = seen_of([(row.chars, row.value) for row in labelled(chance, 300)])
    assert why_stale(card, SPEC, now_us=DAY_US, lately=same) == ()
    longer = seen_of([(4 * row.chars, row.value) for row in labelled(chance, 300)])
    assert "lengths" in why_stale(card, SPEC, now_us=DAY_US, lately=longer)[0]


def test_many_like_cases_raise_no_alarm():
    chance = random.Random(8)
    alarms = 0
    for _ in range(100):
        then = [chance.gauss(0, 1) for _ in range(200)]
        now = [chance.gauss(0.05, 1) for _ in range(2000)]
        alarms += shifted(then, now) is not None
    assert alarms == 0
