"""What names a suite, and what is concluded of one sample."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.evals.case import Case, ScorerSpec, Suite, doubled
from pointsman.evals.gate import Gate
from pointsman.evals.sample import Sample, Score

NAMES = ("exact", "schema")


def a_suite(*cases, **more):
    scorers = (ScorerSpec(kind="exact", name="exact"),)
    return Suite(**{"name": "s", "cases": cases, "scorers": scorers, **more})


def test_the_digest_follows_cases_and_scorers_and_not_names_gate_or_order():
    one, two = Case(id="1", expected={"a": 1, "b": 2}), Case(id="2", expected="x")
    digest = a_suite(one, two).digest
    assert a_suite(two, one).digest == digest
    assert a_suite(one, two, name="t", gate=Gate(accepted_at_least=0.9)).digest == digest
    assert a_suite(Case(id="1", expected={"b": 2, "a": 1}), two).digest == digest
    assert a_suite(one).digest != digest
    assert a_suite(one, two, epochs=2).digest != digest
    assert a_suite(one, two, scorers=(ScorerSpec(kind="regex", name="exact"),)).digest != digest
    renamed = (ScorerSpec(kind="exact", name="other"),)
    assert renamed[0].digest == ScorerSpec(kind="exact", name="exact").digest


@given(st.lists(st.sampled_from([True, False, None]), max_size=2))
def test_accepted_is_the_conjunction_and_unknown_is_never_a_pass(passed):
    scores = tuple(
        Score(name=name, passed=each, status="unjudged" if each is None else "scored")
        for name, each in zip(NAMES, passed, strict=False)
    )
    found = Sample(case="c", scores=scores).accepted(NAMES)
    assert found == (False if False in passed else True if passed and None not in passed else None)


def test_a_missing_answer_is_neither_accepted_nor_rejected():
    sample = Sample(case="c", status="missing", scores=(Score(name="exact", passed=True),))
    assert sample.accepted(NAMES) is None
    assert sample.outcome("exact", NAMES) is None


def test_the_outcome_of_a_scorer_is_its_value_or_its_pass():
    sample = Sample(
        case="c", scores=(Score(name="exact", passed=True), Score(name="schema", value=0.25))
    )
    assert sample.outcome("exact", NAMES) == 1.0
    assert sample.outcome("schema", NAMES) == 0.25
    assert sample.outcome("nothing", NAMES) is None


def test_an_id_that_two_cases_have_is_found():
    assert doubled([Case(id="a"), Case(id="b"), Case(id="a")]) == "a"
    assert doubled([Case(id="a"), Case(id="b")]) is None
