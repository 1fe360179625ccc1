"""Few labels and a judge: covers where the judge alone does not, and is narrower than people."""

import os
import random
from pathlib import Path

import pytest

from pointsman.stats.ppi import ppi_mean, rogan_gladen

DATA = Path(os.environ.get("POINTSMAN_DATA", "../shared/data"))


def drawn(dice, n, *, bias, noise):
    for _ in range(n):
        truth = float(dice.random() < 0.7)
        yield truth, min(1.0, max(0.0, truth * 0.8 + 0.1 + bias + dice.gauss(0, noise)))


@pytest.mark.parametrize(("bias", "noise"), [(0.0, 0.1), (0.2, 0.1), (-0.3, 0.3), (0.1, 2.0)])
def test_it_covers_whatever_the_judge_is(bias, noise):
    dice, covered, width, alone = random.Random(5), 0, 0.0, 0.0
    for _ in range(250):
        cases = list(drawn(dice, 600, bias=bias, noise=noise))
        labelled, rest = cases[:100], cases[100:]
        said = ppi_mean([y for y, _ in labelled], [f for _, f in labelled], [f for _, f in rest])
        covered += said.corrected.low <= 0.7 <= said.corrected.high
        width += said.corrected.high - said.corrected.low
        alone += said.human.high - said.human.low
    assert covered / 250 >= 0.91
    assert width <= 1.02 * alone  # never wider than people alone, by more than noise
    if noise == 0.1:
        assert width <= 0.75 * alone


def test_too_few_labels_bound_nothing():
    said = ppi_mean([1.0] * 5, [0.9] * 5, [0.8] * 100)
    assert (said.corrected.low, said.corrected.high) == (None, None)
    with pytest.raises(ValueError, match="differ"):
        ppi_mean([1.0], [], [0.5])


@pytest.mark.parametrize("level", [0.9])
def test_real_verdicts_of_a_judge(level):
    """Each judge of LLMBar: forty gold labels, the other sixty items are the judge's alone."""
    path = DATA / "evals" / "llmbar_natural_judge_verdicts.parquet"
    if not path.exists():
        pytest.skip(f"the recorded verdicts are not at {path}: set POINTSMAN_DATA")
    import duckdb

    rows = duckdb.sql(
        f"SELECT judge, item, any_value(label) = 1, avg((winner_as_given = 1)::INT) FROM '{path}' "
        "WHERE winner_as_given IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    dice = random.Random(2)
    for judge in sorted({row[0] for row in rows}):
        cases = [(float(truth), score) for name, _, truth, score in rows if name == judge]
        rate = sum(truth for truth, _ in cases) / len(cases)
        covered, width, alone = 0, 0.0, 0.0
        for _ in range(200):
            dice.shuffle(cases)
            labelled, rest = cases[:40], cases[40:]
            said = ppi_mean([y for y, _ in labelled], [f for _, f in labelled],
                            [f for _, f in rest], level=level)  # fmt: skip
            covered += said.corrected.low <= rate <= said.corrected.high
            width += said.corrected.high - said.corrected.low
            alone += said.human.high - said.human.low
        assert covered / 200 >= 0.88, judge
        assert width <= 1.02 * alone, judge


def test_the_rate_behind_a_judge():
    dice, covered = random.Random(4), 0
    for _ in range(300):
        said_yes = sum(dice.random() < (0.9 if dice.random() < 0.6 else 0.2) for _ in range(1000))
        caught = sum(dice.random() < 0.9 for _ in range(80))
        cleared = sum(dice.random() < 0.8 for _ in range(80))
        said = rogan_gladen(said_yes, 1000, caught=caught, positives=80, cleared=cleared,
                            negatives=80)  # fmt: skip
        covered += said.low <= 0.6 <= said.high
    assert covered / 300 >= 0.92
    coin = rogan_gladen(500, 1000, caught=40, positives=80, cleared=40, negatives=80)
    assert coin.value is None
