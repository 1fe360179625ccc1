"""Answers scored again: the same wherever it is done, and only by what changed."""

import pytest
from tests.evals.two_runs import a_case, a_sample

from pointsman.domain.errors import UsageError
from pointsman.evals.case import ScorerSpec
from pointsman.evals.sample import Score
from pointsman.evaluating.rescoring import rescored

EXACT = ScorerSpec(kind="exact", name="exact")
CONTAINS = ScorerSpec(kind="exact", name="contains", spec={"match": "contains"})


def given(n=60):
    cases = {f"c{at:04d}": a_case(at, expected="yes" if at % 2 else "no") for at in range(n)}
    samples = [a_sample(at, None if at % 10 == 9 else True, answer="yes, it is") for at in range(n)]
    return cases, samples


def test_the_scores_are_the_same_wherever_they_are_made():
    cases, samples = given()
    here = rescored(cases, samples, (EXACT, CONTAINS), {}, on="here")
    assert rescored(cases, samples, (EXACT, CONTAINS), {}, on="processes", workers=2) == here
    assert [each.case for each in here] == [each.case for each in samples]
    assert [score.passed for score in here[1].scores] == [False, True]
    assert [score.passed for score in here[0].scores] == [False, False]
    assert here[9].scores == ()


def test_what_an_unchanged_scorer_said_stands():
    cases, samples = given(2)
    told = {"exact": EXACT.digest}
    again = rescored(cases, samples, (EXACT, CONTAINS), told, on="here")
    assert again[0].scores[0] == Score(name="exact", value=1.0, passed=True)
    assert again[0].scores[1].name == "contains"
    alone = rescored(cases, samples, (CONTAINS,), told, on="here")
    assert [score.name for score in alone[0].scores] == ["contains"]


def test_scorers_that_ask_somebody_are_refused():
    cases, samples = given(2)
    asks = ScorerSpec(kind="similarity", name="near", spec={"model": "m"})
    with pytest.raises(UsageError, match="near would ask a model"):
        rescored(cases, samples, (asks,), {}, on="here")
